"""Tell tests apart below Python 3.12: coverage.py's C tracer fills live sets of a test's own while its work runs.

What a test has run is in its sets alone until the next cut, which counts it for the test and for all. So the sets of a
test that is over are kept until no frame can fill them any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from coverage import Coverage

from server_hook import coverage_private
from server_hook.attribution.tags import TEST
from server_hook.coverage_private import LiveSets
from server_hook.store.segment import Measured

_UNUSED = 2
"""How many references to a set there are that only its file's entry and the call that counts them have."""


class ByTracer:
    """Tells tests apart where coverage.py's core is ctrace."""

    def __init__(self, cov: Coverage, lock: Any) -> None:  # noqa: ANN401 - a _thread.RLock
        """Prepare; the tracer is left as it is before the first test, and after the last one.

        Args:
            cov: the Coverage that measures this process.
            lock: is held while tests begin and end.
        """
        self.lock = lock
        self._cov = cov
        self._sets: dict[str, LiveSets] = {}
        self._over: list[LiveSets] = []
        self._end_swapping: Callable[[], None] | None = None

    def begin(self, test: str) -> None:
        """Tell the work of a test apart from now on.

        Raises:
            UnsupportedError: when this coverage.py does not allow it.
        """
        with self.lock:
            self._sets.setdefault(test, {})
            if self._end_swapping is None:
                self._end_swapping = coverage_private.swap_sets(self._cov, self._sets, TEST)

    def end(self, test: str) -> None:
        """Count nothing more for a test."""
        with self.lock:
            sets = self._sets.pop(test, None)
            if sets:
                self._over.append(sets)
            if not self._sets and self._end_swapping is not None:
                self._end_swapping()
                self._end_swapping = None

    def resume(self, frame: FrameType | None) -> None:
        """Notice that the test has changed while these frames run."""

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add nothing: it is all in the live sets."""

    def live_sets(self) -> list[tuple[str, LiveSets]]:
        """Return the live sets of each test, and nobody's: those of tests that are over."""
        with self.lock:
            self._over = [sets for sets in self._over if _may_be_filled(sets)]
            return [*self._sets.items(), *(("", sets) for sets in self._over)]

    def see_all_again(self) -> None:
        """Do nothing: the tracer sees each line each time."""

    def forget_file(self, path: str) -> None:
        """Do nothing: the cut has emptied the sets."""

    def close(self) -> None:
        """Leave the tracer as it was."""
        for test in list(self._sets):
            self.end(test)


def _may_be_filled(sets: LiveSets) -> bool:
    """Tell whether there is something in live sets, or a frame of the tracer's has one of them."""
    return any(recorded or sys.getrefcount(recorded) > _UNUSED + 1 for recorded in sets.values())
