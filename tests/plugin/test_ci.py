"""What CI services and editors read of a session."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from tests.conftest import Project

GITLAB = re.compile(r"TOTAL.*? (100(?:\.0+)?\%|[1-9]?\d(?:\.\d+)?\%)$", re.MULTILINE)
"""The expression that GitLab's documentation gives for ``coverage:`` with pytest-cov."""


def test_the_job_summary_is_appended(app: Project) -> None:
    """With ``GITHUB_STEP_SUMMARY`` the origins and the verdict are appended to it as Markdown, once a session."""
    summary = app.write("summary.md", "before\n")
    env = {"GITHUB_STEP_SUMMARY": str(summary)}
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=1", "-n", "1", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    text = summary.read_text("utf-8")
    assert text.startswith("before\n### Coverage ")
    assert [text.count(each) for each in ("### Coverage", "| e2e |", "app/shared.py")] == [1, 1, 1]
    assert "- Required test coverage of 1% reached." in text


def test_a_job_summary_that_cannot_be_written_is_named(app: Project) -> None:
    """The verdict stands without the summary, and a warning names what went wrong."""
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=1", env={"GITHUB_STEP_SUMMARY": str(app.path / "no/where")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No such file or directory" in done.stdout
    assert "(hook-failed)" in done.stdout


@pytest.mark.parametrize("options", [("-n", "1"), ()], ids=["xdist", "alone"])
def test_the_junit_xml_carries_the_figures(app: Project, options: tuple[str, ...]) -> None:
    """The properties of the test suite have what each origin reached, the total, and what came of each check."""
    app.pytest("--vmpilot-cov", "--cov-fail-under=99", "--junit-xml=junit.xml", *options)
    suite = ET.parse(app.path / "junit.xml").getroot()
    found = {each.get("name"): each.get("value") for each in suite.iter("property")}
    names = ["coverage.unit", "coverage.e2e", "coverage.combined", "coverage.check.total", "coverage.verdict"]
    assert names == list(found)
    assert (found["coverage.check.total"], found["coverage.verdict"]) == ("failed", "failed")
    assert 0 < float(found["coverage.unit"] or 0) < float(found["coverage.combined"] or 0) < 99


def test_gitlab_finds_the_total(app: Project) -> None:
    """The expression for pytest-cov in GitLab's documentation finds the total, with the precision asked for."""
    done = app.pytest("--vmpilot-cov", "--cov-precision=2")
    (total,) = GITLAB.findall(done.stdout)
    assert re.fullmatch(r"\d\d\.\d\d%", total)


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ((), True),
        (("-q",), True),
        (("-qq",), True),
        (("-v",), True),
        (("--no-header",), True),
        (("-p", "no:terminal"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_the_section_is_there_as_pytests_own_are(app: Project, options: tuple[str, ...], *, is_said: bool) -> None:
    """The section follows pytest's switches for sections; whatever is shown, a missed threshold is exit code 1."""
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=99", *options)
    assert done.returncode == 1, done.stdout + done.stderr
    assert is_said == ("FAIL Required test coverage of 99% not reached" in done.stdout)
    assert not done.stderr


@pytest.mark.parametrize(("colour", "expected"), [("yes", True), ("no", False)])
def test_colours_are_pytests(app: Project, colour: str, *, expected: bool) -> None:
    """``--color`` decides on the colours of the section; a missed threshold is red."""
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=99", f"--color={colour}", env={"COLUMNS": "60"})
    (line,) = [line for line in done.stdout.splitlines() if "FAIL Required" in line]
    assert expected == line.startswith("\x1b[31m")
    (head,) = [line for line in done.stdout.splitlines() if " vmpilot-cov ==" in line]
    assert len(re.sub("\x1b.*?m", "", head)) == 60


def test_editors_find_their_files(app: Project) -> None:
    """``coverage.xml`` and ``lcov.info``, which gutters watch, name each source so that an editor finds it."""
    app.write("pytest.ini", "[pytest]\n")
    done = app.pytest(
        "--vmpilot-cov", "-k1_unit", "--cov-report=xml", "--cov-report=lcov:lcov.info", cwd=app.path / "tests"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SF:app/shared.py" in (app.path / "lcov.info").read_text().splitlines()
    xml = ET.parse(app.path / "coverage.xml").getroot()
    places = [f"{folder.text}/{each.get('filename')}" for folder in xml.iter("source") for each in xml.iter("class")]
    assert str(app.path / "app/shared.py") in places
