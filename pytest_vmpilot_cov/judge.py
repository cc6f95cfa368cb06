"""Combined, figures and options -> verdict. Nothing is read, written or printed here."""

from __future__ import annotations

import os

from coverage.results import should_fail_under

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Check, Figures, Options, Verdict


def judge(figures: Figures, options: Options) -> Verdict:
    """Judge the figures by the threshold and the required origins; coverage.py's own rule decides the threshold."""
    checks = [_required(origin, figures) for origin in sorted(options.require)]
    warnings: list[str] = []
    threshold = options.fail_under.value
    if figures.problem:
        _note(say("cannot-count", why=figures.problem), threshold, checks, warnings)
    elif not figures.total.reached:
        _note(say("nothing-measured", source=_short(options)), threshold, checks, warnings)
    elif threshold is not None:
        checks.append(_total(figures.total.percent, threshold, options.precision))
    checks.sort(key=lambda check: not check.passed)  # what failed is said last
    return Verdict(tuple(checks), tuple(warnings), figures.total.percent)


def _required(origin: str, figures: Figures) -> Check:
    reached = sum(row.reached for row in figures.rows if row.origin == origin)
    return Check(f"require {origin}", bool(reached), "" if reached else say("origin-required", origin=origin))


def _total(percent: float, threshold: float, precision: int) -> Check:
    """Compare as coverage.py does, and say it in the words of pytest-cov that scripts look for."""
    failed = bool(should_fail_under(percent, threshold, precision))
    shown = next((text for digits in (2, 4, 8) if float(text := f"{percent:.{digits}f}") < threshold), f"{percent:.2f}")
    text = (
        f"{'FAIL ' if failed else ''}Required test coverage of {threshold:g}% "
        f"{'not reached' if failed else 'reached'}. Total coverage: {shown if failed else f'{percent:.2f}'}%"
    )
    return Check("total", not failed, text)


def _note(text: str, threshold: float | None, checks: list[Check], warnings: list[str]) -> None:
    """With a threshold in force, nothing to compare with is a failure; without one it is a warning."""
    if threshold is None:
        warnings.append(text)
    else:
        checks.append(Check("total", passed=False, text=f"FAIL {text}"))


def _short(options: Options) -> str:
    sources = options.settings.source or options.settings.include
    return ", ".join(os.path.relpath(name, options.root) if os.sep in name else name for name in sources)
