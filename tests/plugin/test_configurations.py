"""Configurations that people have, and what a session makes of them."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import Project, lines_in

WORK = "def run(flag):\n    if flag:\n        return 1\n    return 2\n"
TEST = "from pack.sub import work\n\ndef test_run():\n    assert work.run(True) == 1\n"


@pytest.fixture
def src(project: Project) -> Project:
    """Give a project with its package below ``src``, found through pytest's ``pythonpath``."""
    project.write("pytest.ini", "[pytest]\npythonpath = src\n")
    project.write("src/pack/__init__.py", "")
    project.write("src/pack/sub/__init__.py", "")
    project.write("src/pack/sub/work.py", WORK)
    project.write("src/pack/sub/unused.py", WORK)
    project.write("tests/test_work.py", TEST)
    return project


@pytest.mark.parametrize("source", ["src", "pack", "pack.sub", "src/pack/sub"])
def test_sources_by_folder_and_by_name(src: Project, source: str) -> None:
    """A source is a folder or a package, never-imported files of it count, and the total is the same for all."""
    src.write(".coveragerc", f"[run]\nsource = {source}\n")
    done = src.pytest("--vmpilot-cov")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TOTAL" in done.stdout
    assert [line.split()[1:4] for line in done.stdout.splitlines() if line.startswith("TOTAL")] == [["8", "5", "38%"]]


@pytest.mark.parametrize("place", ["site", ".tox/py/site"])
@pytest.mark.parametrize("setting", ["source = pack", "source_pkgs = pack", "source = pack.sub"])
def test_an_installed_package_counts_for_the_projects_files(src: Project, place: str, setting: str) -> None:
    """Where an installed copy of the package is imported, as under tox, it counts for the project's own files."""
    src.write("pytest.ini", "[pytest]\n")
    src.write(".coveragerc", f"[run]\n{setting}\n")
    site = src.path.parent / place if place == "site" else src.path / place
    shutil.copytree(src.path / "src", site)
    done = src.pytest("--vmpilot-cov", env={"PYTHONPATH": str(site)})
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("src/", "TOTAL", "/", ".tox"))]
    assert ["src/pack/sub/work.py", "4", "1", "75%"] in rows
    assert rows[-1] == ["TOTAL", "8", "5", "38%"]


def test_an_installed_package_that_was_imported_early_is_named(src: Project) -> None:
    """What the import of an installed copy ran before measurement began is missing, and the report says so."""
    site = src.path.parent / "site"
    shutil.copytree(src.path / "src", site)
    (site / "theirs.py").write_text("from pack.sub import work\n")
    done = src.pytest("--vmpilot-cov", "--cov=pack", "-p", "theirs", env={"PYTHONPATH": str(site)})
    assert f"by theirs ({site}/theirs.py)" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only"])
def test_a_session_that_runs_no_test_is_not_judged(src: Project, option: str) -> None:
    """Where pytest is asked to run no test, nothing is judged, and the last session's data stays."""
    src.write(".coveragerc", "[run]\nsource = src\n[report]\nfail_under = 30\n")
    src.pytest("--vmpilot-cov")
    before = lines_in(src.path / ".coverage")
    done = src.pytest("--vmpilot-cov", option)
    assert (0, before) == (done.returncode, lines_in(src.path / ".coverage")), done.stdout
    assert "vmpilot-cov =" not in done.stdout


@pytest.mark.parametrize("place", ["site", ".tox/py/site"])
def test_paths_holds_for_copies_that_are_included_as_well(src: Project, place: str) -> None:
    """An installed copy that ``include`` names counts for the file that ``[paths]`` makes of it."""
    src.write("pytest.ini", "[pytest]\n")
    src.write(".coveragerc", "[run]\ninclude =\n    src/*\n    */site/*\n[paths]\nsource =\n    src\n    */site\n")
    site = src.path.parent / place if place == "site" else src.path / place
    shutil.copytree(src.path / "src", site)
    done = src.pytest("--vmpilot-cov", env={"PYTHONPATH": str(site)})
    rows = [line.split() for line in done.stdout.splitlines() if ".py  " in line or line.startswith("TOTAL")]
    assert ["src/pack/sub/work.py", "4", "1", "75%"] in rows
    assert rows[-1] == ["TOTAL", "4", "1", "75%"]


def test_a_bare_report_prints_the_verdicts_total(src: Project) -> None:
    """``coverage report`` right after a session prints the verdict's total, and ``vmpilot-cov combine`` still works."""
    src.write(".coveragerc", "[run]\nsource = src\n")
    verdict = src.pytest("--vmpilot-cov").stdout
    bare = src.run("python", "-m", "coverage", "report").stdout
    total = next(line for line in verdict.splitlines() if line.startswith("TOTAL"))
    assert total.split() == bare.splitlines()[-1].split()
    again = src.run("vmpilot-cov", "combine").stdout
    assert total.split() in [line.split() for line in again.splitlines()]


def test_relative_files_stay_relative(src: Project) -> None:
    """With ``[run] relative_files`` the published files can be moved, and a bare report finds the sources."""
    src.write(".coveragerc", "[run]\nsource = src\nrelative_files = true\n")
    src.pytest("--vmpilot-cov", "-q")
    moved = src.path.parent / "moved"
    src.path.rename(moved)
    src.path = moved
    bare = src.run("python", "-m", "coverage", "report").stdout
    assert bare.splitlines()[-1].split() == ["TOTAL", "8", "5", "38%"]


def test_pyproject_is_read_as_well(src: Project) -> None:
    """Coverage's settings and ours can stand in ``pyproject.toml``."""
    src.write(
        "pyproject.toml",
        """
        [tool.coverage.run]
        source = ["src"]

        [tool.coverage.report]
        fail_under = 50

        [tool.vmpilot_cov]
        e2e = ["tests"]
        """,
    )
    done = src.pytest("--vmpilot-cov")
    assert done.returncode == 1
    assert "configuration pyproject.toml, fail_under 50 from pyproject.toml" in done.stdout
    assert lines_in(src.path / ".coverage.tests", "e2e")["work.py"] == [1, 2, 3]


def test_data_of_another_measurement_is_kept(src: Project) -> None:
    """A ``.coverage.pipeline`` that plain coverage.py has written counts as unverified, and survives the session."""
    src.write(".coveragerc", "[run]\nsource = src\n")
    src.write("serve.py", "from pack.sub import work\nwork.run(False)\n")
    src.run("python", "-m", "coverage", "run", "--data-file=.coverage.pipeline", "serve.py", env={"PYTHONPATH": "src"})
    for _ in range(2):
        done = src.pytest("--vmpilot-cov")
        assert lines_in(src.path / ".coverage", "pipeline")["work.py"] == [1, 2, 4], done.stdout
    assert "unverified" in done.stdout
