"""Data that was measured in another place counts for the files of this one: by content, by path, and said."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from coverage import CoverageData

from server_hook.coverage_private import close_data
from server_hook.store import publication
from tests.conftest import Project, lines_in, wait_for
from tests.e2e.conftest import session, vmpilot

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


@pytest.mark.parametrize("place", [".tox/py/lib/site-packages", "build/lib"])
@pytest.mark.parametrize(("source", "folder"), [("app", "src"), (".", ".")])
def test_a_copy_inside_the_project_counts(project: Project, place: str, source: str, folder: str) -> None:
    """A copy below ``.tox`` or ``build`` that a server runs counts for the project's own files, as one outside does."""
    project.write(f"{folder}/app/__init__.py", "X = 1\n")
    project.write(f"{folder}/app/chat.py", CHAT)
    shutil.copytree(project.path / folder / "app", project.path / place / "app")
    project.write(".coveragerc", "[run]\nsource = app\n")
    copy = str(project.path / place)
    project.run(
        "python", "-m", "app.chat", cwd=project.path / "..", env={"VMPILOT_COV": str(project.path), "PYTHONPATH": copy}
    )
    project.write(".coveragerc", f"[run]\nsource = {source}\n")
    done = vmpilot(project, "combine")
    assert lines_in(project.path / ".coverage", "pipeline") == {"chat.py": [1, 2, 5], "__init__.py": [1]}
    assert f"measured below {copy} to {folder} (2 by content)" in done.stdout
    assert "Not counted" not in done.stdout


WINDOWS = {
    "relative": ("app\\chat.py", "app\\tools\\clock.py"),
    "absolute": ("C:\\hosted\\proj\\app\\chat.py", "c:\\hosted\\proj\\app\\tools\\clock.py"),
    "network": ("\\\\host\\proj\\app\\chat.py", "\\\\host\\proj\\app\\tools\\clock.py"),
}


@pytest.mark.parametrize("kind", WINDOWS)
def test_data_of_windows_is_combined_as_coverage_does(project: Project, kind: str) -> None:
    """Relative paths, those with a drive letter and those of a network give coverage.py's own lines."""
    setting = "proj =\n    app\n    C:\\hosted\\proj\\app\n    \\\\host\\proj\\app\n"
    project.write(".coveragerc", f"[run]\nsource = app\nrelative_files = true\n[paths]\n{setting}")
    for name in ("app/__init__.py", "app/tools/__init__.py"):
        project.write(name, "")
    project.write("app/chat.py", CHAT)
    project.write("app/tools/clock.py", "a = 1\nb = 2\n")
    data = CoverageData(basename=str(project.path / "windows.coverage"))
    data.add_lines(dict(zip(WINDOWS[kind], ([1, 5], [1]), strict=True)))
    data.write()
    close_data(data)
    vmpilot(project, "combine", "windows.coverage")
    ours = lines_in(project.path / ".coverage")
    project.run("coverage", "combine", "--keep", "windows.coverage")
    assert ours == lines_in(project.path / ".coverage") == {"chat.py": [1, 5], "clock.py": [1]}


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


def test_an_omitted_file_is_called_omitted(app: Project) -> None:
    """What the configuration leaves out, here or in a copy, is no file of another project."""
    app.run("python", "-m", "app.main", env={"VMPILOT_COV": "."})
    app.write(".coveragerc", "[run]\nsource = app\nomit = app/chat.py\n")
    done = vmpilot(app, "combine")
    copy = app.path.parent / "container/app/chat.py"
    assert f"Not counted: 2 measured files omitted ({copy}, app/chat.py)" in done.stdout
    assert "outside the project" not in done.stdout


