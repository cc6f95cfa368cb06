"""Thresholds of the section ``[vmpilot_cov:fail_under]``."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import Project

SECTION = "[vmpilot_cov:fail_under]"
WHERE = f"{SECTION} in .coveragerc"
NO_FILE = "no file of the project that has statements matches (pattern-without-files)"
GAIN = "most to gain in app/tools/words.py (2 of 4 statements missing)"


@pytest.fixture
def two(project: Project) -> Project:
    """Give a project of two files with four statements each: unit tests reach three and two of them, E2E tests more."""
    half = "def f(flag):\n    if flag:\n        return 1\n    return 2\n"
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\nmarkers = slow\n")
    project.write("app/__init__.py", half)
    project.write("app/tools/__init__.py", "")
    project.write("app/tools/words.py", "def f():\n    x = 1\n    return x\n\n\ny = 1\n")
    project.write("tests/test_a.py", "import app\n\ndef test_one():\n    assert app.f(True) == 1\n")
    project.write(
        "tests/test_b.py",
        """
        import pytest
        import app.tools.words

        def test_two():
            assert app.f(True) == 1

        @pytest.mark.slow
        def test_three():
            assert app.f(True) == 1
        """,
    )
    return project


def configure(project: Project, *lines: str, report: str = "") -> None:
    """Write the configuration with these thresholds."""
    text = [f"[run]\nsource = app\n[report]\n{report}", *([SECTION, *lines] if lines else [])]
    project.write(".coveragerc", "\n".join(text) + "\n")


def verdict_of(done: subprocess.CompletedProcess[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines that judge."""
    words = ("FAIL ", "Required ", "Not enforced")
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith(words)]


def run(project: Project, *options: str, **more: Any) -> tuple[int, list[str]]:
    """Run a session; return its exit code and the lines that judge."""
    return verdict_of(project.pytest("--vmpilot-cov", *options, **more))


def test_every_failed_check_is_one_line(two: Project) -> None:
    """Origins, patterns, each file and the total are checks of their own; those that fail say what and where."""
    configure(two, "total = 75", "unit = 60", "e2e = 10", "app/tools/* = 80", "app/toys/* = 5", "each = 60")
    assert run(two) == (
        1,
        [
            "Required coverage of 60% by unit reached: 62.50%",
            "FAIL Required coverage of 10% by e2e not reached: e2e has no data (origin-without-data)",
            f"FAIL Required coverage of 80% of app/tools/* not reached: 50.00%; {GAIN}",
            f"FAIL Required coverage of 5% of app/toys/* not reached: {NO_FILE}",
            f"FAIL Required coverage of 60% of each file not reached by 1 of 2: 50.00% in app/tools/words.py; {GAIN}",
            "FAIL Required test coverage of 75% not reached. Total coverage: 62.50%",
        ],
    )


def test_checks_that_pass_pass_the_session(two: Project) -> None:
    """A session whose thresholds are all reached exits with 0."""
    configure(two, "total = 62", "each = 50")
    expected = [
        "Required coverage of 50% of each file reached: the lowest has 50.00%",
        "Required test coverage of 62% reached. Total coverage: 62.50%",
    ]
    assert run(two) == (0, expected)


def test_all_checks_are_in_the_json_report(two: Project) -> None:
    """The JSON report has every check, passed or failed, with its figures and the file with most to gain."""
    configure(two, "app/tools/* = 80", "unit = 60")
    two.pytest("--vmpilot-cov", "--cov-report=json", "--vmpilot-cov-require=unit")
    verdict = json.loads((two.path / "coverage.json").read_text())["vmpilot_cov"]["verdict"]
    words = "app/tools/words.py"
    assert [list(check.values()) for check in verdict["checks"]] == [
        ["require unit", True, "", None, None, ""],
        ["unit", True, "Required coverage of 60% by unit reached: 62.50%", 60.0, 62.5, words],
        [
            "app/tools/*",
            False,
            f"FAIL Required coverage of 80% of app/tools/* not reached: 50.00%; {GAIN}",
            80.0,
            50.0,
            words,
        ],
    ]
    assert list(verdict["checks"][0]) == ["name", "passed", "text", "required", "actual", "file"]


def test_the_total_of_our_section_wins_over_coverages(two: Project) -> None:
    """The header says which thresholds count, and where each was set."""
    configure(two, "total = 10", "unit = 20", report="fail_under = 90")
    done = two.pytest("--vmpilot-cov")
    assert f"configuration .coveragerc, fail_under 10, unit 20 from {WHERE}\n" in done.stdout
    assert verdict_of(done)[1][-1] == "Required test coverage of 10% reached. Total coverage: 62.50%"
    done = two.pytest("--vmpilot-cov", "--cov-fail-under=11")
    assert f"configuration .coveragerc, fail_under 11 from the command line and unit 20 from {WHERE}\n" in done.stdout


def test_thresholds_of_a_pyproject(two: Project) -> None:
    """The section stands in a pyproject.toml, too, and is read from any folder of the project."""
    (two.path / ".coveragerc").unlink()
    two.write(
        "pyproject.toml", '[tool.coverage.run]\nsource = ["app"]\n[tool.vmpilot_cov.fail_under]\n"app/tools/*" = 80\n'
    )
    expected = (1, [f"FAIL Required coverage of 80% of app/tools/* not reached: 50.00%; {GAIN}"])
    assert run(two) == expected
    assert run(two, "..", cwd=two.path / "app") == expected


@pytest.mark.parametrize("line", ["unit = 175", "uint = 60", "src/x** = 5"])
def test_a_threshold_without_a_meaning_ends_the_session(two: Project, line: str) -> None:
    """A threshold that means nothing is a usage error before any test is run, and misuse of the command."""
    configure(two, line)
    name, _, value = line.partition(" = ")
    for done, code in ((two.pytest("--vmpilot-cov"), 4), (two.run("vmpilot-cov", "report"), 2)):
        assert done.returncode == code
        assert f"{name}={value} (from {SECTION} in {two.path}/.coveragerc) " in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["combine", "report"])
def test_the_command_checks_the_same(two: Project, verb: str) -> None:
    """``combine`` and ``report`` apply the thresholds that a session does; a typed one takes the total's place."""
    configure(two, "total = 10", "app/tools/* = 80")
    expected = run(two)
    assert verdict_of(two.run("vmpilot-cov", verb)) == expected
    assert verdict_of(two.run("vmpilot-cov", verb, "-f", "99"))[1][-1] == (
        "FAIL Required test coverage of 99% not reached. Total coverage: 62.50%"
    )
    configure(two, "unit = 60")
    assert verdict_of(two.run("vmpilot-cov", verb)) == (0, ["Required coverage of 60% by unit reached: 62.50%"])
