"""The cut: copy what the live sets hold into parts, and take exactly what was copied out of them.

In this order, and each step by itself: other threads record meanwhile, and a signal handler may come between any two
steps. Every line is in one place at least at every moment; a line that is in two is counted once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

from server_hook import coverage_private
from server_hook.arcs import Arcs
from server_hook.attribution.attribution import Attribution
from server_hook.clock import now
from server_hook.coverage_private import WatchedCoverage
from server_hook.record.others import Others
from server_hook.store import segment
from server_hook.store.fingerprint import UNVERIFIED, fingerprint
from server_hook.store.segment import Label, Part, Source

if TYPE_CHECKING:
    from server_hook.attribution.bounds import Bounds

MOST_TESTS = 1000
"""Of how many tests is kept what was cut, to write it again if it is gone: a server may live for weeks."""
Seen: TypeAlias = dict[str, Any]
"""What was cut of each file: a bitmap of lines, or a set of arcs as the tracer keeps them, or as we do for tests."""


class Drain:
    """What one Coverage has measured and is not written yet, part by part."""

    def __init__(self, cov: WatchedCoverage, label: Label, *, branch: bool) -> None:
        """Prepare to cut.

        Args:
            cov: the Coverage that fills the live sets.
            label: what its lines count for at first.
            branch: whether it measures arcs.
        """
        self.label = label
        self.lines = 0
        """How many lines or arcs were ever cut."""
        self.others = Others(cov)
        self.attribution = Attribution(cov)
        self._cov = cov
        self._branch = branch
        self._parts: dict[tuple[Label, float], Part] = {}
        """What waits to be written, by label and epoch."""
        self._epoch = 0.0
        self._seen: dict[Label, Seen] = {}
        self._seen_earlier: dict[Label, Seen] = {}
        self._seen_of_others: dict[Label, dict[str, segment.Measured]] = {}
        self._seen_of_tests: dict[Label, Seen] = {}
        self._tests_earlier: dict[Label, Seen] = {}
        self._fingerprints: dict[str, str] = {}
        self._names: set[str] = set()
        self._begun = now()

    def of_child(self, cov: WatchedCoverage) -> Drain:
        """Return that of a forked child: it counts for the same label, and has from its parent what that has loaded.

        Args:
            cov: the Coverage that measures the child.
        """
        child = Drain(cov, self.label, branch=self._branch)
        bounds = self.attribution.bounds
        if self.label.context and bounds is None:  # a test process is told of each next test, a child of it is not
            from server_hook.attribution.bounds import bounds_of

            bounds = bounds_of(os.environ)
        if cov is self._cov:
            child.attribution = self.attribution
            child.attribution.end_all()
        else:
            self.attribution.close()  # what it has armed was inherited, too
        child.work_for_test(bounds)
        child._fingerprints.update(self._fingerprints)
        child._names.update(self._names)
        return child

    def work_for_test(self, bounds: Bounds | None) -> None:
        """Count what runs from now on for the test that has started this process, while that runs.

        Args:
            bounds: until when; None for a process that no test has started.
        """
        self.attribution.bounds = bounds
        self.label = self.label._replace(context=bounds.test if bounds is not None else "")

    def add_source(self, path: str) -> None:
        """Take the fingerprint of a source file that runs for the first time."""
        # the content that was loaded, not a later one
        self._fingerprints.setdefault(path, fingerprint(path) or UNVERIFIED)
        self._names.add(os.path.basename(path))

    def may_have_seen(self, path: str) -> bool:
        """Tell, without a look at each folder on the way, whether a file that is loaded may be one that was met."""
        return os.path.basename(path) in self._names or os.path.islink(path)

    def source_reloaded(self, path: str) -> None:
        """Begin a new set for a file that is loaded again with another content; what was cut becomes stale."""
        path = os.path.realpath(path)  # loaded through a link, measured under its own name
        mark_before = self._fingerprints.get(path)
        if mark_before is None or (mark := fingerprint(path) or UNVERIFIED) == mark_before:
            return
        self.cut()  # the live lines still belong to the content of before
        self._fingerprints[path] = mark
        self.attribution.forget_file(path)
        for seen in (*self._seen.values(), *self._seen_earlier.values(), *self._seen_of_tests.values()):
            seen.pop(path, None)  # or line 7 of the new content would pass for written

    def begin_epoch(self, moment: float) -> None:
        """Begin anew: what was cut so far belongs to an earlier epoch, and every line is new again."""
        self.cut()
        for now_seen, seen_earlier in (self._seen, self._seen_earlier), (self._seen_of_tests, self._tests_earlier):
            for label, seen in now_seen.items():
                earlier = seen_earlier.setdefault(label, {})  # requeue_all may have to write it again
                for path, recorded in seen.items():
                    earlier[path] = earlier[path] | recorded if path in earlier else recorded
        _forget_oldest(self._tests_earlier)
        self._seen, self._seen_of_others, self._seen_of_tests = {}, {}, {}
        self.attribution.see_all_again()
        self._epoch = moment
        self._open_part(moment)  # written even if it stays empty: that is how a reader learns of the reset

    def cut(self) -> list[Part]:
        """Cut; return all parts that wait to be written."""
        bounds = self.attribution.bounds
        if bounds is not None and not bounds.hold():  # nobody knows when since the last cut the test ended
            self.attribution.bounds, self.label = None, Label(self.label.origin)
        self.others.drain(self.add)
        for test, live in (("", coverage_private.live_sets(self._cov)), *self.attribution.live_sets()):
            # a copy, made in one step: other threads add files while this one walks
            filled = [(path, recorded) for path, recorded in live.copy().items() if recorded]
            if filled:
                self._add(filled, test)
        self.attribution.drain(self.add_of_test)
        return [part for part in self._parts.values() if part.files or part.begun == part.epoch]

    def add(self, path: str, measured: segment.Measured) -> None:
        """Add what another coverage.py has measured of a source file."""
        if self.label.dropped:
            return
        measured = measured if self._branch else segment.to_lines(measured)  # the other one may measure branches
        seen = self._seen_of_others.setdefault(self.label, {})
        united = segment.join(seen[path], measured) if path in seen else measured
        if united != seen.get(path):  # what was given back is drained a second time
            self.add_source(path)
            part = self._open_part(now())
            part.add(self._source(path), measured)
            part.ended = now()
            seen[path] = united

    def add_of_test(self, test: str, path: str, measured: segment.Measured) -> None:
        """Add what the work of one test has run of a source file, beside what all have."""
        if self.label.dropped:
            return
        label = Label(self.label.origin, test)
        seen = self._seen_of_tests.setdefault(label, {})
        _forget_oldest(self._seen_of_tests)
        new: Any = segment.to_arcs(measured) if self._branch else measured
        before = seen.get(path)
        if before:
            new = new - before if self._branch else new & ~before
        if new:
            part = self._open_part(now(), label)
            part.add(self._source(path), new)
            part.ended = now()
            seen[path] = before | new if before else new

    def close(self) -> None:
        """Leave other coverage.pys and the tests alone."""
        self.others.close()
        self.attribution.close()

    def left_out(self) -> list[str]:
        """List the sources of which lines may be missing, because another coverage.py measured and left them out."""
        return self.others.leave_out(self._fingerprints)

    def mark_written(self, parts: list[Part]) -> None:
        """Forget parts that are on disk now."""
        for part in parts:
            self._parts.pop((part.label, part.epoch), None)  # a signal handler may have written it just now

    def requeue_all(self) -> None:
        """Queue all that was ever cut to be written again: what was written is gone."""
        self._parts, self._seen_of_others = {}, {}
        earlier, current = (self._seen_earlier, self._tests_earlier), (self._seen, self._seen_of_tests)
        for epoch, by_label in (*((0.0, each) for each in earlier), *((self._epoch, each) for each in current)):
            for label, seen in by_label.items():
                made = Part(label, epoch or self._begun, now(), epoch=epoch)
                part = self._parts.setdefault((label, epoch), made)
                for path, recorded in seen.items():
                    part.add(self._source(path), self._understand(recorded))

    def _add(self, filled: list[tuple[str, set[Any]]], test: str = "") -> None:
        if self.label.dropped:
            for _, recorded in filled:
                recorded.clear()
            return
        part = self._open_part(now())
        seen = self._seen.setdefault(self.label, {})
        for path, recorded in filled:
            copied = recorded.copy()
            new: Any = copied if self._branch else segment.bitmap(copied)
            if test:
                self.add_of_test(test, path, self._understand(new))
            before = seen.get(path)
            if before:
                new = new - before if self._branch else new & ~before
            if new:  # first into the part: a signal handler in between must not take it for cut
                part.add(self._source(path), self._understand(new))
                self.lines += len(new) if self._branch else new.bit_count()
                seen[path] = before | new if before else new
            recorded.difference_update(copied)  # clear() would lose what was recorded since the copy
        part.ended = now()

    def _understand(self, recorded: Any) -> segment.Measured:  # noqa: ANN401 - see Seen
        if isinstance(recorded, int | Arcs):
            return recorded
        return coverage_private.unpack_arcs(self._cov, recorded)

    def _source(self, path: str) -> Source:
        return Source(path, self._fingerprints.get(path, ""), coverage_private.file_tracers(self._cov).get(path, ""))

    def _open_part(self, moment: float, label: Label | None = None) -> Part:
        label = label or self.label
        return self._parts.setdefault((label, self._epoch), Part(label, moment, moment, epoch=self._epoch))


def _forget_oldest(tests: dict[Label, Seen]) -> None:
    if len(tests) > MOST_TESTS:
        for label in list(tests)[:-MOST_TESTS]:
            tests.pop(label, None)  # one that still runs is written anew, which changes nothing
