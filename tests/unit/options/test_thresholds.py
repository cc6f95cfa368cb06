from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.judge.judge import judge
from pytest_vmpilot_cov.model import Check, Figures, Row, Tally
from tests.unit.conftest import some_options

ROOT = Path("/project")

TALLIES: dict[str, Mapping[str, Tally]] = {
    "/project/src/app/agent.py": {"combined": Tally(96, 20), "unit": Tally(96, 41), "e2e": Tally(96, 90)},
    "/project/src/app/tools/words.py": {"combined": Tally(40, 30), "unit": Tally(40, 35), "e2e": Tally(40, 35)},
    "/project/src/app/tools/deep/far.py": {"combined": Tally(10, 0), "unit": Tally(10, 0), "e2e": Tally(10, 10)},
    "/project/src/app/tools/__init__.py": {"combined": Tally(), "unit": Tally(), "e2e": Tally()},
    "/elsewhere/lib.py": {"combined": Tally(4, 4, 2, 2), "unit": Tally(4, 4, 2, 2), "e2e": Tally(4, 4, 2, 2)},
}
FIGURES = Figures(
    (Row("unit", 2, 150, 70, 46.1, 0), Row("e2e", 2, 150, 11, 7.2, 0)),
    Row("combined", 2, 150, 96, 63.2, 0),
    {},
    tallies=TALLIES,
)


def check(name: str, required: float, *, precision: int = 0, figures: Figures = FIGURES) -> Check:
    """Judge by one threshold."""
    (made,) = judge(figures, some_options(ROOT, thresholds={name: required}, precision=precision)).checks
    return made


def figures_of(tallies: Mapping[str, Tally]) -> Figures:
    """Make figures of files that unit tests reached."""
    return replace(FIGURES, tallies={path: {"combined": tally, "unit": tally} for path, tally in tallies.items()})


UNIT_MISSES = "60% by unit not reached: 46.05%; most to gain in src/app/agent.py (41 of 96 statements missing)"
E2E_MISSES = "7.5% by e2e not reached: 7.24%; most to gain in src/app/agent.py (90 of 96 statements missing)"


@pytest.mark.parametrize(
    ("name", "required", "reached", "text"),
    [
        ("unit", 46.0, 70, "Required coverage of 46% by unit reached: 46.05%"),
        ("unit", 60.0, 70, f"FAIL Required coverage of {UNIT_MISSES}"),
        ("e2e", 7.5, 11, f"FAIL Required coverage of {E2E_MISSES}"),
    ],
)
def test_an_origin_has_a_threshold_of_its_own(name: str, required: float, reached: int, text: str) -> None:
    """What one origin reached is compared, and the file that it left out most is named."""
    passed = not text.startswith("FAIL")
    expected = Check(name, passed, text, required, 100 * reached / 152, "src/app/agent.py")
    assert expected == check(name, required, precision=1)


def test_an_origin_without_data_fails_its_threshold() -> None:
    """An origin that delivered nothing has not reached what is required of it, and has no figure."""
    text = "FAIL Required coverage of 40% by pipeline not reached: pipeline has no data (origin-without-data)"
    assert Check("pipeline", passed=False, text=text, required=40.0) == check("pipeline", 40.0)


@pytest.mark.parametrize(
    ("pattern", "percent", "file"),
    [
        ("src/app/tools/*", 40.0, "src/app/tools/words.py"),  # the last /* takes all that lies below
        ("src/app/tools/*.py", 25.0, "src/app/tools/words.py"),  # * does not cross /
        ("src/app/*/*.py", 25.0, "src/app/tools/words.py"),
        ("src/**/*.py", 100 * 96 / 146, "src/app/tools/words.py"),  # ** does
        ("src/app/agent.py", 100 * 76 / 96, "src/app/agent.py"),
        ("src/app/agen?.py", 100 * 76 / 96, "src/app/agent.py"),
        ("src/app/tools/deep/far.py", 100.0, ""),
    ],
)
def test_the_files_of_a_pattern_are_compared_together(pattern: str, percent: float, file: str) -> None:
    """The files that match, by coverage.py's own rules for patterns, reach one figure together."""
    made = check(pattern, 50.0)
    assert (pattern, percent >= 50, 50.0, percent, file) == (
        made.name,
        made.passed,
        made.required,
        made.actual,
        made.file,
    )


def test_a_pattern_is_said_as_it_was_written() -> None:
    """The line of a pattern shows it as the configuration has it."""
    text = (
        "FAIL Required coverage of 80% of src/app/tools/* not reached: 40.00%; "
        "most to gain in src/app/tools/words.py (30 of 40 statements missing)"
    )
    assert text == check("src/app/tools/*", 80.0).text


@pytest.mark.parametrize("pattern", ["src/app/tols/*", "src/App/*", "app/agent.py", "src/app/tools/__init__.py"])
def test_a_pattern_without_files_fails(pattern: str) -> None:
    """A pattern that no file with statements matches is a failed check, never 100 percent."""
    text = (
        f"FAIL Required coverage of 80% of {pattern} not reached: "
        "no file of the project that has statements matches (pattern-without-files)"
    )
    assert Check(pattern, passed=False, text=text, required=80.0) == check(pattern, 80.0)


