"""End processes that were started in a session of their own, with all that they have started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

GRACE_S = 5.0
"""How long processes may take to end by themselves, their last data included, before they are killed."""


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int


def end_server(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """End a server as an operator would, by SIGTERM to its first process; return whether nobody had to be killed.

    Whoever is still there when that one has ended, or after *patience_s*, is ended as ``end_session`` does. A signal to
    all at once does not work: celery's parent, for one, waits for workers that have ended without it.
    """
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    return end_session(process)


def end_session(process: subprocess.Popen[bytes]) -> bool:
    """End a process and every other one of its session; return whether nobody had to be killed.

    First politely, so that data is saved, then by force.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        if _is_over(process):
            return True
        _send(process.pid, number)
        _wait_for_end(process)
    return False


def family_of(leader: int) -> set[int]:
    """List the living processes of a session and those that descend from its leader; empty without /proc."""
    living = list(_living())
    family = {each.pid for each in living if leader in (each.pid, each.session)}
    while grown := {each.pid for each in living if each.parent in family} - family:
        family |= grown
    return family


def _send(session: int, number: signal.Signals) -> None:
    members = _members(session)
    for pid in members:
        with suppress(OSError):
            os.kill(pid, number)
    if not members:  # without /proc: the process group at least
        with suppress(OSError):
            os.killpg(session, number)


def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + GRACE_S
    while time.monotonic() < until and not _is_over(process):
        time.sleep(0.02)


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None and not _members(process.pid)


def _members(session: int) -> list[int]:
    return [each.pid for each in _living() if each.session == session]


def _living() -> Iterator[_Process]:
    """Walk the processes of this machine that are no zombies (proc_pid_stat(5)); none without /proc."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            state, parent, _, session = entry.read_text(errors="replace").rpartition(")")[2].split()[:4]
            if state != "Z":
                yield _Process(int(entry.parent.name), int(parent), int(session))
