"""pytest-xdist: a worker measures for the session of its leader and gives no verdict."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_vmpilot_cov.hooks.hookspecs import PluginObject
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.session.recording import OUTSIDE
from server_hook.config.settings import Settings, open_coverage
from server_hook.environment import SESSION_VARIABLE, process_state
from server_hook.problems import one_line, printable
from server_hook.record.recorder import Recorder
from server_hook.store import records, segment, working_folder

if TYPE_CHECKING:
    import argparse

    from pytest_vmpilot_cov.model import Options
    from pytest_vmpilot_cov.session.lead import Lead
    from pytest_vmpilot_cov.session.selection import Selection, TakenAway
    from pytest_vmpilot_cov.session.session import Session

WORKER_VARIABLE = "PYTEST_XDIST_WORKER"
DELIVERY = "vmpilot_cov"
"""The key in pytest-xdist's ``workeroutput`` under which a worker says why its data is incomplete, if it is."""
TAKEN = "vmpilot_cov_taken"
"""The key for the tests that were taken away: how many by whom, and the paths that pytest ignored."""
RAN = "vmpilot_cov_ran"
"""The key for the origins whose tests the worker ran."""
ENDING_S = 1.0
"""How many seconds a process may take to end once its connection is closed."""


def is_worker() -> bool:
    """Tell whether this process is about to become a worker; a worker's child inherits the environment, but is none."""
    # execnet starts a worker by ``python -c``; once its session runs, any other in its process is nested
    return WORKER_VARIABLE in os.environ and "-c" in sys.orig_argv[:3] and not process_state().session


def read_leader() -> records.Record | None:
    """Read the record of the process that leads this worker's session."""
    folder = os.environ.get(SESSION_VARIABLE, "")
    return records.read_record(Path(folder)) if folder else None


def worker_recorder(leader: records.Record) -> Recorder:
    """Make a worker's recorder: it measures like its leader, into the leader's data folder."""
    data_folder = working_folder.data_folder_of(Path(os.environ[SESSION_VARIABLE]))
    settings = Settings.from_record(leader.settings)
    return Recorder(settings, str(data_folder), OUTSIDE, leader.session, name=os.environ[WORKER_VARIABLE])


class Worker(PluginObject):
    """A worker's plugin: measure until the last test, then tell the leader what is missing."""

    def __init__(self, session: Session | None, problem: str, taken: TakenAway) -> None:
        """Start to measure.

        Args:
            session: what measures; None where nothing does.
            problem: why nothing does.
            taken: counts the tests that are taken away in this process.

        Raises:
            HookError: when coverage.py cannot measure here.
        """
        self._session = session
        self._problem = problem
        self._taken = taken
        if session is not None:
            with suppress(OSError):  # data waits in memory; at the end the leader hears what is missing
                session.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """Write the last segment and end the record: this process should not be asked any more."""
        try:
            return (yield)
        finally:
            # here, not at exit: workers are ended without atexit, and workeroutput is sent when the session ends
            output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]  # pytest-xdist's
            output[DELIVERY] = self._finish()
            output[TAKEN] = self._taken.tests, self._taken.ignored
            output[RAN] = sorted(self._session.origins) if self._session is not None else []

    def _finish(self) -> str:
        if self._session is None:
            return self._problem
        try:
            missing = self._session.finish()
            self._session.measurement.close()
        except Exception as error:  # noqa: BLE001 - whatever fails here, the tests' own outcome must be shown
            return f"{type(error).__name__}: {one_line(error)}"
        return "; ".join(missing)


def refuse_dynamic_context(options: Options, typed: argparse.Namespace) -> None:
    """Refuse ``dynamic_context = test_function`` in a session with workers, as pytest-cov does.

    Raises:
        pytest.UsageError: when the configuration has it, and the session has workers.
    """
    has_workers = any(getattr(typed, name, None) for name in ("numprocesses", "tx", "distload"))
    if not has_workers and getattr(typed, "dist", "no") == "no":
        return
    config = options.settings.config_file
    if not options.context and open_coverage(config).get_option("run:dynamic_context") == "test_function":
        refusal = printable(say("context-refused", config=config))
        # scripts look for the line that ends pytest-cov's traceback
        raise pytest.UsageError(f"refused, as by pytest-cov:\npytest_cov.DistCovError: {refusal}")


class Node(Protocol):
    """What we use of pytest-xdist's ``WorkerController``."""

    gateway: Any
    workeroutput: dict[str, Any]


class Workers(PluginObject):
    """The leader's plugin: name each worker that crashed or could not deliver its data."""

    def __init__(self, lead: Lead, selection: Selection, data_folder: Path) -> None:
        """Listen for workers.

        Args:
            lead: the leading process of their session.
            selection: knows which tests run.
            data_folder: the folder of their data.
        """
        self._lead = lead
        self._selection = selection
        self._data_folder = data_folder
        self._down: set[str] = set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Node, error: object) -> None:
        """Handle a worker that is down; pytest-xdist reports one twice whose session ended by an exception."""
        name = str(node.gateway.id)
        if name in self._down:
            return
        self._down.add(name)
        if error is not None:
            self._lead.note(self._crashed(name, error))
            return
        self._lead.note_origins(node.workeroutput.get(RAN, ()))
        self._selection.add_of_worker(*node.workeroutput.get(TAKEN, ({}, [])))
        if why := node.workeroutput.get(DELIVERY, "it did not come to its tests"):
            self._lead.note(say("worker-incomplete", worker=name, why=why))

    def _crashed(self, name: str, error: object) -> str:
        how, data = "", "nothing of it was written"
        for folder, record in records.recorded(self._data_folder):
            if record.session == self._lead.session and record.id.endswith(f"-{name}"):
                how = ending_of(record.pid)  # waits, so the record is read again below
                # it may have crashed before its first segment
                if any(folder.glob("*" + segment.SUFFIX)):
                    data = _what_is_kept(records.read_record(folder) or record)
        how = how or (str(error).strip().splitlines() or [""])[-1]
        return say("worker-crashed", worker=name, how=how, data=data)


def _what_is_kept(record: records.Record) -> str:
    if record.ended:
        return "its data up to then is kept"
    return f"its data up to then is kept, but what it reached in its last {record.interval_s:g} s may be missing"


def ending_of(pid: int) -> str:
    """Say how a child of this process ended, without reaping it; empty if the system doesn't tell."""
    until = time.monotonic() + ENDING_S
    while time.monotonic() < until:
        try:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except (AttributeError, ChildProcessError):  # no waitid on macOS; a worker of another host is no child
            return ""
        if ended is not None:
            if ended.si_code == os.CLD_EXITED:
                return f"its process {pid} exited with {ended.si_status}"
            names = {each.value: each.name for each in signal.Signals}
            return f"its process {pid} was ended by {names.get(ended.si_status, f'signal {ended.si_status}')}"
        time.sleep(0.01)
    return ""
