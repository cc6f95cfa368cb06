"""Data that was measured in another place counts for the files of this one: by content, by path, and said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from coverage import CoverageData

from server_hook.coverage_private import close_data
from tests.conftest import Project, lines_in
from tests.e2e.conftest import vmpilot

CHAT, AGENT = "def chat():\n    return 1\n\n\nchat()\n", "def agent():\n    return 2\n\n\nagent()\n"


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project, and a copy of it in another place that has run under recording and is gone."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    for name, text in (
        ("__init__", "X = 1\n"),
        ("chat", CHAT),
        ("agent", AGENT),
        ("main", "from app import agent, chat\n"),
    ):
        project.write(f"app/{name}.py", text)
    container = project.path.parent / "container"
    shutil.copytree(project.path, container)
    project.run("python", "-m", "app.main", cwd=container, env={"VMPILOT_COV": "."})
    shutil.copy(container / ".coverage.pipeline", project.path)
    shutil.rmtree(container)
    return project


def test_a_copied_data_file_counts_here(app: Project) -> None:
    """A ``.coverage.pipeline`` from a container counts for this checkout, and the report says what was mapped."""
    done = vmpilot(app, "combine")
    expected = {"chat.py": [1, 2, 5], "agent.py": [1, 2, 5], "main.py": [1], "__init__.py": [1]}
    assert lines_in(app.path / ".coverage", "pipeline") == expected
    place = app.path.parent / "container"
    assert f"Mapped: 4 files measured below {place} to . (4 by content)" in done.stdout
    assert vmpilot(app, "status", "--paths").stdout == f"[paths]\nplace1 =\n    {app.path}\n    {place}\n"


def test_it_counts_the_same_from_any_folder(app: Project, tmp_path: Path) -> None:
    """The working folder does not matter, as it does for coverage.py's ``[paths]``."""
    done = app.run("vmpilot-cov", "combine", "--config", str(app.path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert lines_in(app.path / ".coverage", "pipeline")["chat.py"] == [1, 2, 5]


def test_an_edited_file_is_stale_elsewhere_too(app: Project) -> None:
    """A file that was edited since the container ran it is known by its path, and what it reached does not count."""
    app.write("app/chat.py", "# new\n" + CHAT)
    done = vmpilot(app, "combine")
    assert "3 lines that pipeline reached in app/chat.py do not count: the file has changed since" in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline") == {
        "agent.py": [1, 2, 5],
        "main.py": [1],
        "__init__.py": [1],
    }


def test_plain_data_is_mapped_by_path_and_by_setting(app: Project) -> None:
    """Data of coverage.py, which has no fingerprints, is mapped by the end of the path, else by ``[paths]``."""
    app.write(".coveragerc", "[run]\nsource = app\n[paths]\nany =\n    app\n    /opt/elsewhere\n")
    data = CoverageData(basename=str(app.path / ".coverage.pipeline"))
    data.erase()
    data.add_lines({"/srv/app/chat.py": [1], "/opt/elsewhere/agent.py": [1], "/opt/unknown/agent.py": [1]})
    data.write()
    close_data(data)
    done = vmpilot(app, "combine")
    assert lines_in(app.path / ".coverage") == {"chat.py": [1], "agent.py": [1]}
    assert "(1 by [paths])" in done.stdout
    assert "(1 by path)" in done.stdout
    assert "Not counted: 1 measured file outside the project (/opt/unknown/agent.py)" in done.stdout
