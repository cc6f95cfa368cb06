from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.judge.change import count_change
from pytest_vmpilot_cov.judge.judge import judge
from pytest_vmpilot_cov.model import ChangedFile, Check, Diff, Figures, Row, Tally
from tests.unit.conftest import some_options

ROOT = Path("/project")
CHAT, TOOLS, DOCS = "/project/app/chat.py", "/project/app/tools.py", "/project/app/docs.py"
FIGURES = Figures(
    (Row("unit", 1, 20, 5, 25.0, 2), Row("pipeline", 2, 20, 6, 30.0, 3)),
    Row("combined", 2, 20, 9, 45.0, 0),
    {CHAT: {"unit": (1, 2, 3, 10), "pipeline": (1, 4)}, TOOLS: {"pipeline": (1, 2)}, DOCS: {}},
    missing={CHAT: (5, 6, 8, 12, 13), TOOLS: (), DOCS: (1,)},
)
MISSING = "most to gain in app/chat.py (3 of 6 statements missing)"
DIFF = Diff({CHAT: (3, 4, 5, 7, 8, 9, 10, 12), TOOLS: (1,), DOCS: (2,)}, "1f64b8e", "origin/main", "/project")


def test_statements_that_begin_in_a_changed_line_count() -> None:
    """Of the changed lines, those with a statement count, for each origin that reached them."""
    change = count_change(FIGURES, DIFF)
    assert change.files == {
        CHAT: ChangedFile(
            (3, 4, 5, 8, 10, 12), (5, 8, 12), {"unit": (3, 10), "pipeline": (4,)}, ((5, 5), (8, 8), (12, 12))
        ),
        TOOLS: ChangedFile((1,), (), {"pipeline": (1,)}, ()),
    }
    assert change.rows == (Row("unit", 1, 7, 2, 200 / 7, 2), Row("pipeline", 2, 7, 2, 200 / 7, 2))
    assert change.total == Row("combined", 2, 7, 4, 400 / 7, 0)


def test_a_stretch_holds_no_other_statement() -> None:
    """Unreached statements are one stretch as long as no other statement, changed or not, lies in between."""
    everything = replace(DIFF, lines={CHAT: tuple(range(1, 20))})
    assert count_change(FIGURES, everything).files[CHAT].ranges == ((5, 8), (12, 13))


def judged(required: float, diff: Diff = DIFF) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Judge the change; without a threshold where it is 0."""
    figures = replace(FIGURES, change=count_change(FIGURES, diff), tallies={CHAT: {"combined": Tally(9, 5)}})
    options = some_options(ROOT, thresholds={"changed": required} if required else {})
    verdict = judge(figures, options)
    return verdict.checks, verdict.warnings


@pytest.mark.parametrize(
    ("required", "text"),
    [
        (57.0, "Required coverage of 57% of the change reached: 57.14%"),
        (
            90.0,
            f"FAIL Required coverage of 90% of the change not reached: 57.14%; {MISSING}",
        ),
    ],
)
def test_the_change_has_a_threshold(required: float, text: str) -> None:
    """What was reached of the change by any origin is compared, and the file that lacks most is named."""
    expected = Check("changed", "FAIL" not in text, text, required, 400 / 7, "app/chat.py")
    assert judged(required) == ((expected,), ())


def test_a_change_without_statements_passes() -> None:
    """Where no statement was changed, there is nothing to reach."""
    ((check,), _) = judged(90.0, replace(DIFF, lines={DOCS: (2,)}))
    assert (check.passed, check.text) == (True, "Required coverage of 90% of the change reached: it has no statement")


def test_a_change_that_git_cannot_tell_fails_its_threshold() -> None:
    """What can't be compared fails, with git's reason; without a threshold the reason is a warning."""
    unknown = Diff(problem="git is not here (git-missing)")
    ((check,), warnings) = judged(90.0, unknown)
    assert (check.passed, check.text, warnings) == (False, "FAIL git is not here (git-missing)", ())
    assert judged(0, unknown) == ((), ("git is not here (git-missing)",))


def test_what_git_left_out_is_a_warning() -> None:
    """A submodule that moved is named beside the verdict."""
    assert judged(1.0, replace(DIFF, notes=("lib moved",)))[1] == ("lib moved",)
