"""Another coverage.py that starts on top of ours: a plugin's, a test's, or the application's own.

It takes the tracer, and ours pauses until it stops. Meanwhile its live sets are drained in place of ours. Before it
looks into them itself it gets back all that was taken out of them, so that each of the two has every line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

from server_hook import coverage_private
from server_hook.record import collectors, tracers
from server_hook.store.segment import Measured, bitmap

if TYPE_CHECKING:
    from types import FrameType

    from coverage import Coverage
    from coverage.collector import Collector

    from server_hook.coverage_private import LiveSets, WatchedCoverage

Add: TypeAlias = Callable[[str, Measured], None]
"""Takes the path of a source file, and the lines or arcs of it that ran."""


class Others:
    """The collectors on top of one recorder's own, with what was taken out of the live sets of each."""

    def __init__(self, own: WatchedCoverage) -> None:
        """Begin with none.

        Args:
            own: the Coverage that they start on top of.
        """
        self._own = own
        self._taken: dict[Collector, tuple[LiveSets, LiveSets]] = {}
        """For each its live sets, and what was taken out of them."""
        self._ever: set[Coverage] = set()
        """Those that ever were on top."""

    def __len__(self) -> int:
        """Count those that measure now."""
        return len(self._taken)

    def add(
        self, collector: Collector, fenced: Callable[[], AbstractContextManager[None]], cut: Callable[[], object]
    ) -> None:
        """Drain a collector that has just started, until it stops.

        Args:
            collector: somebody else's.
            fenced: holds the recorder's lock, and lets no failure out into the other coverage.py.
            cut: cuts what the recorder has to cut, the live sets of others included.
        """

        def before_flush() -> None:
            with fenced():
                cut()
                self._give_back(collector)

        def before_stop() -> None:
            before_flush()
            self._taken.pop(collector, None)  # a cut from now on must not drain what it is about to save

        def after_stop() -> None:
            with fenced():
                if collectors.is_on_top(self._own):  # else another one is still above ours
                    cut()
                    tracers.enter_running_frames(self._own)  # functions that were entered while ours paused

        with fenced():
            cut()  # what ours has measured comes first
            if self._runs_source():  # coverage.py does not measure functions that run already when it starts
                tracers.enter_running_frames(collectors.coverage_of(collector))
            self._taken[collector] = coverage_private.live_sets_of(collector), {}
            self._ever.add(collectors.coverage_of(collector))
            collectors.watch_collector(collector, before_flush, before_stop, after_stop)

    def drain(self, add: Add) -> None:
        """Take what they have measured out of their live sets, and add what is of the source."""
        for collector in list(self._taken):
            live = coverage_private.live_sets_of(collector)
            if live is not self._taken[collector][0]:  # erased meanwhile: what was taken out is not to come back
                self._taken[collector] = live, {}
            taken = self._taken[collector][1]
            for path, recorded in list(live.items()):
                copied = recorded.copy()
                if copied:
                    taken.setdefault(path, set()).update(copied)  # first: each line is in one place at least
                    if coverage_private.asks_for(self._own, path):  # the other may measure more than our source
                        add(path, _understand(collector, copied))
                    recorded.difference_update(copied)

    def close(self) -> None:
        """Give all of them back what was taken, and drain them no longer."""
        for collector in list(self._taken):
            self._give_back(collector)
            collectors.unwatch_collector(collector)
        self._taken.clear()

    def leave_out(self, paths: Iterable[str]) -> list[str]:
        """List those of some source files that one of them does not measure: what ran of these meanwhile is lost."""
        return [path for path in paths if not all(coverage_private.asks_for(each, path) for each in self._ever)]

    def _runs_source(self) -> bool:
        """Tell whether a function of the source is running in this thread."""
        frame: FrameType | None = sys._getframe()
        while frame is not None and not coverage_private.asks_for(
            self._own, os.path.realpath(frame.f_code.co_filename)
        ):
            frame = frame.f_back
        return frame is not None

    def _give_back(self, collector: Collector) -> None:
        live, taken = self._taken.get(collector, ({}, {}))
        while taken and collector.data is live:  # else it was erased meanwhile
            path, lines = taken.popitem()
            live.setdefault(path, set()).update(lines)


def _understand(collector: Collector, recorded: set[Any]) -> Measured:
    return coverage_private.unpack_arcs_of(collector, recorded) if collector.branch else bitmap(recorded)