def test_data_of_a_place_that_is_gone_does_not_live_on(app: Project) -> None:
    """What a session published of another place is as old as it is, and the next session counts it no more."""
    place = app.path.parent / "place"
    place.mkdir()
    (app.path / ".coverage.pipeline").rename(place / ".coverage.pipeline")
    app.write("test_main.py", "from app import chat\n\n\ndef test_chat():\n    chat.chat()\n")
    option = f"--vmpilot-cov-pipeline={place}"
    done = session(app, option)
    assert lines_in(app.path / ".coverage", "pipeline")["agent.py"] == [1, 2, 5]
    measured = publication.read_oldest(app.path / ".coverage.pipeline")["pipeline"]
    assert measured == publication.read_oldest(place / ".coverage.pipeline")["pipeline"]
    shutil.rmtree(place)
    read = re.search(r"Pipeline: read \.coverage\.pipeline, measured .* ago in (.*)", vmpilot(app, "report").stdout)
    assert read
    assert read[1] == f"{app.path.parent / 'container'}, which is not here"
    done = session(app, option)
    assert lines_in(app.path / ".coverage", "pipeline") == {}
    assert not (app.path / ".coverage.pipeline").exists()
    header, warning = (line for line in done.stdout.splitlines() if "pipeline-not-found" in line)
    assert header == f"vmpilot-cov: {warning}"
    assert warning.startswith(f"WARNING: {place} (from --vmpilot-cov-pipeline), where pipeline data should lie, does ")


def test_a_foreign_data_file_keeps_its_age_and_its_place(app: Project) -> None:
    """A publication that was copied here counts in every session, under its own name and with its own age."""
    app.write("test_main.py", "from app import chat\n\n\ndef test_chat():\n    chat.chat()\n")
    with sqlite3.connect(app.path / ".coverage.pipeline") as base:
        base.execute("UPDATE vmpilot_cov_source SET begun = begun - 864000")
    base.close()
    for _ in range(2):
        done = session(app)
        assert lines_in(app.path / ".coverage", "pipeline")["agent.py"] == [1, 2, 5]
        assert "Pipeline: the oldest data that counts is 10 days old" in done.stdout
    there = re.escape(str(app.path.parent / "container"))
    read = rf"Pipeline: read \.vmpilot-cov/kept-\w+/\.coverage\.pipeline, measured 10 days ago in {there}, which is not"
    assert re.search(read, done.stdout)


def test_what_a_session_published_of_another_place_names_it(app: Project) -> None:
    """A report after a session that read a server's own data folder says where that folder was, once it is gone."""
    place = str(app.path.parent / "place")
    (app.path / ".coverage.pipeline").unlink()
    app.run("python", "-m", "app.main", env={"VMPILOT_COV": ".", "VMPILOT_COV_DATA_DIR": place})
    app.write("test_main.py", "def test_nothing():\n    pass\n")
    session(app, f"--vmpilot-cov-pipeline={place}")
    assert re.search(rf"read \.coverage\.pipeline, measured .* ago in {place}\n", vmpilot(app, "combine").stdout)
    shutil.rmtree(place)
    said = rf"read \.coverage\.pipeline, measured .* ago in {place}, which is not here\n"
    assert re.search(said, vmpilot(app, "report").stdout)


@pytest.mark.parametrize("move", [shutil.copytree, shutil.move])
def test_a_server_does_not_deliver_into_a_copy(project: Project, move: Callable[[Path, Path], object]) -> None:
    """A server whose data folder was copied, or moved, is not asked for what it writes elsewhere, and that is said."""
    project.package("app", stay="import time\n\nwhile True:\n    time.sleep(0.05)\n")
    place, other = project.path / "place", project.path / "other"
    env = {"VMPILOT_COV": ".", "VMPILOT_COV_DATA_DIR": str(place)}
    server = project.serve("python", "-m", "app.stay", env=env, wait=False)
    wait_for(lambda: any(place.glob(".vmpilot-cov/*/*.seg")), server.log.read_text)
    move(place, other)
    wait_for(lambda: any(place.glob(".vmpilot-cov/*/record.json")), server.log.read_text)
    (project.path / "test_it.py").write_text("def test_it():\n    pass\n")
    done = session(project, f"--vmpilot-cov-pipeline={other}")
    assert f"Pipeline: pid {server.pid} records in {place}, not here; last segment " in done.stdout
    assert "delivered" not in done.stdout
    assert lines_in(project.path / ".coverage", "pipeline")["stay.py"] == [1, 3, 4]
