"""Combined, figures and options -> verdict. Nothing is read, written or printed here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from coverage.results import should_fail_under

from pytest_vmpilot_cov.coverage_private import file_matcher
from pytest_vmpilot_cov.judge.baseline import compare
from pytest_vmpilot_cov.judge.words import gain, most_to_gain, named, shown
from pytest_vmpilot_cov.messages import first_of, say
from pytest_vmpilot_cov.model import Baseline, Check, Figures, LeftOut, Options, Tally, Threshold, Verdict

MOST_FILES = 10
"""How many files below the threshold of each file are named, one a line, the worst first."""


NO_BASELINE = Baseline()


def judge(
    figures: Figures, options: Options, beside: Sequence[Check] = (), baseline: Baseline = NO_BASELINE
) -> Verdict:
    """Judge the figures by the thresholds; coverage.py's own rule decides each of them.

    Args:
        figures: what was reached.
        options: the thresholds, and how precisely percentages are compared.
        beside: checks made elsewhere, by hooks; all of them have to pass too.
        baseline: what was reached earlier, for thresholds that compare with it.
    """
    if figures.problem:
        return _nothing_to_judge(say("cannot-count", why=figures.problem), figures, options, beside)
    # files without a statement, such as an empty __init__.py, are whole for coverage.py
    if not figures.total.reached and (figures.total.statements or options.thresholds or not figures.tallies):
        return _nothing_to_judge(say("nothing-measured", source=_short(options)), figures, options, beside)
    checks = [*beside, *(_configured(each, figures, options, baseline) for each in options.thresholds)]
    if options.fail_under.value is not None:
        checks.append(_total(figures, options.fail_under.value, options))
    warnings = (*_hidden_by_rounding(figures.total.percent, options), *_about_the_change(figures, checks))
    return Verdict(_failed_last(checks), warnings, figures.total.percent, options.not_enforced)


def _nothing_to_judge(why: str, figures: Figures, options: Options, beside: Sequence[Check]) -> Verdict:
    """Fail where a threshold has nothing to be compared with; without any, warn."""
    threshold, percent = options.fail_under.value, figures.total.percent
    if threshold is None and not options.thresholds:
        return Verdict(_failed_last(beside), (why,), percent, options.not_enforced)
    total = Check("total", passed=False, text=f"FAIL {why}", required=threshold)
    return Verdict(_failed_last([*beside, total]), (), percent, options.not_enforced)


def _failed_last(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Put failed checks last, where they are read."""
    # the sort is stable: passed and failed checks each keep their order
    return tuple(sorted(checks, key=lambda check: not check.passed))


def required_origins(figures: Figures, options: Options) -> Iterator[Check]:
    """Check that each origin that has to be there has reached something."""
    for origin in sorted(options.require):
        reached = sum(row.reached for row in figures.rows if row.origin == origin)
        text = "" if reached else say("origin-required", origin=origin)  # reports then print the name and "yes"
        yield Check(f"require {origin}", bool(reached), text)


def stale_files(stale: Sequence[LeftOut], options: Options) -> Iterator[Check]:
    """Fail where data is older than its source, and ``stale = fail`` asks for that."""
    if options.stale == "fail" and stale:
        files = sorted({named(left.path, options) for left in stale})
        yield Check("stale", passed=False, text=f"FAIL {say('stale-data', files=first_of(files))}")


def _total(figures: Figures, threshold: float, options: Options) -> Check:
    """Compare as coverage.py does, and say it in the words of pytest-cov that scripts look for."""
    percent = figures.total.percent
    failed = _is_below(percent, threshold, options)
    text = (
        f"{'FAIL ' if failed else ''}Required test coverage of {threshold:g}% "
        f"{'not reached' if failed else 'reached'}. Total coverage: {percent:.2f}%"
    )
    file = most_to_gain(_tallies(figures, "combined"))
    return Check("total", not failed, text, threshold, percent, named(file, options))


def _hidden_by_rounding(percent: float, options: Options) -> Iterator[str]:
    """Say that the total is below its threshold if pytest-cov's two digits don't show it."""
    required = options.fail_under.value
    if required is not None and _is_below(percent, required, options) and round(percent, 2) >= required:
        yield say("total-rounded", total=shown(percent, required), required=f"{required:g}%")


