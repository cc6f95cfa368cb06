from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.judge.judge import judge
from pytest_vmpilot_cov.model import Baseline, Check, Figures, Row, Tally, Threshold
from tests.unit.conftest import some_options

ROOT = Path("/project")
A, B = "/project/app/a.py", "/project/app/b.py"
BEFORE = Baseline({A: 50, B: 10}, {A: {"combined": 40, "unit": 30}, B: {"combined": 10}})


def check(name: str, tallies: Mapping[str, Tally], baseline: Baseline = BEFORE, unit: Tally | None = None) -> Check:
    """Compare with the baseline; *unit* is what unit tests miss of a.py."""
    by = {path: {"combined": tally, "unit": unit or tally} for path, tally in tallies.items()}
    figures = Figures((Row("unit", 1, 1, 1, 1.0, 1),), Row("combined", 1, 1, 1, 1.0, 0), {}, tallies=by)
    pattern = f"{ROOT}/{name}" if "/" in name else ""
    threshold = Threshold(name, 0.0, "here", pattern, baseline=True)
    (made,) = judge(figures, replace(some_options(ROOT, precision=0), thresholds=(threshold,)), (), baseline).checks
    return made


SAME = {A: Tally(50, 10), B: Tally(10, 0)}


@pytest.mark.parametrize(
    "tallies",
    [
        SAME,
        {A: Tally(50, 9), B: Tally(10, 0)},
        {A: Tally(100, 20), B: Tally(20, 0)},  # twice as much of everything
        {A: Tally(40, 8, 10, 2), B: Tally(8, 0, 2, 0)},  # branches count like statements
        {B: Tally(10, 0)},  # the worse file was removed
    ],
)
def test_no_less_than_before_passes(tallies: Mapping[str, Tally]) -> None:
    """The same proportion or more passes."""
    assert check("total", tallies).passed


def test_the_line_of_what_passes_has_both_figures() -> None:
    """What passes says how much it is now, and how much it was."""
    expected = "Coverage is not below the baseline: 83.33% (50 of 60), was 83.33% (50 of 60)"
    assert check("total", SAME) == Check("total", True, expected, 250 / 3, 250 / 3)  # noqa: FBT003 - as in others


@pytest.mark.parametrize(
    ("tallies", "fell"),
    [
        ({A: Tally(50, 11), B: Tally(10, 0)}, "app/a.py (39 of 50, was 40 of 50)"),
        ({A: Tally(50, 12), B: Tally(10, 1)}, "app/a.py (38 of 50, was 40 of 50), app/b.py (9 of 10, was 10 of 10)"),
        ({**SAME, "/project/app/new.py": Tally(4, 4)}, "app/new.py (0 of 4, new)"),
        ({A: Tally(50, 10)}, "app/b.py (removed, was 10 of 10)"),
        ({A: Tally(100, 20), B: Tally(10, 0)}, "app/a.py (80 of 100, was 40 of 50)"),  # it only grew
    ],
)
def test_a_fall_is_one_line_with_the_files_that_fell(tallies: Mapping[str, Tally], fell: str) -> None:
    """The files that lowered the figure are named with their counts, those that lost most first."""
    made = check("total", tallies)
    assert not made.passed
    assert made.text.startswith("FAIL Coverage is below the baseline: ")
    assert made.text.endswith(f"was 83.33% (50 of 60); fell in {fell}")


def test_counts_are_compared_and_not_rounded_percentages() -> None:
    """One statement of a million is a fall, whatever the precision, and is shown as one."""
    before = Baseline({A: 1_000_000}, {A: {"combined": 750_000}})
    made = check("total", {A: Tally(1_000_000, 250_001)}, before)
    assert (made.passed, made.text[:74]) == (
        False,
        "FAIL Coverage is below the baseline: 74.9999% (749999 of 1000000), was 75.",
    )
    assert check("total", {A: Tally(1_000_000, 250_000)}, before).passed


def test_many_files_that_fell_are_cut_short() -> None:
    """Ten files are named; how many more fell is said."""
    files = [f"/project/m{number:02}.py" for number in range(12)]
    before = Baseline(dict.fromkeys(files, 2), {path: {"combined": 2} for path in files})
    made = check("total", dict.fromkeys(files, Tally(2, 1)), before)
    assert made.text.endswith("m09.py (1 of 2, was 2 of 2), and 2 more")
    assert made.text.count("was 2 of 2") == 10


def test_an_origin_is_compared_with_itself() -> None:
    """An origin's threshold looks at what that origin reached, then and now."""
    assert check("unit", {A: Tally(50, 0)}, unit=Tally(50, 20)).text.startswith("Coverage by unit is not below")
    assert check("unit", {A: Tally(50, 0), B: Tally(10, 0)}, unit=Tally(50, 31)).text.startswith(
        "FAIL Coverage by unit"
    )


def test_a_pattern_is_compared_with_its_files() -> None:
    """A pattern's threshold looks at the files that match, then and now."""
    made = check("app/a*", {A: Tally(50, 11), B: Tally(10, 0)})
    assert made.text.startswith(
        "FAIL Coverage of app/a* is below the baseline: 78.00% (39 of 50), was 80.00% (40 of 50)"
    )


def test_what_was_not_in_the_baseline_passes() -> None:
    """An origin or a file that had nothing cannot have less."""
    assert check("unit", {B: Tally(10, 5)}, Baseline({B: 10}, {B: {"combined": 10}})).passed
    assert check("app/b*", {B: Tally(10, 10)}, Baseline()).passed


def test_nothing_to_compare_fails() -> None:
    """An origin without data and a pattern without files fail as with a percentage, and so does a broken baseline."""
    assert check("e2e", SAME).text.startswith("FAIL Required coverage of the baseline by e2e not reached")
    assert check("lib/*", SAME).text.startswith("FAIL Required coverage of the baseline of lib/* not reached")
    assert check("total", SAME, Baseline(problem="no file (baseline-missing)")).text == (
        "FAIL total: no file (baseline-missing)"
    )
