"""Servers that record nothing are seen: by status, by doctor and in the section, with what is missing in each."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, Server, lines_in, needs_proc, wait_for
from tests.e2e.conftest import session, vmpilot, warnings_in

AGENT = "def answer():\n    return 1\n"
SERVER = """
    import sys
    import time
    from pathlib import Path

    import vmpilot.agent

    vmpilot.agent.answer()
    Path(sys.argv[1]).touch()
    time.sleep(600)
"""
PROJECT = "[run]\nsource = src/vmpilot\n"


@pytest.fixture
def people(project: Project) -> Project:
    """Give what people have: a project, and beside it a folder ``pipelines`` from which its server is started."""
    project.write("app/.coveragerc", PROJECT)
    project.write("app/src/vmpilot/__init__.py", "VERSION = 1\n")
    project.write("app/src/vmpilot/agent.py", AGENT)
    project.write("app/tests/test_agent.py", "from vmpilot import agent\n\n\ndef test_agent():\n    agent.answer()\n")
    project.write("app/pytest.ini", "[pytest]\npythonpath = src\n")
    project.write("pipelines/serve.py", SERVER)
    return project


def copy_tree(people: Project, *, before_agent: str = "") -> None:
    """Copy the source to where the server starts, as people do, and perhaps edit all of it."""
    shutil.copytree(people.path / "app/src/vmpilot", people.path / "pipelines/vmpilot")
    if before_agent:
        people.write("pipelines/vmpilot/agent.py", before_agent + AGENT)
        people.write("pipelines/vmpilot/__init__.py", "edited = True\n")


def serve(people: Project, config: str = "app", python: str = sys.executable) -> Server:
    """Start the server with a configuration, and wait until it has answered once."""
    mark = people.path / "answered"
    mark.unlink(missing_ok=True)
    words = [python, "serve.py", str(mark)]
    server = people.serve(*words, cwd=people.path / "pipelines", env={"VMPILOT_COV": f"../{config}"}, wait=False)
    wait_for(mark.exists, server.log.read_text)
    return server


def problem_of(people: Project, server: Server) -> str:
    """Wait until ``status`` names a server; return what it says, which is what doctor and the section say."""
    app = Project(people.path / "app")
    lines: list[str] = []

    def is_named() -> bool:
        lines[:] = [line for line in vmpilot(app, "status").stdout.splitlines() if "(server-unrecorded)" in line]
        return bool(lines)

    wait_for(is_named, server.log.read_text)
    (line,) = lines
    assert f"WRONG {line}" in vmpilot(app, "doctor").stdout.splitlines()
    assert f"WARNING: {line}" in session(app).stdout.splitlines()
    assert line.startswith(f"process {server.pid} (")
    return line.partition(" records nothing: ")[2].removesuffix(" (server-unrecorded)")


def test_a_copied_tree_counts_as_the_project(people: Project) -> None:
    """A server that runs a copy of the tree, with the project's own configuration, counts for the project's files."""
    copy_tree(people)
    serve(people)
    app = Project(people.path / "app")
    done = vmpilot(app, "combine")
    assert lines_in(app.path / ".coverage", "pipeline") == {"__init__.py": [1], "agent.py": [1, 2]}
    assert f"Mapped: 2 files measured below {people.path}/pipelines to src (2 by content)" in done.stdout


@needs_proc
def test_a_copied_tree_that_differs_is_named(people: Project) -> None:
    """Where no file of the copy is like the project's any more, the server is named with the file that ends alike."""
    copy_tree(people, before_agent="import os\nimport sys\n")
    problem = problem_of(people, serve(people))
    other = people.path / "pipelines/vmpilot/__init__.py"
    expected = f"it has run no file of [run] source; it has run {other}, which ends like src/vmpilot/__init__.py"
    assert expected == problem


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_file_that_was_copied_alone_counts_as_the_project_has_it(people: Project, *, is_edited: bool) -> None:
    """A server to which a single file was uploaded counts for it; lines of an earlier version of it are named."""
    people.write("pipelines/uploaded/agent.py", AGENT + "# edited\n" * is_edited)
    load = "runpy.run_path('uploaded/{}agent.py')['answer']()"
    people.write("pipelines/uploaded/unlike/agent.py", "answer = int\nb = 2\nc = 3\n")
    loads = "\n    ".join(load.format(below) for below in ("", "unlike/"))
    people.write(
        "pipelines/serve.py",
        SERVER.replace("import vmpilot.agent", "import runpy").replace("vmpilot.agent.answer()", loads),
    )
    serve(people)
    app = Project(people.path / "app")
    done = vmpilot(app, "combine")
    if is_edited:
        stale = "2 lines that pipeline reached in src/vmpilot/agent.py do not count: the file has changed since"
        assert done.stderr.startswith(f"vmpilot-cov: {stale} (stale-source)"), done.stderr
    else:
        assert f"below {people.path}/pipelines/uploaded to src/vmpilot (1 by content)" in done.stdout
        assert "Not counted" not in done.stdout
        assert lines_in(app.path / ".coverage", "pipeline") == {"agent.py": [1, 2]}