def _configured(threshold: Threshold, figures: Figures, options: Options, baseline: Baseline) -> Check:
    """Check one threshold of ``[vmpilot_cov:fail_under]``."""
    name, required = threshold.name, "the baseline" if threshold.baseline else f"{threshold.required:g}%"
    together = _tallies(figures, "combined")
    if name == "each":
        return _each(threshold, together, options)
    if name == "changed":
        return _changed(threshold, figures, options)
    if threshold.pattern:
        matches = file_matcher(threshold.pattern)
        whose, tallies = f" of {name}", {path: tally for path, tally in together.items() if matches(path)}
        nothing = say("pattern-without-files", required=required, pattern=name)
    elif name == "total":  # against the baseline; a percentage of the total has its own check
        whose, tallies, nothing = "", together, ""
    else:
        whose, tallies = f" by {name}", _tallies(figures, name)
        nothing = say("origin-without-data", required=required, origin=name)
    if not tallies:
        return Check(name, passed=False, text=f"FAIL {nothing}", required=threshold.required)
    if threshold.baseline:
        return compare(threshold, whose, tallies, baseline, options)
    return _sum(threshold, whose, tallies, options)


def _changed(threshold: Threshold, figures: Figures, options: Options) -> Check:
    """Check what was reached of the statements that the change added or touched."""
    change = figures.change
    if change is None or change.diff.problem:
        why = change.diff.problem if change else ""
        return Check(threshold.name, passed=False, text=f"FAIL {why}", required=threshold.required)
    if not change.files:
        text = f"Required coverage of {threshold.required:g}% of the change reached: it has no statement"
        return Check(threshold.name, passed=True, text=text, required=threshold.required)
    return _sum(threshold, " of the change", {path: each.tally for path, each in change.files.items()}, options)


def _about_the_change(figures: Figures, checks: Sequence[Check]) -> Iterator[str]:
    """Say what git could not tell, unless a check says so."""
    if figures.change:
        yield from figures.change.diff.notes
        if figures.change.diff.problem and not any(check.name == "changed" for check in checks):
            yield figures.change.diff.problem


def _sum(threshold: Threshold, whose: str, tallies: Mapping[str, Tally], options: Options) -> Check:
    """Check what some files reach together."""
    percent = sum(tallies.values(), Tally()).percent
    failed = _is_below(percent, threshold.required, options)
    file = most_to_gain(tallies)
    figure = shown(percent, threshold.required, failed=failed)
    text = (
        f"FAIL Required coverage of {threshold.required:g}%{whose} not reached: {figure}{gain(file, tallies, options)}"
        if failed
        else f"Required coverage of {threshold.required:g}%{whose} reached: {figure}"
    )
    return Check(threshold.name, not failed, text, threshold.required, percent, named(file, options))


def _each(threshold: Threshold, tallies: Mapping[str, Tally], options: Options) -> Check:
    """Check every file by itself; one check says which of them are below."""
    required = threshold.required
    below = {path: tally for path, tally in tallies.items() if _is_below(tally.percent, required, options)}
    # never empty: judge() has returned already if nothing was reached
    lowest = min(tally.percent for tally in tallies.values())
    # if every file passes, the check still names where the most is missing
    file = most_to_gain(below or tallies)
    if below:
        worst = sorted(below, key=lambda path: (below[path].percent, path))
        details = [f"{shown(below[path].percent, required)} in {named(path, options)}" for path in worst[:MOST_FILES]]
        if len(worst) > MOST_FILES:
            details.append(f"and {len(worst) - MOST_FILES} more")
        text = f"FAIL Required coverage of {required:g}% of each file not reached by {len(below)} of {len(tallies)}"
        text += gain(file, below, options)
    else:
        details = []
        text = f"Required coverage of {required:g}% of each file reached: the lowest has {shown(lowest, required)}"
    return Check(threshold.name, not below, text, required, lowest, named(file, options), tuple(details))


def _tallies(figures: Figures, origin: str) -> dict[str, Tally]:
    """Return what one origin, or all together, reached in each file that has statements."""
    # a file without statements has no percentage, and could neither pass nor fail
    return {path: by[origin] for path, by in figures.tallies.items() if origin in by and by[origin].statements}


def _is_below(percent: float, threshold: float, options: Options) -> bool:
    # it rounds: at precision 0, 74.51 passes 75 and 74.5 fails; but only a true 100 passes 100
    return bool(should_fail_under(percent, threshold, options.precision))


def _short(options: Options) -> str:
    sources = options.settings.source or options.settings.include
    return ", ".join(os.path.relpath(name, options.root) if os.sep in name else name for name in sources)
