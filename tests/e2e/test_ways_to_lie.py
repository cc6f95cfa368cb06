"""Each way in which a figure could lie: what coverage.py alone makes of it, and what is said here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from coverage import CoverageData

from server_hook.coverage_private import close_data
from tests.conftest import Project, lines_in
from tests.e2e.conftest import vmpilot

SOURCE = "def first():\n    return 1\n\n\ndef second():\n    return 2\n\n\nfirst()\n"
EDITED = "# one\n# two\n" + SOURCE


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project whose one module has run, recorded here and by coverage.py."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "X = 1\n")
    project.write("app/work.py", SOURCE)
    project.run("python", "-m", "coverage", "run", "--data-file=plain", "-m", "app.work")
    project.run("python", "-m", "app.work", env={"VMPILOT_COV": "."})
    return project


def plain_total(app: Project, data_file: str = "plain") -> int:
    """Return the total that coverage.py's own report of a data file gives."""
    done = app.run("python", "-m", "coverage", "report", f"--data-file={data_file}", "--format=total")
    return int(done.stdout)


def combined(app: Project, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, object]]:
    """Combine, and read our key of the JSON report."""
    done = vmpilot(app, "combine", "--cov-report=json", "--cov-report=term", *options)
    report = json.loads((app.path / "coverage.json").read_text())
    return done, report["vmpilot_cov"]


def test_a_source_that_has_moved_on(app: Project) -> None:
    """coverage.py counts old line numbers of an edited file without a word; here they are left out and named."""
    assert plain_total(app) == 83
    app.write("app/work.py", EDITED)
    assert plain_total(app) == 17
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\nstale = fail\n")
    done, key = combined(app)
    assert done.returncode == 1
    assert "4 lines that pipeline reached in app/work.py do not count: the file has changed since" in done.stdout
    assert "FAIL data of app/work.py is older than its source" in done.stdout
    assert key["stale"] == [{"path": "app/work.py", "origin": "pipeline", "lines": 4, "kept": False}]


def test_stale_data_can_be_kept(app: Project) -> None:
    """With ``stale = keep`` old line numbers count, as they do for coverage.py, and the report says so."""
    app.write("app/work.py", SOURCE + "third = 3\n")
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\nstale = keep\n")
    done, _ = combined(app)
    assert "4 lines that pipeline reached in app/work.py count although the file has changed since" in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline")["work.py"] == [1, 2, 5, 9]


@pytest.mark.parametrize("option", ["", "--vmpilot-cov-stale=drop"])
def test_the_command_line_goes_before_the_setting(app: Project, option: str) -> None:
    """``--vmpilot-cov-stale`` is stronger than ``stale``; another word is refused with its place."""
    app.write("tests/test_one.py", "def test_one():\n    import app.work\n")
    app.write("app/work.py", EDITED)
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\nstale = fail\n")
    done = app.pytest("--vmpilot-cov", *filter(None, [option]))
    assert done.returncode == (0 if option else 1), done.stdout
    refused = app.pytest("--vmpilot-cov", "--vmpilot-cov-stale=no")
    assert (refused.returncode, "stale=no (from --vmpilot-cov-stale) is not a way" in refused.stderr) == (4, True)


def test_statements_beside_branches(app: Project) -> None:
    """coverage.py refuses to combine lines with branches; here lines count, and the unknown branches are named."""
    app.write(".coveragerc", "[run]\nsource = app\nbranch = on\n")
    app.write("other.py", "import app.work\n")
    app.run("python", "-m", "coverage", "run", "--branch", "--data-file=branches", "other.py")
    refused = app.run("python", "-m", "coverage", "combine", "--keep", "--data-file=both", "plain", "branches")
    assert "Can't combine" in refused.stdout + refused.stderr
    app.write("tests/test_one.py", "def test_one():\n    import app.work\n    app.work.second()\n")
    done = app.pytest("--vmpilot-cov")
    assert done.returncode == 0, done.stdout
    assert "some data of pipeline has lines only: which branches it took is unknown" in done.stdout
    assert "measured with branch = off, here it is on" in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline")["work.py"] == [1, 2, 5, 9]


def test_an_empty_file_is_no_data(app: Project) -> None:
    """coverage.py combines a file of no bytes without a word; here it is named."""
    (app.path / "nothing").mkdir()
    (app.path / "nothing/.coverage.pipeline").write_bytes(b"")
    done = app.run(
        "python", "-m", "coverage", "combine", "--keep", "--data-file=out", "plain", "nothing/.coverage.pipeline"
    )
    assert done.returncode == 0
    named = vmpilot(app, "combine", "nothing/.coverage.pipeline")
    assert (named.returncode, "holds no executed line" in named.stderr) == (1, True)


