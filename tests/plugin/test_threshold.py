"""The threshold: where it comes from, how it is decided, and what it does to the exit code."""

from __future__ import annotations

import pytest

from tests.conftest import Project


def run(app: Project, *options: str) -> tuple[int, str]:
    """Run a session; return its exit code and the last line of its section."""
    done = app.pytest("--vmpilot-cov", *options)
    section = done.stdout.partition(" vmpilot-cov ==")[2].partition("\n")[2].partition("\n===")[0].partition("\n!!!")[0]
    return done.returncode, section.splitlines()[-1] if section else done.stdout + done.stderr


@pytest.fixture
def half(project: Project) -> Project:
    """Give a project of which the one test reaches exactly three of four statements."""
    project.package("app", __init__="def f(flag):\n    if flag:\n        return 1\n    return 2\n")
    project.write("tests/test_f.py", "import app\n\ndef test_f():\n    assert app.f(True) == 1\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    return project


def test_reached_threshold_passes(half: Project) -> None:
    """At the threshold the session passes and says so in pytest-cov's words."""
    expected = (0, "Required test coverage of 75% reached. Total coverage: 75.00%")
    assert run(half, "--cov-fail-under=75") == expected


def test_missed_threshold_fails_a_green_session(half: Project) -> None:
    """Below the threshold pytest exits with 1 although every test passed."""
    expected = (1, "FAIL Required test coverage of 76% not reached. Total coverage: 75.00%")
    assert run(half, "--cov-fail-under=76") == expected


def test_threshold_of_the_configuration(half: Project) -> None:
    """``[report] fail_under`` holds, unless the command line says another one."""
    half.write(".coveragerc", "[run]\nsource = app\n[report]\nfail_under = 90\n")
    assert run(half) == (1, "FAIL Required test coverage of 90% not reached. Total coverage: 75.00%")
    assert run(half, "--cov-fail-under=70")[0] == 0
    assert "fail_under 90 from .coveragerc" in half.pytest("--vmpilot-cov").stdout
    assert "fail_under 70 from the command line" in half.pytest("--vmpilot-cov", "--cov-fail-under=70").stdout


def test_threshold_in_addopts_is_named_so(half: Project) -> None:
    """A threshold in addopts is not taken for one that was typed."""
    half.write("pytest.ini", "[pytest]\npythonpath = .\naddopts = --vmpilot-cov --cov-fail-under=75\n")
    assert "fail_under 75 from addopts" in half.pytest().stdout


def test_failed_tests_stay_failed(half: Project) -> None:
    """A reached threshold does not hide a failed test, and both failures exit with 1."""
    half.write("tests/test_f.py", "import app\n\ndef test_f():\n    assert app.f(True) == 2\n")
    assert run(half, "--cov-fail-under=75")[0] == 1


def test_nothing_measured_fails_with_a_threshold(half: Project) -> None:
    """With a threshold in force, an empty measurement is a failure that says so, never 100 %."""
    half.write("tests/test_f.py", "def test_f():\n    pass\n")
    code, line = run(half, "--cov-fail-under=1")
    assert (code, line) == (1, "FAIL nothing was measured: no statement of app was executed (nothing-measured)")


def test_nothing_measured_warns_without_a_threshold(half: Project) -> None:
    """Without a threshold an empty measurement is a warning."""
    half.write("tests/test_f.py", "def test_f():\n    pass\n")
    code, line = run(half)
    assert (code, line) == (0, "WARNING: nothing was measured: no statement of app was executed (nothing-measured)")


@pytest.mark.parametrize("origin", ["pipeline", "e2e", "unit,pipeline"])
def test_required_origin_without_lines_fails(half: Project, origin: str) -> None:
    """An origin that is required and reached nothing fails the session."""
    code, line = run(half, f"--vmpilot-cov-require={origin}")
    missing = origin.rsplit(",", maxsplit=1)[-1]
    text = f"no executed line came from {missing}, which --vmpilot-cov-require asks for (origin-required)"
    assert (code, line) == (1, text)


def test_required_origin_with_lines_passes(half: Project) -> None:
    """An origin that is required and reached something passes."""
    assert run(half, "--vmpilot-cov-require=unit") == (0, "require unit: yes")


def test_interrupted_session_keeps_its_exit_code_and_reports(half: Project) -> None:
    """After Ctrl-C the report is there, and pytest's own exit code for it stays."""
    half.write("tests/test_f.py", "import app\n\ndef test_f():\n    app.f(True)\n    raise KeyboardInterrupt\n")
    code, line = run(half, "--cov-fail-under=70")
    assert code == 2
    assert line == "Required test coverage of 70% reached. Total coverage: 75.00%"
