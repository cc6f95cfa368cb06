from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_vmpilot_cov.hooks.ci import append_job_summary
from pytest_vmpilot_cov.model import Change, ChangedFile, Collected, Combined, Diff, Figures, Outcome, Row, Verdict
from pytest_vmpilot_cov.report.github import annotations_of
from pytest_vmpilot_cov.report.json import origins_of
from pytest_vmpilot_cov.report.markdown import COMMENT, markdown_report
from pytest_vmpilot_cov.report.terminal import section
from tests.unit.conftest import some_options

ROOT = Path("/repo/project")


def outcome_of(*names: str, ranges: tuple[tuple[int, int], ...] = ((2, 4),)) -> Outcome:
    """Make an outcome with a change of some files, of each of which nobody reached some stretches."""
    missing = tuple(line for first, last in ranges for line in dict.fromkeys((first, last)))
    files = {f"{ROOT}/{name}": ChangedFile((1, *missing), missing, {"unit": (1,)}, ranges) for name in names}
    total = Row("combined", len(files), 9, 3, 100 / 3, 0)
    change = Change(Diff(base="1f64b8ec654e7b3a", against="origin/main", top="/repo"), (), total, files)
    figures = Figures((), Row("combined", 1, 9, 3, 100 / 3, 0), {}, change=change)
    return Outcome(Collected(()), Combined({}, {}), figures, Verdict((), (), 100 / 3))


OPTIONS = replace(some_options(ROOT), annotations=True)


@pytest.fixture
def on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a step of a job on GitHub."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")


class Table:
    """A Coverage that only prints a long table."""

    def report(self, *, file: Any, **_: Any) -> float:
        """Print the table."""
        file.write("".join(f"| app/module{number}.py | 100 | 0 | 100% |\n" for number in range(3000)))
        return 0.0


@pytest.mark.usefixtures("on_github")
def test_each_stretch_is_an_annotation() -> None:
    """GitHub gets a warning for each stretch, at the file's place in the repository."""
    outcome = outcome_of("app/chat.py", ranges=((2, 4), (9, 9)))
    assert [*annotations_of(outcome, OPTIONS)] == [
        "::warning file=project/app/chat.py,line=2,endLine=4,title=Not reached::2 statements that nobody reached",
        "::warning file=project/app/chat.py,line=9,endLine=9,title=Not reached::1 statement that nobody reached",
    ]
    assert [line.text for line in section(outcome, OPTIONS)][:2] == [*annotations_of(outcome, OPTIONS)]


@pytest.mark.usefixtures("on_github")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a,b:c.py", "a%2Cb%3Ac.py"),
        ("100%.py", "100%25.py"),
        ("a\n::error::x.py", "a%0A%3A%3Aerror%3A%3Ax.py"),
        ("a\r.py", "a%0D.py"),
        ("a\x1b[2J\u202e.py", "a?[2J?.py"),
        ("a\udc80.py", "a?.py"),
    ],
)
def test_a_name_can_write_no_command(name: str, shown: str) -> None:
    """What means something to GitHub is escaped by its rules, and what means something to a terminal is replaced."""
    (line,) = annotations_of(outcome_of(name), OPTIONS)
    assert line.startswith(f"::warning file=project/{shown},line=2,")
    assert "\n" not in line


def test_annotations_are_for_github_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere, or without the option, there is none."""
    assert [*annotations_of(outcome_of("a.py"), OPTIONS)] == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert [*annotations_of(outcome_of("a.py"), some_options(ROOT))] == []


def test_what_nobody_reached_is_listed_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stretch is named in the section, in the job's summary and in the JSON report."""
    outcome, cov = outcome_of("app/chat.py", ranges=((2, 4), (9, 9))), Table()
    lines = [line.text for line in section(outcome, OPTIONS)]
    assert lines[lines.index("Reached by nobody:") + 1 :][:2] == ["  app/chat.py:2-4", "  app/chat.py:9-9"]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    append_job_summary(cov, OPTIONS, outcome)  # type: ignore[arg-type]
    summary = (tmp_path / "summary.md").read_text()
    assert "- `app/chat.py:2-4`\n- `app/chat.py:9-9`\n" in summary
    assert "app/module2999.py" in summary
    assert origins_of(OPTIONS, outcome)["change"]["files"]["app/chat.py"]["missing_ranges"] == [[2, 4], [9, 9]]


def test_a_comment_ends_where_githubs_limit_does() -> None:
    """However long the lists are, the report fits into a comment, is whole, and says what was left out."""
    cov: Any = Table()
    ranges = tuple((number, number) for number in range(2, 20_000, 2))
    text = markdown_report(cov, OPTIONS, outcome_of("app/chat.py", "app/tools.py", ranges=ranges))
    assert COMMENT - 5000 < len(text) < 65_536
    assert text.count("<details>") == text.count("</details>") == text.count(" more lines\n") == 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("app/__init__.py", "`app/__init__.py:2-4`"),
        ("a<b>|*.py", "`a<b>|*.py:2-4`"),
        ("a`b``c.py", "``` a`b``c.py:2-4 ```"),
        ("a\n# b.py", "`a?# b.py:2-4`"),
    ],
)
def test_a_name_means_nothing_in_markdown(name: str, shown: str) -> None:
    """Names stand as code, whatever is in them."""
    cov: Any = Table()
    assert f"- {shown}\n" in markdown_report(cov, OPTIONS, outcome_of(name))


def test_a_change_without_statements_is_said() -> None:
    """A change of documentation alone has no table and no list."""
    outcome, cov = outcome_of(), Table()
    text = "The change since origin/main (1f64b8ec65) has no statement"
    assert text in [line.text for line in section(outcome, OPTIONS)]
    assert f"{text}.\n\n| Origin" in markdown_report(cov, OPTIONS, outcome)  # type: ignore[arg-type]


def test_a_change_that_git_cannot_tell_has_no_figures() -> None:
    """Only the reason is shown, as a warning or as a failed check."""
    figures = outcome_of().figures
    assert figures.change is not None
    change = replace(figures.change, diff=Diff(problem="git is missing"))
    outcome = replace(outcome_of(), figures=replace(figures, change=change))
    assert not [line.text for line in section(outcome, OPTIONS) if "change" in line.text]
