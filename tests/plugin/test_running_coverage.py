"""In a process that another coverage.py measures: PyCharm's "Run with Coverage", and ``coverage run``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in
from tests.plugin.conftest import CHILD, CORES, expected, numbered

RUNNER = """
    import os, sys
    import pytest

    # as PyCharm's: the folder of the tests is the working folder, and they are named by --path or --target
    sys.exit(pytest.main([sys.argv[sys.argv.index("--path") + 1], "-p", "no:cacheprovider"]))
"""
SERVED = "from app import shared\nshared.for_e2e(True)\n"


def run_with_coverage(app: Project, *options: str, core: str = "ctrace") -> subprocess.CompletedProcess[str]:
    """Run the tests as PyCharm's button does: its runner under ``coverage run``, with a file of its own."""
    app.write("ide/_jb_pytest_runner.py", RUNNER)
    words = ["python", "-m", "coverage", "run", *options, "ide/_jb_pytest_runner.py", "--path", "tests/test_mixed.py"]
    env = {"COVERAGE_FILE": str(app.path / "ide/project$tests.coverage"), "COVERAGE_CORE": core}
    return app.run(*words, env=env)


def lines_of_the_ide(app: Project) -> dict[str, list[int]]:
    """Return what the IDE shows."""
    return lines_in(app.path / "ide/project$tests.coverage")


@pytest.mark.parametrize("core", CORES)
def test_run_with_coverage_keeps_its_figures_and_has_a_verdict(app: Project, core: str) -> None:
    """The IDE shows the same lines as without us; the verdict counts them, the children's and the server's."""
    app.write("served.py", SERVED)
    app.run("python", "served.py", env={"VMPILOT_COV": "."})
    app.write("pytest.ini", "[pytest]\naddopts = --vmpilot-cov --cov-fail-under=70\n")
    done = run_with_coverage(app, core=core)
    assert done.returncode == 0, done.stdout + done.stderr
    shared = expected("unit", "e2e")["shared.py"]
    assert lines_of_the_ide(app)["shared.py"] == shared
    assert "(collector-running)" in done.stdout
    unit, e2e, pipeline = (lines_in(app.path / ".coverage", origin) for origin in ("unit", "e2e", "pipeline"))
    assert (unit["shared.py"], unit["child.py"]) == (shared, numbered(CHILD, "unit"))
    assert e2e["child.py"] == numbered(CHILD, "e2e")
    assert pipeline["shared.py"] == expected("e2e")["shared.py"]
    assert {"_jb_pytest_runner.py", "project$tests.coverage"} == {path.name for path in (app.path / "ide").iterdir()}


def test_branches_of_the_ide_count(app: Project) -> None:
    """Where the IDE measures branches, the verdict has them."""
    app.write("pytest.ini", "[pytest]\naddopts = --vmpilot-cov\n")
    app.write(".coveragerc", "[run]\nsource = app\nbranch = true\n")
    done = run_with_coverage(app)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BrPart" in done.stdout
    assert "(branches-unknown)" not in done.stdout


def test_coverage_run_keeps_its_own_file(app: Project) -> None:
    """Under ``coverage run`` the file ``.coverage`` is the outer one's; ``.coverage.tests`` is written beside it."""
    done = app.run(
        "python", "-m", "coverage", "run", "-m", "pytest", "--vmpilot-cov", "-m", "e2e", "--cov-fail-under=99"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL Required test coverage of 99% not reached" in done.stdout
    shared = expected("e2e")["shared.py"]
    assert (lines_in(app.path / ".coverage")["shared.py"], lines_in(app.path / ".coverage.tests")["shared.py"]) == (
        shared,
        shared,
    )
    assert lines_in(app.path / ".coverage.tests", "e2e")["shared.py"] == shared


def test_children_of_a_host_that_measures_them_are_left_to_it(app: Project) -> None:
    """With ``patch = subprocess`` the outer coverage.py measures children, and they are not measured twice."""
    app.write(".coveragerc", "[run]\nsource = app\npatch = subprocess\n")
    done = app.run("python", "-m", "coverage", "run", "-m", "pytest", "--vmpilot-cov")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "those that this process starts are its as well (collector-running)" in done.stdout
    children = [path for path in app.path.glob(".coverage.*.*") if path.name != ".coverage.tests"]
    assert {"child.py"} <= {name for path in children for name in lines_in(path)}


def test_a_plain_run_from_the_tests_folder(app: Project) -> None:
    """PyCharm's plain Run, whose working folder is that of the test, gives the report with addopts' options."""
    app.write("pytest.ini", "[pytest]\naddopts = --vmpilot-cov --cov-fail-under=1\n")
    runner = app.write("ide/_jb_pytest_runner.py", RUNNER)
    app.write("tests/test_mixed.py", "from app import shared\n\ndef test_it():\n    assert shared.for_unit() == 2\n")
    app.write("tests/test_more.py", "def test_more():\n    pass\n")
    env = {"PYTHONPATH": str(app.path)}
    done = app.run("python", str(runner), "--path", "test_mixed.py", env=env, cwd=app.path / "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Required test coverage of 1%" not in done.stdout.replace("Not enforced", "")
    assert "fail_under 1 from addopts" in done.stdout
    assert lines_in(app.path / ".coverage")["shared.py"] == expected("unit")["shared.py"]
    assert [
        path for path in Path(app.path / "tests").iterdir() if path.name.startswith((".coverage", ".vmpilot"))
    ] == []


def test_what_was_imported_early_is_named(app: Project) -> None:
    """A source module that a plugin has imported is named with it; under ``coverage run`` it is measured."""
    app.write("theirs.py", "from app.shared import for_unit\n")
    done = app.pytest("-p", "theirs", "--vmpilot-cov", "-k", "1_unit")
    named = f"app/__init__.py, app/shared.py were imported before measurement began, by theirs ({app.path}/theirs.py)"
    assert named in done.stdout, done.stdout + done.stderr
    assert "(imported-early)" not in app.pytest("--vmpilot-cov", "-k", "1_unit").stdout
    words = ["python", "-m", "coverage", "run", "-m", "pytest", "-p", "theirs", "--vmpilot-cov", "-k", "1_unit"]
    done = app.run(*words)
    assert "(imported-early)" not in done.stdout
    assert lines_in(app.path / ".coverage.tests")["shared.py"] == expected("unit")["shared.py"]
