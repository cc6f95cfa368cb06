from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.judge.judge import judge, required_origins
from pytest_vmpilot_cov.model import Check, Figures, Row, Tally, Threshold, Verdict
from tests.unit.conftest import some_options

ROOT = Path("/project")


def figures_of(
    percent: float, *, reached: int = 90, origins: tuple[str, ...] = ("unit",), problem: str = ""
) -> Figures:
    """Make figures with one total, and with rows of origins that reached something."""
    rows = tuple(Row(origin, 1, 100, reached, percent, 0) for origin in origins)
    return Figures(rows, Row("combined", 1, 100, reached, percent, 0), {}, problem)


@pytest.mark.parametrize(
    ("percent", "threshold", "precision", "expected"),
    [
        (90.0, 75.0, 0, True),
        (75.0, 75.0, 0, True),
        (74.51, 75.0, 0, True),  # rounds to 75
        (74.5, 75.0, 0, False),  # rounds to the even 74
        (74.49, 75.0, 0, False),
        (74.51, 75.0, 1, False),
        (74.96, 75.0, 1, True),
        (74.94, 75.0, 1, False),
        (74.996, 75.0, 2, True),
        (74.994, 75.0, 2, False),
        (75.4, 75.5, 0, False),  # rounds to 75
        (75.6, 75.5, 0, True),  # rounds to 76
        (100.0, 100.0, 0, True),
        (99.99, 100.0, 0, False),  # 100 must be 100
        (99.999, 100.0, 2, False),
        (99.6, 99.0, 0, True),
    ],
)
def test_the_threshold_is_decided_by_coverages_rule(
    percent: float, threshold: float, precision: int, *, expected: bool
) -> None:
    """A total passes when it is not below the threshold after rounding to the precision; 100 must be 100."""
    options = some_options(ROOT, fail_under=threshold, precision=precision)
    assert expected == judge(figures_of(percent), options).passed


@pytest.mark.parametrize(
    ("percent", "threshold", "passed", "expected"),
    [
        (90.0, 75.0, True, "Required test coverage of 75% reached. Total coverage: 90.00%"),
        (70.0, 75.0, False, "FAIL Required test coverage of 75% not reached. Total coverage: 70.00%"),
        (74.51, 75.0, True, "Required test coverage of 75% reached. Total coverage: 74.51%"),
        (80.125, 80.5, False, "FAIL Required test coverage of 80.5% not reached. Total coverage: 80.12%"),
    ],
)
def test_the_verdict_is_said_as_it_was_decided(
    percent: float, threshold: float, expected: str, *, passed: bool
) -> None:
    """The words that scripts look for say the threshold, the total, and what was decided."""
    verdict = judge(figures_of(percent), some_options(ROOT, fail_under=threshold))
    assert Verdict((Check("total", passed, expected, threshold, percent),), (), percent) == verdict


@pytest.mark.parametrize(("percent", "threshold", "precision"), [(99.999, 100.0, 0), (74.9996, 75.0, 4)])
def test_a_total_that_fails_is_not_printed_as_reached(percent: float, threshold: float, precision: int) -> None:
    """A total that two digits show as its threshold is said to be below it; the line itself is pytest-cov's."""
    verdict = judge(figures_of(percent), some_options(ROOT, fail_under=threshold, precision=precision))
    assert verdict.checks[0].text.endswith(f"{threshold:g}% not reached. Total coverage: {threshold:.2f}%")
    text = f"the total is {percent:.4f}%, which is less than the required {threshold:g}% (total-rounded)"
    assert verdict.warnings == (text,)


def test_without_a_threshold_every_total_passes() -> None:
    """Without a threshold there is nothing to check and nothing to warn of."""
    assert Verdict((), (), 3.0) == judge(figures_of(3.0), some_options(ROOT))


def test_nothing_measured_fails_a_threshold() -> None:
    """With a threshold in force, nothing measured is a failure that names the source, never 100 percent."""
    options = some_options(ROOT, fail_under=1.0, source=("/project/src/app", "package"))
    text = "FAIL nothing was measured: no statement of src/app, package was executed (nothing-measured)"
    assert Verdict((Check("total", passed=False, text=text, required=1.0),), (), 100.0) == judge(
        figures_of(100.0, reached=0, origins=()), options
    )


@pytest.mark.parametrize(("thresholds", "passed"), [((), True), ((Threshold("each", 1.0, "x"),), False)])
def test_files_without_a_statement_are_whole(thresholds: tuple[Threshold, ...], *, passed: bool) -> None:
    """A project of empty files reaches any total, as with coverage.py, but no threshold that compares files."""
    empty = Figures((), Row("combined", 0, 0, 0, 100.0, 0), {}, tallies={"/project/a.py": {"combined": Tally()}})
    options = replace(some_options(ROOT, fail_under=100.0), thresholds=thresholds)
    assert judge(empty, options).passed is passed


def test_nothing_measured_is_a_warning_without_a_threshold() -> None:
    """Without a threshold, nothing measured passes and is warned of, by the patterns where there is no source."""
    options = some_options(ROOT, source=(), include=("/project/app/*.py",))
    text = "nothing was measured: no statement of app/*.py was executed (nothing-measured)"
    assert Verdict((), (text,), 0.0) == judge(figures_of(0.0, reached=0, origins=()), options)


def test_what_cannot_be_counted_fails_a_threshold() -> None:
    """Where coverage.py could not count, a threshold is not reached, and the reason is said."""
    text = "FAIL coverage.py could not count: no plugin (cannot-count)"
    verdict = judge(figures_of(100.0, problem="no plugin"), some_options(ROOT, fail_under=50))
    assert Verdict((Check("total", passed=False, text=text, required=50.0),), (), 100.0) == verdict


def test_what_cannot_be_counted_is_a_warning_without_a_threshold() -> None:
    """Where coverage.py could not count and nothing depends on it, the reason is a warning."""
    text = "coverage.py could not count: no plugin (cannot-count)"
    assert Verdict((), (text,), 0.0) == judge(figures_of(0.0, problem="no plugin"), some_options(ROOT))


def test_required_origins_are_checked_each() -> None:
    """Each required origin is a check of its own; one without an executed line fails the verdict, and is said last."""
    options = some_options(ROOT, fail_under=75.0, require=["pipeline", "unit"])
    text = "no executed line came from pipeline, which --vmpilot-cov-require asks for (origin-required)"
    total = "Required test coverage of 75% reached. Total coverage: 90.00%"
    checks = (
        Check("require unit", passed=True, text=""),
        Check("total", passed=True, text=total, required=75.0, actual=90.0),
        Check("require pipeline", passed=False, text=text),
    )
    figures = figures_of(90.0)
    verdict = judge(figures, options, list(required_origins(figures, options)))
    assert Verdict(checks, (), 90.0) == verdict
    assert not verdict.passed


def test_an_origin_that_executed_nothing_is_missing() -> None:
    """An origin that has data but reached no statement does not satisfy what is required."""
    figures = figures_of(0.0, reached=0, origins=("pipeline",))
    (check,) = required_origins(figures, some_options(ROOT, require=["pipeline"]))
    assert not check.passed
