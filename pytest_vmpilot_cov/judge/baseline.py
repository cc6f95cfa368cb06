"""Compare with the baseline: exactly, by counts, never by rounded percentages."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_vmpilot_cov.coverage_private import file_matcher
from pytest_vmpilot_cov.judge.words import named, shown
from pytest_vmpilot_cov.model import Baseline, Check, Options, Tally, Threshold
from pytest_vmpilot_cov.model.value import Value

MOST_FALLEN = 10
"""How many files that fell the line names, those that lost most first."""


class Share(Value):
    """How much of something was reached, in statements and branches."""

    reached: int = 0
    there: int = 0

    def __add__(self, other: Share) -> Share:
        """Take two together."""
        return Share(self.reached + other.reached, self.there + other.there)

    def is_below(self, other: Share) -> bool:
        """Tell whether less was reached of this than of the other, in proportion; of nothing, nothing is less."""
        return self.reached * other.there < other.reached * self.there

    @property
    def percent(self) -> float:
        """The percentage, 0 of nothing."""
        return 100.0 * self.reached / self.there if self.there else 0.0

    def __str__(self) -> str:
        """Say the counts."""
        return f"{self.reached} of {self.there}"


def compare(
    threshold: Threshold, whose: str, tallies: Mapping[str, Tally], baseline: Baseline, options: Options
) -> Check:
    """Check that what some files reach together is no less than it was.

    Args:
        threshold: which origin, pattern or total it is about.
        whose: the same in words.
        tallies: what these files reach now.
        baseline: what all files reached earlier.
        options: how files are named.
    """
    if baseline.problem:
        return Check(threshold.name, passed=False, text=f"FAIL {threshold.name}: {baseline.problem}")
    now = {path: Share(tally.there - tally.to_gain, tally.there) for path, tally in tallies.items()}
    before = _before(threshold, baseline)
    total, earlier = sum(now.values(), Share()), sum(before.values(), Share())
    fell = total.is_below(earlier)
    figures = f"{shown(total.percent, earlier.percent, failed=fell)} ({total}), was {earlier.percent:.2f}% ({earlier})"
    fallen = _fallen(now, before, total, earlier) if fell else []
    files = [_said(path, now.get(path), before.get(path), options) for path in fallen[:MOST_FALLEN]]
    more = [f"and {len(fallen) - MOST_FALLEN} more"] if len(fallen) > MOST_FALLEN else []
    text = (
        f"FAIL Coverage{whose} is below the baseline: {figures}; fell in {', '.join([*files, *more])}"
        if fell
        else f"Coverage{whose} is not below the baseline: {figures}"
    )
    file = named(fallen[0], options) if fallen else ""
    return Check(threshold.name, not fell, text, earlier.percent, total.percent, file)


def _before(threshold: Threshold, baseline: Baseline) -> dict[str, Share]:
    name = "combined" if threshold.pattern or threshold.name == "total" else threshold.name
    matches = file_matcher(threshold.pattern) if threshold.pattern else lambda _: True
    return {
        path: Share(baseline.reached[path].get(name, 0), there)
        for path, there in baseline.there.items()
        if matches(path)
    }


def _fallen(now: Mapping[str, Share], before: Mapping[str, Share], total: Share, earlier: Share) -> list[str]:
    """Name the files that lowered the figure: new and removed ones too. There is one at least."""

    def lost(path: str) -> int:
        mine, its = now.get(path, Share()), before.get(path, Share())
        return (mine.there - mine.reached) - (its.there - its.reached)

    def lowers(path: str) -> bool:
        if path not in before:
            return now[path].is_below(earlier)
        if path not in now:
            return total.is_below(before[path])
        return now[path].is_below(before[path])

    paths = now.keys() | before.keys()
    # where none fell by itself, those of little coverage have grown, or those of much have shrunk
    fallen = [path for path in paths if lowers(path)] or [path for path in paths if now.get(path) != before.get(path)]
    return sorted(fallen, key=lambda path: (-lost(path), path))


def _said(path: str, now: Share | None, before: Share | None, options: Options) -> str:
    is_now = "removed" if now is None else str(now)
    return f"{named(path, options)} ({is_now}, {'new' if before is None else f'was {before}'})"
