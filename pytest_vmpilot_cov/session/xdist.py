"""pytest-xdist's side: a worker measures for the session of the process that started it, and gives no verdict."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.session.session import OUTSIDE, Session, take_over
from server_hook.config.settings import Settings
from server_hook.environment import SESSION_VARIABLE
from server_hook.record.recorder import Recorder
from server_hook.store import records, segment, working_folder

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Outcome

WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
DELIVERY = "vmpilot_cov"
"""What a worker says at its end, in pytest-xdist's ``workeroutput``: why its data is not complete, or nothing."""
ENDING_S = 1.0
"""How long a process may take to end when its connection is closed already."""


def is_worker() -> bool:
    """Tell whether this process is a worker itself, and not a child that has inherited a worker's environment."""
    return WORKER_VARIABLE in os.environ and "-c" in sys.orig_argv[:3]


def read_leader() -> records.Record | None:
    """Read the record of the process that leads this worker's session."""
    folder = os.environ.get(SESSION_VARIABLE, "")
    return records.read_record(Path(folder)) if folder else None


class WorkerSession(Session):
    """A session that measures as its leader does, into the leader's data folder."""

    def _make_recorder(self) -> Recorder:
        leader = read_leader()
        if leader is None:
            return super()._make_recorder()
        data_folder = working_folder.data_folder_of(Path(os.environ[SESSION_VARIABLE]))
        name = os.environ[WORKER_VARIABLE]  # by which the leader finds it
        return Recorder(Settings.from_record(leader.settings), str(data_folder), OUTSIDE, leader.session, name=name)

    def _reason_to_stand_back(self, known: argparse.Namespace) -> str:
        if read_leader() is None:  # it gives way to a debugger, or runs on another host
            take_over()
            return f"it is not told of its session (by {SESSION_VARIABLE} in its environment)"
        return super()._reason_to_stand_back(known)

    def _lead(self) -> None:
        """Leave it to the leader."""

    def _announce(self) -> None:
        """Measure all the same where nothing can be written yet: the leader is told at the end what is missing."""
        with suppress(OSError):
            super()._announce()

    def finish(self) -> Outcome | None:
        """Write the last segment, and be known as ended: nobody is to ask this process any more."""
        if not self.problem:
            self._recorder.finish()
            if self._recorder.drain.cut():
                self.problem = self._recorder.problems.latest.partition(";")[0]  # it waits in memory no longer
            self._recorder.stop()
        return None

    def deliver(self, workeroutput: dict[str, Any]) -> None:
        """Tell the leader whether all that was reached has been written."""
        workeroutput[DELIVERY] = self.problem


class Node(Protocol):
    """What is known of pytest-xdist's ``WorkerController``."""

    gateway: Any
    workeroutput: dict[str, Any]


class Workers:
    """The leader's plugin: it names each worker that ended without a word, or without its data."""

    def __init__(self, leader: Session) -> None:
        """Listen for workers of the session that *leader* measures."""
        self._leader = leader
        self._down: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Node, error: object) -> None:
        """Hear of a worker that is down; of one whose session was left by an exception, twice."""
        name = str(node.gateway.id)
        if name in self._down:
            return
        self._down.add(name)
        if error is not None:
            self._leader.note(self._crashed(name, error))
        elif why := node.workeroutput.get(DELIVERY, "it did not come to its tests"):
            self._leader.note(say("worker-incomplete", worker=name, why=why))

    def _crashed(self, name: str, error: object) -> str:
        how, kept = "", "nothing of it was written"
        for folder, record in records.recorded(self._leader.options.data_folder):
            if record.session == self._leader.id and record.id.endswith(f"-{name}"):
                how = ending_of(record.pid)
                if any(folder.glob("*" + segment.SUFFIX)):
                    kept = _kept(records.read_record(folder) or record)
        how = how or (str(error).strip().splitlines() or [""])[-1]
        return say("worker-crashed", worker=name, how=how, kept=kept)


def _kept(record: records.Record) -> str:
    if record.ended:
        return "its data up to then is kept"
    return f"its data up to then is kept, but what it reached in its last {record.interval_s:g} s may be missing"


def ending_of(pid: int) -> str:
    """Say how a child of this process has ended, and leave it for who has started it; empty where nobody knows."""
    until = time.monotonic() + ENDING_S
    while time.monotonic() < until:
        try:
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except (AttributeError, ChildProcessError):  # some systems do not tell; a worker elsewhere is no child
            return ""
        if found is not None:
            if found.si_code == os.CLD_EXITED:
                return f"its process {pid} exited with {found.si_status}"
            names = {each.value: each.name for each in signal.Signals}
            return f"its process {pid} was ended by {names.get(found.si_status, f'signal {found.si_status}')}"
        time.sleep(0.01)
    return ""
