"""Combined, figures and options -> verdict. Nothing is read, written or printed here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from coverage.results import should_fail_under

from pytest_vmpilot_cov.coverage_private import file_matcher
from pytest_vmpilot_cov.messages import first_of, say, shown_path
from pytest_vmpilot_cov.model import Check, Figures, LeftOut, Options, Tally, Threshold, Verdict

MOST_FILES = 10
"""How many files below the threshold of each file are named, one a line, the worst first."""


def judge(figures: Figures, options: Options, beside: Sequence[Check] = ()) -> Verdict:
    """Judge the figures by the thresholds; coverage.py's own rule decides each of them.

    Args:
        figures: what was reached.
        options: the thresholds, and how precisely percentages are compared.
        beside: the checks that others have made; all have to pass.
    """
    if figures.problem:
        return _nothing_to_judge(say("cannot-count", why=figures.problem), figures, options, beside)
    if not figures.total.reached:
        return _nothing_to_judge(say("nothing-measured", source=_short(options)), figures, options, beside)
    checks = [*beside, *(_configured(each, figures, options) for each in options.thresholds)]
    if options.fail_under.value is not None:
        checks.append(_total(figures, options.fail_under.value, options))
    return Verdict(_failed_last(checks), (), figures.total.percent, options.not_enforced)


def _nothing_to_judge(why: str, figures: Figures, options: Options, beside: Sequence[Check]) -> Verdict:
    """Fail where a threshold has nothing to be compared with; without any, warn."""
    threshold, percent = options.fail_under.value, figures.total.percent
    if threshold is None and not options.thresholds:
        return Verdict(_failed_last(beside), (why,), percent, options.not_enforced)
    total = Check("total", passed=False, text=f"FAIL {why}", required=threshold)
    return Verdict(_failed_last([*beside, total]), (), percent, options.not_enforced)


def _failed_last(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Put failed checks last, where they are read."""
    return tuple(sorted(checks, key=lambda check: not check.passed))


def required_origins(figures: Figures, options: Options) -> Iterator[Check]:
    """Check that each origin that has to be there has reached something."""
    for origin in sorted(options.require):
        reached = sum(row.reached for row in figures.rows if row.origin == origin)
        text = "" if reached else say("origin-required", origin=origin)
        yield Check(f"require {origin}", bool(reached), text)


def stale_files(stale: Sequence[LeftOut], options: Options) -> Iterator[Check]:
    """Fail where data is older than its source, and ``stale = fail`` asks for that."""
    if options.stale == "fail" and stale:
        files = sorted({_named(left.path, options) for left in stale})
        yield Check("stale", passed=False, text=f"FAIL {say('stale-data', files=first_of(files))}")


def _total(figures: Figures, threshold: float, options: Options) -> Check:
    """Compare as coverage.py does, and say it in the words of pytest-cov that scripts look for."""
    percent = figures.total.percent
    failed = _is_below(percent, threshold, options)
    text = (
        f"{'FAIL ' if failed else ''}Required test coverage of {threshold:g}% "
        f"{'not reached' if failed else 'reached'}. Total coverage: {_shown(percent, threshold, failed=failed)}"
    )
    file = _most_to_gain(_tallies(figures, "combined"))
    return Check("total", not failed, text, threshold, percent, _named(file, options))


def _configured(threshold: Threshold, figures: Figures, options: Options) -> Check:
    """Check one threshold of ``[vmpilot_cov:fail_under]``."""
    name, required = threshold.name, f"{threshold.required:g}%"
    if threshold.pattern:
        matches = file_matcher(threshold.pattern)
        matching = {path: tally for path, tally in _tallies(figures, "combined").items() if matches(path)}
        nothing = say("pattern-without-files", required=required, pattern=name)
        return _sum(threshold, f"of {name}", matching, nothing, options)
    if name == "each":
        return _each(threshold, _tallies(figures, "combined"), options)
    nothing = say("origin-without-data", required=required, origin=name)
    return _sum(threshold, f"by {name}", _tallies(figures, name), nothing, options)


def _sum(threshold: Threshold, whose: str, tallies: Mapping[str, Tally], nothing: str, options: Options) -> Check:
    """Check what some files reach together; *nothing* is what to say where there is none."""
    if not tallies:
        return Check(threshold.name, passed=False, text=f"FAIL {nothing}", required=threshold.required)
    percent = sum(tallies.values(), Tally()).percent
    failed = _is_below(percent, threshold.required, options)
    file = _most_to_gain(tallies)
    shown = _shown(percent, threshold.required, failed=failed)
    text = (
        f"FAIL Required coverage of {threshold.required:g}% {whose} not reached: {shown}{_gain(file, tallies, options)}"
        if failed
        else f"Required coverage of {threshold.required:g}% {whose} reached: {shown}"
    )
    return Check(threshold.name, not failed, text, threshold.required, percent, _named(file, options))


def _each(threshold: Threshold, tallies: Mapping[str, Tally], options: Options) -> Check:
    """Check every file by itself; one check says which of them are below."""
    required = threshold.required
    below = {path: tally for path, tally in tallies.items() if _is_below(tally.percent, required, options)}
    lowest = min(tally.percent for tally in tallies.values())
    file = _most_to_gain(below or tallies)
    if below:
        worst = sorted(below, key=lambda path: (below[path].percent, path))
        details = [f"{_shown(below[path].percent, required)} in {_named(path, options)}" for path in worst[:MOST_FILES]]
        if len(worst) > MOST_FILES:
            details.append(f"and {len(worst) - MOST_FILES} more")
        text = f"FAIL Required coverage of {required:g}% of each file not reached by {len(below)} of {len(tallies)}"
        text += _gain(file, below, options)
    else:
        details = []
        text = f"Required coverage of {required:g}% of each file reached: the lowest has {_shown(lowest, required)}"
    return Check(threshold.name, not below, text, required, lowest, _named(file, options), tuple(details))


def _tallies(figures: Figures, origin: str) -> dict[str, Tally]:
    """Return what one origin, or all together, reached in each file that has statements."""
    return {path: by[origin] for path, by in figures.tallies.items() if origin in by and by[origin].statements}


def _is_below(percent: float, threshold: float, options: Options) -> bool:
    return bool(should_fail_under(percent, threshold, options.precision))


def _shown(percent: float, threshold: float, *, failed: bool = True) -> str:
    """Show a percentage with two digits, or with as many as it takes to show that it is below its threshold."""
    texts = (f"{percent:.{digits}f}" for digits in (2, 4, 8))
    below = next((text for text in texts if float(text) < threshold), None)
    return f"{below if failed and below else f'{percent:.2f}'}%"


def _most_to_gain(tallies: Mapping[str, Tally]) -> str:
    """Name the file whose missing statements and branches would raise the figure most; empty if none is missing."""
    file = max(sorted(tallies), key=lambda path: tallies[path].to_gain, default="")
    return file if file and tallies[file].to_gain else ""


def _gain(file: str, tallies: Mapping[str, Tally], options: Options) -> str:
    there = tallies[file]
    missing = f"{there.missing} of {there.statements} statements"
    if there.branches:
        missing += f" and {there.missing_branches} of {there.branches} branches"
    return f"; most to gain in {_named(file, options)} ({missing} missing)"


def _named(file: str, options: Options) -> str:
    return shown_path(file, options.root) if file else ""


def _short(options: Options) -> str:
    sources = options.settings.source or options.settings.include
    return ", ".join(os.path.relpath(name, options.root) if os.sep in name else name for name in sources)
