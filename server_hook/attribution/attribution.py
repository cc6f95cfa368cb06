"""Which test's work runs in this process: what servers tell of their requests, and what the cut takes from it.

This module is loaded at every recorded start and loads nothing itself. What tells tests apart is loaded by ``prepare``,
at the recorder's first beat or with the first server: a process that gives up its rights later cannot read our files.
"""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from server_hook import coverage_private
from server_hook.clock import steady
from server_hook.environment import process_state
from server_hook.problems import log_problem

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from coverage import Coverage

    from server_hook.attribution.bounds import Bounds
    from server_hook.attribution.monitoring import ByMonitoring
    from server_hook.attribution.peers import Peers
    from server_hook.attribution.swapping import ByTracer
    from server_hook.attribution.tags import Request
    from server_hook.coverage_private import LiveSets
    from server_hook.store.segment import Measured

QUIET_S, LOST_S = 2.0, 600.0
"""Seconds from its last request until a test that no board shows is over, as another begins; more with one open."""
MOST_TESTS = 1000
LOOK_S = 0.01
"""For how many seconds there is taken to be no session where none was seen."""
_new_lock = _thread.RLock  # gevent replaces it

Address: TypeAlias = tuple[Any, ...]
"""Host and port, as sockets give them."""
Ends: TypeAlias = "tuple[Address | None, Address | int | None]"
"""This end of a connection and the other one; of a Unix socket, None and the descriptor of this end."""


class Counts:
    """How many requests were whose, while a session that names its tests ran; of the latest such session."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.tagged = 0
        """Requests whose header named their test."""
        self.by_process = 0
        """Requests whose test was found by the process at the other end of the connection."""
        self.nobodys = 0
        self.nobodys_among_several = 0
        """Nobody's requests that came while several tests ran."""


class Test:
    """A test whose requests have come here, and that is not over."""

    def __init__(self) -> None:
        """Begin without a request."""
        self.was_shown = False
        """Whether a board has shown it."""
        self.requests = 0  # those that are not answered yet
        self.heard_at = 0.0