@needs_proc
def test_a_second_configuration_whose_source_is_not_there_is_named(people: Project) -> None:
    """A configuration that was copied beside the server has a relative source that is no folder there."""
    copy_tree(people)
    people.write("pipelines/.coveragerc", PROJECT)
    people.write("app/.coveragerc", f"{PROJECT}[vmpilot_cov]\npipeline_data = ../pipelines\n")
    problem = problem_of(people, serve(people, "pipelines"))
    beside = people.path / "pipelines"
    assert problem == f"source src/vmpilot is no folder, did you mean vmpilot, which is one below {beside}?"


@needs_proc
def test_an_environment_without_the_package_is_named(people: Project, tmp_path: Path) -> None:
    """A server whose Python lacks the package is found by the process list, with the interpreter."""
    copy_tree(people)
    people.run("python", "-m", "venv", "--without-pip", str(tmp_path / "bare"))
    python = str(tmp_path / "bare/bin/python")
    problem = problem_of(people, serve(people, python=python))
    assert problem == f"its Python, {python}, lacks the package; pip install pytest-vmpilot-cov there, and restart it"


BESIDE = {
    "absolute source, linked tree": ("source = {app}/src/vmpilot\nomit = {app}/src/vmpilot/gen.py", "link", ""),
    "absolute source, a pattern": ("source = {app}/src/vmpilot\nomit = */gen.py", "link", ""),
    "absolute source, relative omit": (
        "source = {app}/src/vmpilot\nomit = src/vmpilot/gen.py",
        "link",
        "omit = {pipelines}/src/vmpilot/gen.py, here it is {app}/src/vmpilot/gen.py",
    ),
    "relative source, copied tree": ("source = vmpilot\nomit = vmpilot/gen.py", "copy", ""),
    "relative source, linked tree": ("source = vmpilot\nomit = */gen.py", "link", ""),
    "relative source, no omit": ("source = vmpilot", "copy", "omit = none, here it is src/vmpilot/gen.py"),
    "a wider source": ("source = {pipelines}, {app}\nomit = */gen.py", "link", ""),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_second_configuration_in_step_is_nothing_to_warn_of(people: Project, name: str) -> None:
    """A configuration beside the server that means the same files is the same; one that means others is named."""
    text, tree, difference = BESIDE[name]
    places = {"app": people.path / "app", "pipelines": people.path / "pipelines"}
    people.write("app/src/vmpilot/gen.py", "x = 1\n")
    people.write(
        "app/.coveragerc", f"{PROJECT}omit = src/vmpilot/gen.py\n[vmpilot_cov]\npipeline_data = ../pipelines\n"
    )
    people.write("pipelines/.coveragerc", f"[run]\n{text.format(**places)}\n")
    if tree == "copy":
        copy_tree(people)
    else:
        (places["pipelines"] / "vmpilot").symlink_to(places["app"] / "src/vmpilot")
    serve(people, "pipelines")
    app = Project(places["app"])
    done = vmpilot(app, "combine")
    assert lines_in(app.path / ".coverage", "pipeline") == {"__init__.py": [1], "agent.py": [1, 2]}
    differing = [line for line in warnings_in(done) if "settings-differ" in line]
    assert len(differing) == bool(difference)
    assert difference.format(**places) in "".join(differing)


@needs_proc
def test_who_is_no_server_of_this_project_is_not_named(people: Project) -> None:
    """A server that records, one of another configuration and a tool are nothing to warn of."""
    copy_tree(people)
    people.write("other/.coveragerc", PROJECT)
    people.write("pipelines/pip.py", "import time\n\ntime.sleep(600)\n")
    serve(people)
    serve(people, "other")
    elsewhere = {"cwd": people.path / "pipelines", "wait": False}
    people.serve("python", "pip.py", env={"VMPILOT_COV": "../app"}, **elsewhere)  # type: ignore[arg-type]
    last = people.serve("python", "-c", "import time; time.sleep(600)", env={"VMPILOT_COV": "../app"}, **elsewhere)  # type: ignore[arg-type]
    assert problem_of(people, last).startswith("it has run no file of [run] source")


@needs_proc
def test_a_server_that_records_elsewhere_is_named(people: Project) -> None:
    """A server with a configuration of its own records the project's files beside that: said, until it is looked at."""
    source = people.path / "app/src/vmpilot"
    people.write("pipelines/.coveragerc", f"[run]\nsource = {source}\n")
    (people.path / "pipelines/vmpilot").symlink_to(source)
    server = serve(people, "pipelines")
    app, beside = Project(people.path / "app"), people.path / "pipelines"
    lines: list[str] = []

    def is_named() -> bool:
        lines[:] = [line for line in vmpilot(app, "status").stdout.splitlines() if "(server-elsewhere)" in line]
        return bool(lines)

    wait_for(is_named, server.log.read_text)
    assert lines[0].startswith(f"process {server.pid} ("), lines
    assert f" records files of this source into {beside}, which does not count; " in lines[0]
    assert f"WARNING: {lines[0]}" in session(app).stdout.splitlines()
    named = session(app, "--vmpilot-cov-pipeline=../pipelines")
    assert "(server-elsewhere)" not in named.stdout
    assert lines_in(app.path / ".coverage", "pipeline") == {"__init__.py": [1], "agent.py": [1, 2]}
