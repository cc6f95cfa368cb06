"""The options that switch coverage off, and options of coverage that are without effect."""

from __future__ import annotations

import pytest

from tests.conftest import Project, lines_in


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with one file and one test."""
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("app.py", "def never():\n    return 1\n")
    project.write("tests/test_code.py", "import app\n\ndef test_code():\n    assert app\n")
    return project


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--cov=app",), 4, "--cov measures nothing here"),
        (("--cov",), 4, "(cov-without-effect)"),
        (("--cov-fail-under=100", "--cov-branch"), 0, "not loaded: --cov-fail-under, --cov-branch (option-without"),
        (("--cov=app", "--no-cov"), 0, "1 passed"),
        (("--cov=app", "--help"), 0, "--cov-reset"),
    ],
)
def test_an_option_without_effect_is_not_silent(app: Project, options: tuple[str, ...], code: int, said: str) -> None:
    """Where nothing measures, asking for it is an error, and what else is without effect is named."""
    done = app.pytest("-p", "no:pytest_cov", *options)
    assert (code, True) == (done.returncode, said in done.stdout + done.stderr), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("options", "warnings"), [(("--cov=app", "--no-cov"), 0), (("--no-cov", "--cov=app"), 1)], ids=["last", "first"]
)
@pytest.mark.parametrize("blocked", [(), ("-p", "no:pytest_cov")], ids=["beside", "alone"])
def test_no_cov_measures_nothing(
    app: Project, options: tuple[str, ...], warnings: int, blocked: tuple[str, ...]
) -> None:
    """With ``--no-cov`` nothing is measured or judged; the section says so where an option for coverage follows it."""
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=100", *blocked, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "vmpilot-cov: nothing is measured, because of --no-cov (no-cov)" in done.stdout
    assert warnings == done.stdout.count("Coverage disabled via --no-cov switch!")
    assert not (app.path / ".coverage").exists()
    assert not (app.path / ".vmpilot-cov").exists()


def test_no_cov_on_fail_hides_all_but_the_data(app: Project) -> None:
    """With ``--no-cov-on-fail`` a failed test leaves no report and no verdict, but the data; a passed run has all."""
    options = ("--vmpilot-cov", "--cov=app", "--no-cov-on-fail", "--cov-fail-under=100", "--cov-report=xml")
    done = app.pytest(*options)
    assert (done.returncode, "FAIL Required test coverage of 100%" in done.stdout) == (1, True), done.stdout
    (app.path / "coverage.xml").unlink()
    app.write("tests/test_more.py", "def test_fails():\n    assert 0\n")
    done = app.pytest(*options)
    assert done.returncode == 1
    assert "Required test coverage" not in done.stdout
    assert "(no-cov-on-fail)" in done.stdout
    assert not (app.path / "coverage.xml").exists()
    assert lines_in(app.path / ".coverage")


@pytest.mark.parametrize("blocked", [(), ("-p", "no:pytest_cov")], ids=["beside", "alone"])
@pytest.mark.parametrize("folder", [".", "tests"])
def test_nothing_above_the_project_is_collected(app: Project, blocked: tuple[str, ...], folder: str) -> None:
    """A conftest above the root isn't imported, and no folder above it is a node: as without our options."""
    app.write("conftest.py", "raise SystemExit('imported')\n")
    app.write("inner/pytest.ini", "[pytest]\n")
    app.write("inner/tests/test_inner.py", "def test_inner(request):\n    print(*request.node.listchain())\n")
    options = ("-p", "no:randomly", "-s", "-q", folder)
    plain, ours = (
        app.pytest(*options, *flag, cwd=app.path / "inner") for flag in ((), ("--vmpilot-cov", "--cov=tests", *blocked))
    )
    assert (plain.returncode, ours.returncode) == (0, 0), ours.stdout + ours.stderr
    assert plain.stdout.splitlines()[0] in ours.stdout.splitlines()