class Attribution:
    """Whose work runs in one recorded process."""

    def __init__(self, cov: Coverage) -> None:
        """Begin with nobody's.

        Args:
            cov: the Coverage that measures this process.
        """
        self.counts = Counts()
        self.bounds: Bounds | None = None
        """Until when a test's child works for its test; None for every other process."""
        self.reason = ""
        """Why tests are not told apart here; empty while they are, or no test was heard of."""
        self._cov = cov
        self._tags: Any = None
        self._lock, self._is_prepared = _new_lock(), False
        self._nobodys_until = 0.0
        """Until when a request that names no test is nobody's without a look: no session is there."""
        self._engine: ByMonitoring | ByTracer | None = None
        self._peers: Peers | None = None
        self._tests: dict[str, Test] = {}
        self._sessions = 0
        self._ended: dict[str, None] = {}
        """Tests that boards have shown and show no more."""

    def prepare(self) -> None:
        """Load what tells tests apart; nothing is armed before a test's first request."""
        if not self._is_prepared:
            with self._lock:
                if not self._is_prepared:
                    try:
                        self._load()
                    except (ImportError, OSError) as error:  # it has given up its rights, or its root
                        self._tags = None
                        self.reason = f"what tells them apart cannot be read any more ({error})"
                    self._is_prepared = True

    def _load(self) -> None:
        from server_hook.attribution import carrying, tags
        from server_hook.attribution.peers import Peers

        self._tags, self._carry = tags, carrying.carry
        recorder = process_state().recorder
        if recorder is not None:
            self._peers = Peers([recorder.data_folder, os.path.dirname(recorder.settings.data_file)])
        core = coverage_private.core_in_use(self._cov)
        if sys.version_info >= (3, 12):
            from server_hook.attribution.monitoring import ByMonitoring

            has_arcs = core == "sysmon" and self._cov.get_option("run:branch")
            self._engine = ByMonitoring(self._path_of, self._lock, self._arc_of if has_arcs else None)
        elif core == "ctrace":
            from server_hook.attribution.swapping import ByTracer

            self._engine = ByTracer(self._cov, self._lock)
        else:
            self.reason = f"core {core} cannot tell tests apart before Python 3.12"

    def begin_request(self, baggage: Sequence[str], ends: Callable[..., Ends], *ends_of: object) -> Request | None:
        """Notice that a request begins, and whose it is, in the context that will answer it; never raise.

        Args:
            baggage: the values of its headers of this name.
            ends: returns the two ends of its connection; called only if they may name a test.
            ends_of: what it is called with.

        Returns:
            what ``end_request`` takes; None if there is nothing to undo.
        """
        try:
            if not baggage and steady() < self._nobodys_until and not self._tags.TEST.get():
                return None
            self.prepare()
            test = self._whose(baggage, ends, ends_of) if self._tags is not None else ""
            if self.bounds is not None:
                self.bounds.answer(test)
            if self._tags is not None and (test or self._tags.TEST.get()):
                request: Request = self._tags.Request(test)
                return request
        except Exception as error:  # noqa: BLE001 - a request must not fail for us
            self._disturbed(error)
        return None

    def end_request(self, request: Request | None) -> None:
        """Notice that a request is answered, in the context in which it began; never raise."""
        if request is not None:
            try:
                test = self._tests.get(request.test)
                if test is not None and request.is_open:
                    with self._lock:
                        test.requests -= 1
                request.end()
            except Exception as error:  # noqa: BLE001 - a request must not fail for us
                self._disturbed(error)

    def account(self) -> dict[str, Any]:
        """Return what this process says of its requests in answers, and in its record."""
        counts = self.counts
        tests, several = counts.tagged + counts.by_process, counts.nobodys_among_several
        return {"told": tests, "nobodys": counts.nobodys, "among_several": several, "not_told": self.reason}

    def resume(self, frame: FrameType | None) -> None:
        """Notice that the test has changed under running frames, from the innermost on; never raise."""
        if self._engine is not None:
            try:
                self._engine.resume(frame)
            except Exception as error:  # noqa: BLE001 - it is called inside the application's queues
                self._disturbed(error)

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add what each test's work has run since the last drain, beside what coverage.py measures.

        Args:
            add: takes a test, the path of a source file, and the lines or arcs of it.
        """
        if self._engine is not None:
            if self._tests:
                self._end_those_over()
            self._engine.drain(add)

    def live_sets(self) -> list[tuple[str, LiveSets]]:
        """Return the live sets that are filled in place of coverage.py's own, each with its test or nobody's."""
        return self._engine.live_sets() if self._engine is not None else []

    def see_all_again(self) -> None:
        """Let every line be new again for every test."""
        if self._engine is not None:
            self._engine.see_all_again()

    def forget_file(self, path: str) -> None:
        """Leave out what tests have run of a file that is loaded again; call it after a cut."""
        if self._engine is not None:
            self._engine.forget_file(path)

    def close(self) -> None:
        """Tell tests apart no longer."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        self._tests = {}

    def end_all(self) -> None:
        """Begin with nobody's again, in a child that was forked with the Coverage that measures it."""
        self._lock = _new_lock()  # a thread that held the old one is not here to release it
        self.counts = Counts()
        if self._engine is not None:
            self._engine.lock = self._lock
            for test in self._tests:
                self._engine.end(test)
        self._tests = {}

    def _whose(self, baggage: Sequence[str], ends: Callable[..., Ends], ends_of: tuple[object, ...]) -> str:
        boards = self._peers.boards if self._peers is not None else None
        is_session = boards is not None and bool(boards.posted())
        if boards is not None and boards.sessions != self._sessions:
            self.counts, self._sessions = Counts(), boards.sessions
        test: str = self._tags.from_headers(baggage)
        if test and self._begin(test):
            self.counts.tagged += 1
            return test
        if is_session and self._peers is not None:  # also where the header's test is over: a WebSocket stays open
            witness = self._peers.test_of(*ends(*ends_of))
            if witness.test and self._begin(witness.test):
                self.counts.by_process += 1
                return witness.test
            self.counts.nobodys_among_several += witness.several
        self.counts.nobodys += is_session
        if not is_session and self.bounds is None and not test:
            self._nobodys_until = steady() + LOOK_S
        return ""

    def _begin(self, name: str) -> bool:
        """Tell a test apart from now on; return whether it is not over."""
        if self._engine is None:
            return True  # for whoever is asked on its behalf
        with self._lock:
            test = self._tests.get(name)
            if test is None:
                is_shown = self._end_those_over(unless=name)
                if name in self._ended:
                    return False
                self._carry()
                self._engine.begin(name)
                test = self._tests.setdefault(name, Test())
                test.was_shown = is_shown  # a short test is over before the next look
            test.requests += 1
            test.heard_at = steady()
        return True

    def _end_those_over(self, unless: str = "") -> bool:
        """End the tests that are over; return whether a board shows the one that begins.

        Where no board shows a test, it is over when it has gone quiet and another one begins.
        """
        running = set(map(_without_phase, self._peers.boards.running(MOST_TESTS) if self._peers is not None else ()))
        for name, test in self._tests.copy().items():
            if _without_phase(name) in running:
                test.was_shown = True
            elif test.was_shown:
                self._ended[name] = None
                self._end(name)
            # LOST_S: a connection of the library websockets never says that it is closed
            elif unless and steady() - test.heard_at > (LOST_S if test.requests else QUIET_S):
                self._end(name)
        if is_shown := _without_phase(unless) in running:
            self._ended.pop(unless, None)
        return is_shown

    def _end(self, name: str) -> None:
        with self._lock:
            self._tests.pop(name, None)
            if self._engine is not None:
                self._engine.end(name)

    def _path_of(self, filename: str, frame: FrameType) -> str:
        try:
            return coverage_private.measured_path(self._cov, filename, frame)
        except Exception as error:  # noqa: BLE001 - a code object of the application begins to run
            self._disturbed(error)
            return ""

    def _arc_of(self, code: CodeType, callback: str, *places: object) -> tuple[int, int] | None:
        try:
            return coverage_private.arc_of_event(self._cov, code, callback, *places)
        except Exception as error:  # noqa: BLE001 - a function of the application runs
            self._disturbed(error)
            return None

    def _disturbed(self, error: Exception) -> None:
        if not self.reason:
            self.reason = f"{type(error).__name__}: {error}"
            log_problem(f"requests are not told apart here: {self.reason} (not-told-apart)")


def _without_phase(test: str) -> str:
    return test.rpartition("|")[0] or test
