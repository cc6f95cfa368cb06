"""Wherever pytest is started, and wherever tests go: the same report, in the same files, and no stray one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.plugin.conftest import EXPLICIT

WORK = "def run(flag):\n    if flag:\n        return 1\n    return 2\n"
COVERAGERC = "[run]\nsource = src\nomit = src/pack/generated.py\n"
PYPROJECT = '[tool.coverage.run]\nsource = ["src"]\nomit = ["src/pack/generated.py"]\n'
INI = "[pytest]\npythonpath = src\ntestpaths = tests\n"
TEST = """
    import os
    import shutil
    from pathlib import Path
    from pack import work

    def test_run(tmp_path, monkeypatch):
        assert work.run(True) == 1
        GO
"""
LEFT_BEHIND = (
    "{data}.coverage",
    "{data}.coverage.tests",
    "{data}.vmpilot-cov",
    "{reports}out/c.xml",
    "{reports}htmlcov",
)


@dataclass(frozen=True)
class Start:
    """Where a session is started, with which words, in a project that is laid out in which way."""

    name: str
    cwd: str = "."
    words: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that differ from the usual; an empty one is not there."""
    go: str = "pass"
    """Where the test goes, and does not come back from."""
    data: str = ""
    """The folder of the data files, where it is not the configuration's."""
    reports: str = ""
    """The folder of the reports, where pytest's rootdir is not the project's."""


STARTS = (
    Start("the root"),
    Start("the folder of the tests", "tests"),
    Start("the folder of the source", "src/pack", ("../../tests",)),
    Start("the parent", "..", ("project",)),
    Start("elsewhere", "../elsewhere", ("../project/tests",)),
    Start("elsewhere, with --rootdir", "../elsewhere", ("--rootdir=../project", "../project/tests")),
    Start("a link", "../link", ("tests",)),
    Start("a configuration of pytest in another folder", words=("-c", "ci/pytest.ini", "tests"), reports="ci/",
          files={"ci/pytest.ini": "[pytest]\npythonpath = ../src\n"}),
    Start("no configuration of pytest", "tests", ("..",), {"PYTHONPATH": "../src"}, {"pytest.ini": ""}),
    Start("pyproject.toml", "tests", files={".coveragerc": "", "pyproject.toml": PYPROJECT}),
    Start("COVERAGE_FILE", "tests", env={"COVERAGE_FILE": "kept/.coverage"}, data="tests/kept/"),
    Start("a conftest that goes elsewhere", files={"conftest.py": "import os\nos.chdir('tests')\n"}),
    Start("a test that goes elsewhere", go="os.chdir(tmp_path)"),
    Start("a test that is brought back", "tests", go="monkeypatch.chdir(tmp_path)"),
    Start("a test that removes its folder", go="os.chdir(tmp_path); shutil.rmtree(tmp_path)"),
)  # fmt: skip


def lay_out(project: Project, start: Start) -> None:
    """Write the project of a row, with a link to it and a folder beside it."""
    files = {
        ".coveragerc": COVERAGERC,
        "pytest.ini": INI,
        "src/pack/__init__.py": "x = 1\n",
        "src/pack/work.py": WORK,
        "src/pack/unused.py": WORK,
        "src/pack/generated.py": WORK,
        "tests/test_work.py": TEST.replace("GO", start.go),
        **start.files,
    }
    for name, text in files.items():
        if text:
            project.write(name, text)
    (project.path.parent / "elsewhere").mkdir()
    (project.path.parent / "link").symlink_to(project.path)


def files_below(folder: Path) -> set[str]:
    """List every file, folders that hold many as one, and the link as what it is."""
    found = set()
    for place, folders, names in os.walk(folder):
        whole = {name for name in folders if name in {".vmpilot-cov", "htmlcov"}}
        folders[:] = [name for name in folders if name not in whole]
        found |= {os.path.relpath(os.path.join(place, name), folder) for name in {*names, *whole}}
    return found


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.name)
def test_the_same_from_anywhere(project: Project, start: Start) -> None:
    """The total, the files it is of, and every file that appears are the same wherever a session starts and goes."""
    lay_out(project, start)
    around = project.path.parent
    before = files_below(around)
    done = project.pytest(
        *("-p", "pytest_vmpilot_cov.plugin", "--vmpilot-cov", f"--basetemp={around / 'temporary'}"),
        *("--cov-report=term", "--cov-report=xml:out/c.xml", "--cov-report=html"),
        *start.words,
        env={**EXPLICIT, "PYTHONDONTWRITEBYTECODE": "1", **start.env},
        cwd=project.path / start.cwd,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    section = done.stdout.partition("= vmpilot-cov =")[2].splitlines()
    table = {line.split()[0].rpartition("src/")[2]: line.split()[1:4] for line in section if line.count("%") == 1}
    assert table == {
        "unit": ["2", "9", "4"],
        "combined": ["2", "9", "4"],
        "pack/__init__.py": ["1", "0", "100%"],
        "pack/unused.py": ["4", "4", "0%"],
        "pack/work.py": ["4", "1", "75%"],
        "TOTAL": ["9", "5", "44%"],
    }, done.stdout + done.stderr
    appeared = {name for name in files_below(around) - before if not name.startswith("temporary/")}
    folders = {"data": start.data, "reports": start.reports}
    assert appeared == {f"project/{name.format(**folders)}" for name in LEFT_BEHIND}
