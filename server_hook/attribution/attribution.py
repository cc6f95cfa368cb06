"""Which test's work runs in this process: what servers tell of their requests, and what the cut takes from it.

This module is loaded at every recorded start and loads nothing itself. What tells tests apart is loaded by ``prepare``,
at the recorder's first beat or with the first server: a process that gives up its rights later cannot read our files.
"""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from server_hook import coverage_private
from server_hook.clock import steady
from server_hook.environment import process_state
from server_hook.problems import log_problem

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from coverage import Coverage

    from server_hook.attribution.bounds import Bounds
    from server_hook.attribution.monitoring import ByMonitoring
    from server_hook.attribution.serving import Ends, Serving
    from server_hook.attribution.swapping import ByTracer
    from server_hook.attribution.tags import Request
    from server_hook.coverage_private import LiveSets
    from server_hook.store.segment import Measured

_new_lock = _thread.RLock  # gevent replaces it


class Attribution:
    """Whose work runs in one recorded process."""

    def __init__(self, cov: Coverage) -> None:
        """Begin with nobody's.

        Args:
            cov: the Coverage that measures this process.
        """
        self.bounds: Bounds | None = None
        """Until when a test's child works for its test; None for every other process."""
        self.reason = ""
        """Why tests are not told apart here; empty while they are, or no test was heard of."""
        self.serving: Serving | None = None
        """The requests that are answered here; None before the first one, and where tests cannot be told apart."""
        self._cov = cov
        self._tags: Any = None
        self._lock, self._is_prepared = _new_lock(), False

    def prepare(self) -> None:
        """Load what tells tests apart; nothing is armed before a test's first request."""
        if not self._is_prepared:
            with self._lock:
                if not self._is_prepared:
                    try:
                        self._load()
                    except RuntimeError:  # gevent has just replaced the locks of imports; the next beat tries again
                        return
                    except (ImportError, OSError) as error:  # it has given up its rights, or its root
                        self.serving = None
                        self.reason = f"what tells them apart cannot be read any more ({error})"
                    self._is_prepared = True

    def _load(self) -> None:
        from server_hook.attribution import tags
        from server_hook.attribution.peers import Peers
        from server_hook.attribution.serving import Serving

        recorder = process_state().recorder
        folders = [recorder.data_folder, os.path.dirname(recorder.settings.data_file)] if recorder is not None else []
        serving = Serving(Peers(folders), _new_lock)
        serving.engine = self._engine_for(serving.lock)
        self._tags, self.serving = tags, serving

    def _engine_for(self, lock: Any) -> ByMonitoring | ByTracer | None:  # noqa: ANN401 - a _thread.RLock
        core = coverage_private.core_in_use(self._cov)
        if sys.version_info >= (3, 12):
            if core == "sysmon" and self._cov.get_option("run:branch"):
                from server_hook.attribution.branching import ByBranches

                return ByBranches(self._path_of, self._arc_of, lock)
            from server_hook.attribution.monitoring import ByMonitoring

            return ByMonitoring(self._path_of, lock)
        if core == "ctrace":
            from server_hook.attribution.swapping import ByTracer

            return ByTracer(self._cov, lock)
        self.reason = f"core {core} cannot tell tests apart before Python 3.12"
        return None

    def is_nobodys(self) -> bool:
        """Tell, at the least cost, whether a request that names no test is nobody's; False where it needs a look."""
        serving = self.serving
        if serving is None or self.bounds is not None:
            return False
        return steady() < serving.nobodys_until and not self._tags.TEST.get()

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
            if not baggage:
                if self.is_nobodys():
                    return None
            elif len(baggage) == 1 and (again := self.begin_again(baggage[0])) is not None:
                return again
            self.prepare()
            serving = self.serving
            test = serving.test_of(baggage, ends, ends_of) if serving is not None else ""
            if self.bounds is not None:
                self.bounds.answer(test)
            if serving is not None and (test or self._tags.TEST.get()):
                return self._tags.Request(test)  # type: ignore[no-any-return]
        except Exception as error:  # noqa: BLE001 - a request must not fail for us
            self._disturbed(error)
        return None

    def begin_again(self, header: str) -> Request | None:
        """Notice that a request begins as another one has a moment ago; None where that needs a look; never raise.

        It is the usual case, so it makes few calls: below Python 3.12 each is traced.

        Args:
            header: the value of the only one named ``baggage``.
        """
        serving = self.serving
        if serving is None or self.bounds is not None or (test := serving.lately.get(header)) is None:
            return None
        try:
            moment = steady()
            if moment >= serving.look_due:
                return None
            with serving.lock:
                test.requests += 1
                serving.counts.tagged += 1
            test.heard_at = moment
            return self._tags.Request(test.name)  # type: ignore[no-any-return]
        except Exception as error:  # noqa: BLE001 - a request must not fail for us
            self._disturbed(error)
            return None

    def end_request(self, request: Request | None) -> None:
        """Notice that a request is answered, in the context in which it began; never raise."""
        if request is not None and (serving := self.serving) is not None:
            try:
                if request.is_open and (test := serving.tests.get(request.test)) is not None:
                    with serving.lock:
                        test.requests -= 1
                request.end()
            except Exception as error:  # noqa: BLE001 - a request must not fail for us
                self._disturbed(error)

    def account(self) -> dict[str, Any]:
        """Return what this process says of its requests in answers, and in its record."""
        counts = self.serving.counts if self.serving is not None else None
        told = counts.tagged + counts.by_process if counts is not None else 0
        nobodys, several = (counts.nobodys, counts.nobodys_among_several) if counts is not None else (0, 0)
        return {"told": told, "nobodys": nobodys, "among_several": several, "not_told": self.reason}

    def resume(self, frame: FrameType | None) -> None:
        """Notice that the test has changed under running frames, from the innermost on; never raise."""
        if (engine := self._engine) is not None:
            try:
                engine.resume(frame)
            except Exception as error:  # noqa: BLE001 - it is called inside the application's queues
                self._disturbed(error)

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add what each test's work has run since the last drain, beside what coverage.py measures.

        Args:
            add: takes a test, the path of a source file, and the lines or arcs of it.
        """
        if self.serving is not None and self.serving.engine is not None:
            self.serving.end_those_over()
            self.serving.engine.drain(add)

    def live_sets(self) -> list[tuple[str, LiveSets]]:
        """Return the live sets that are filled in place of coverage.py's own, each with its test or nobody's."""
        return engine.live_sets() if (engine := self._engine) is not None else []

    def see_all_again(self) -> None:
        """Let every line be new again for every test."""
        if (engine := self._engine) is not None:
            engine.see_all_again()

    def forget_file(self, path: str) -> None:
        """Leave out what tests have run of a file that is loaded again; call it after a cut."""
        if (engine := self._engine) is not None:
            engine.forget_file(path)

    def close(self) -> None:
        """Tell tests apart no longer."""
        if self.serving is not None:
            self.serving.close()

    def end_all(self) -> None:
        """Begin with nobody's again, in a child that was forked with the Coverage that measures it."""
        self._lock = _new_lock()  # a thread that held the old one is not here to release it
        if self.serving is not None:
            self.serving.end_all()

    @property
    def _engine(self) -> ByMonitoring | ByTracer | None:
        return self.serving.engine if self.serving is not None else None

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