def test_each_file_is_compared_by_itself() -> None:
    """One check says which files are below, the lowest first, and names the one of them with most to gain."""
    text = (
        "FAIL Required coverage of 50% of each file not reached by 2 of 4; "
        "most to gain in src/app/tools/words.py (30 of 40 statements missing)"
    )
    file = "src/app/tools/words.py"
    details = ("0.00% in /elsewhere/lib.py", f"25.00% in {file}")
    expected = Check("each", passed=False, text=text, required=50.0, actual=0.0, file=file, details=details)
    assert expected == check("each", 50.0)


def test_each_file_names_no_more_than_ten() -> None:
    """Of many files that are below, the ten lowest are named, and the others counted."""
    many = figures_of({f"/project/{name}.py": Tally(100, 99 - place) for place, name in enumerate("abcdefghijkl")})
    details = check("each", 60.0, figures=many).details
    assert details[:2] == ("1.00% in a.py", "2.00% in b.py")
    assert details[9:] == ("10.00% in j.py", "and 2 more")


def test_each_file_names_one_that_is_below() -> None:
    """A file that is above has nothing to gain for the check, however much of it is missing."""
    two = figures_of({"/project/big.py": Tally(100, 40), "/project/small.py": Tally(10, 5)})
    assert check("each", 60.0, figures=two).file == "small.py"


def test_each_file_passes_where_the_lowest_does() -> None:
    """Where every file that has statements is above, the lowest one's figure is said."""
    two = figures_of({"/project/a.py": Tally(10, 4), "/project/b.py": Tally(10, 1), "/project/__init__.py": Tally()})
    text = "Required coverage of 60% of each file reached: the lowest has 60.00%"
    expected = Check("each", passed=True, text=text, required=60.0, actual=60.0, file="a.py")
    assert expected == check("each", 60.0, figures=two)


def test_missing_branches_are_said() -> None:
    """Where branches were measured, those that are missing are counted and said beside the statements."""
    two = figures_of({"/project/a.py": Tally(10, 2, 6, 1), "/project/b.py": Tally(10, 1, 6, 5)})
    text = (
        "FAIL Required coverage of 90% by unit not reached: 71.88%; "
        "most to gain in b.py (1 of 10 statements and 5 of 6 branches missing)"
    )
    expected = Check("unit", passed=False, text=text, required=90.0, actual=100 * 23 / 32, file="b.py")
    assert expected == check("unit", 90.0, figures=two)


@pytest.mark.parametrize("name", ["unit", "*.py", "each"])
@pytest.mark.parametrize(
    ("missing", "required", "precision", "expected"),
    [(2549, 75.0, 0, True), (2550, 75.0, 0, False), (2549, 75.0, 1, False), (1, 100.0, 0, False), (0, 100.0, 0, True)],
)
def test_every_threshold_is_decided_by_coverages_rule(
    name: str, missing: int, required: float, precision: int, *, expected: bool
) -> None:
    """Each check rounds to the precision as coverage.py does, and 100 must be 100."""
    figures = figures_of({"/project/a.py": Tally(10_000, missing)})
    assert expected == check(name, required, precision=precision, figures=figures).passed


@pytest.mark.parametrize("name", ["unit", "each"])
def test_a_figure_that_fails_is_not_printed_as_reached(name: str) -> None:
    """A figure that is below its threshold is printed below it, too."""
    made = check(name, 100.0, figures=figures_of({"/project/a.py": Tally(100_000, 1)}))
    assert not made.passed
    assert " 100.00%" not in made.text


def test_the_total_names_its_file_without_a_word() -> None:
    """The total keeps pytest-cov's line; the file with most to gain stands beside it."""
    (made,) = judge(FIGURES, some_options(ROOT, fail_under=75)).checks
    text = "FAIL Required test coverage of 75% not reached. Total coverage: 63.20%"
    expected = Check("total", passed=False, text=text, required=75.0, actual=63.2, file="src/app/tools/words.py")
    assert expected == made


def test_failed_checks_are_said_last_and_the_total_after_its_equals() -> None:
    """Checks stand in the order of the configuration, the total behind them, and what failed behind what passed."""
    thresholds = {"pipeline": 1.0, "unit": 1.0, "each": 99.0, "e2e": 1.0}
    beside = [Check("of a plugin", passed=True, text="good")]
    verdict = judge(FIGURES, some_options(ROOT, fail_under=75, thresholds=thresholds), beside)
    assert [each.name for each in verdict.checks] == ["of a plugin", "unit", "e2e", "pipeline", "each", "total"]
    assert not verdict.passed


@pytest.mark.parametrize(("reached", "problem"), [(0, ""), (5, "no plugin")])
def test_a_threshold_beside_the_total_fails_where_nothing_can_be_compared(reached: int, problem: str) -> None:
    """Nothing measured, and what cannot be counted, fail a session that has any threshold, with one line."""
    figures = replace(FIGURES, total=replace(FIGURES.total, reached=reached), problem=problem)
    verdict = judge(figures, some_options(ROOT, thresholds={"unit": 1.0, "each": 1.0}))
    assert [(each.name, each.passed, each.required) for each in verdict.checks] == [("total", False, None)]