@pytest.mark.parametrize("command", [("report",), ("combine",), ("erase",)])
def test_publications_are_safe_from_coverages_own_commands(app: Project, command: tuple[str, ...]) -> None:
    """After a bare coverage.py command has swallowed or deleted our files, combine still knows every origin."""
    app.write("tests/test_one.py", "import app.work\n\ndef test_one():\n    app.work.second()\n")
    app.pytest("--vmpilot-cov")
    before = {origin: lines_in(app.path / ".coverage", origin) for origin in ("unit", "pipeline")}
    app.run("python", "-m", "coverage", *command)
    assert vmpilot(app, "combine").returncode == 0
    assert {origin: lines_in(app.path / ".coverage", origin) for origin in ("unit", "pipeline")} == before


def test_origins_as_sets(app: Project) -> None:
    """What one origin alone reached, what several did and what nobody did adds up, in the terminal and the JSON."""
    app.write("tests/test_one.py", "import app.work\n\ndef test_one():\n    app.work.second()\n")
    done = app.pytest("--vmpilot-cov", "--vmpilot-cov-sets", "--cov-report=json")
    key = json.loads((app.path / "coverage.json").read_text())["vmpilot_cov"]
    assert key["sets"]["files"]["app/work.py"] == {"unit": 1, "pipeline": 0, "several": 4, "nobody": 0}
    assert "Reached by several origins: 5; by nobody: 0" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["app/work.py", "1", "0", "4", "0"] in rows


def test_plain_data_is_called_unverified(app: Project, tmp_path: Path) -> None:
    """Data of coverage.py, which carries no fingerprint, counts and is labelled."""
    data = CoverageData(basename=str(tmp_path / ".coverage.pipeline"))
    data.add_lines({str(app.path / "app/work.py"): [1, 5, 6]})
    data.write()
    close_data(data)
    done = vmpilot(app, "combine", str(tmp_path / ".coverage.pipeline"))
    assert "unverified: it does not say which source it measured" in done.stdout
    assert lines_in(app.path / ".coverage") == {"work.py": [1, 5, 6]}


def test_an_omit_that_hides_the_whole_server(app: Project) -> None:
    """coverage.py reports a total without the server as if it had not run; here it is said that all is left out."""
    app.write("tests/test_one.py", "def test_one():\n    pass\n")
    app.write(".coveragerc", "[run]\nsource = .\nomit = app/*\n")
    done = app.pytest("--vmpilot-cov")
    assert "all 2 files that pipeline measured are left out: they are omitted, or lie outside the source" in done.stdout
    assert "measured with omit = none, here it is app/*" in done.stdout


def test_a_source_that_is_not_there(app: Project) -> None:
    """A source folder that does not exist is named, with the configuration that asks for it."""
    app.write("tests/test_one.py", "def test_one():\n    pass\n")
    app.write(".coveragerc", "[run]\nsource =\n    app\n    src/none\n")
    assert "source src/none (from " in app.pytest("--vmpilot-cov").stdout


BRANCHES = """
    import sys


    def choose(number):
        if number > 1:
            print("many")
        for _ in range(number):
            if number == 2:
                break
        else:
            print("else")


    choose(int(sys.argv[1]))
"""


def test_branches_are_those_of_coverage_itself(app: Project) -> None:
    """On the same honest runs our arcs are, file by file, those of ``coverage run`` and ``coverage combine``."""
    app.write(".coveragerc", "[run]\nsource = app\nbranch = on\n")
    app.write("app/branches.py", BRANCHES)
    (app.path / ".coverage.pipeline").unlink()
    core = {"COVERAGE_CORE": "ctrace"}
    for number in ("0", "1", "2"):
        app.run("python", "-m", "coverage", "run", "-p", "--data-file=theirs", "-m", "app.branches", number, env=core)
        app.run("python", "-m", "app.branches", number, env={"VMPILOT_COV": ".", **core})
    app.run("python", "-m", "coverage", "combine", "--data-file=theirs")
    vmpilot(app, "combine")
    assert arcs_in(app.path / ".coverage") == arcs_in(app.path / "theirs")


def arcs_in(path: Path) -> list[tuple[int, int]]:
    """Read the arcs of ``branches.py`` in a data file."""
    data = CoverageData(basename=str(path))
    data.read()
    [file] = [name for name in data.measured_files() if name.endswith("branches.py")]
    found = sorted(data.arcs(file) or ())
    close_data(data)
    return found
