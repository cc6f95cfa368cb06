"""End processes with all that they have started: the rules of ``pipeline_server`` and of ``vmpilot-cov serve``."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

STOP_S = 10.0
"""How long a server may take to end after SIGTERM, as with ``docker stop``."""
GRACE_S = 5.0
"""How long processes may take to end by themselves, their last data included, before they are killed."""


PROC = Path("/proc")
_PS = ("ps", "-A", "-o", "pid=,ppid=,pgid=,stat=")


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int


def end_server(process: subprocess.Popen[bytes]) -> bool:
    """End a server as an operator would, by SIGTERM to its first process; return whether no process was killed.

    What is still running when that one has ended, or after ``STOP_S``, is ended as by ``end_session``.
    """
    if process.poll() is None:
        # not to all at once: celery's parent, for one, waits for workers that have ended without it
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    return end_session(process)


def end_session(process: subprocess.Popen[bytes]) -> bool:
    """End a process and every other one of its session; return whether no process was killed."""
    leader = process.pid
    if _shows_processes():
        return _end(
            lambda number: _send(_members(leader), number),
            lambda: process.poll() is not None and not _members(leader),
        )
    # its process group at least, which is the session of a program that makes no groups
    return _end(
        lambda number: _signal_group(leader, number),
        lambda: process.poll() is not None and not _signal_group(leader, 0),
    )


def end_descendants(ancestor: int, seen: Collection[int] = ()) -> bool:
    """End every process that descends from another one; return whether no process was killed.

    Args:
        ancestor: the pid of that one.
        seen: its descendants of a moment ago: where it adopts no orphans, they may be process 1's by now.
    """

    def left() -> set[int]:
        there = {each.pid for each in _living()}
        return (family_of(ancestor, with_session=False) | there.intersection(seen)) - {ancestor}

    return _end(lambda number: _send(left(), number), lambda: not left())


def family_of(leader: int, *, with_session: bool = True) -> set[int]:
    """List the living processes that descend from one, and those of its session; empty where nothing tells of them.

    Args:
        leader: the pid of the process.
        with_session: whether it leads a session of its own, all of which counts.
    """
    # a child whose parent has ended descends from pid 1, but stays in its session
    living = list(_living())
    family = {each.pid for each in living if each.pid == leader or (with_session and each.session == leader)}
    while grown := {each.pid for each in living if each.parent in family} - family:
        family |= grown
    return family


def _end(send: Callable[[signal.Signals], object], is_over: Callable[[], bool]) -> bool:
    """End processes, first politely, so that data is saved, then by force; return whether no process was killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if is_over():
            return True
        send(number)
        until = time.monotonic() + GRACE_S
        while time.monotonic() < until and not is_over():
            time.sleep(0.02)
    return False


def _send(pids: Collection[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, number)


def _signal_group(leader: int, number: int) -> bool:
    """Send a signal to a process group, 0 for none; return whether it has a process that can have it."""
    try:
        os.killpg(leader, number)
    except OSError:  # PermissionError is macOS's answer for a group of zombies
        return False
    return True


def _members(session: int) -> list[int]:
    return [each.pid for each in _living() if each.session == session]


def _shows_processes() -> bool:
    return os.path.exists(PROC / "self/stat")


def _living() -> Iterator[_Process]:
    """Walk the processes of this machine that are no zombies (proc_pid_stat(5)); without /proc, as ps shows them."""
    if not _shows_processes():
        yield from _listed()
        return
    for entry in PROC.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # the command's name, in parentheses, may hold spaces and parentheses itself
            state, parent, _, session = entry.read_text(errors="replace").rpartition(")")[2].split()[:4]
            if state != "Z":
                yield _Process(int(entry.parent.name), int(parent), int(session))


def _listed() -> Iterator[_Process]:
    """Walk the same by ps; a process group stands in for the session, of which macOS tells nothing."""
    with suppress(OSError):
        with subprocess.Popen(_PS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as ps:  # noqa: S603
            shown, _ = ps.communicate()
        for pid, parent, group, state in (line.split() for line in shown.splitlines()):
            if not state.startswith("Z") and int(pid) != ps.pid:
                yield _Process(int(pid), int(parent), int(group))
