"""Children that a test starts in an environment of its own: those of the project that record nothing are named."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.e2e.conftest import session, warnings_in

TESTS = """
    import asyncio
    import os
    import subprocess
    import sys

    bare = {name: value for name, value in os.environ.items() if not name.startswith("VMPILOT")}
    bare["PYTHONPATH"] = "."


    def test_module():
        subprocess.run([sys.executable, "-u", "-m", "app.tool", "x"], env=bare, check=True)


    def test_script():
        none = [None] * 5
        process = subprocess.Popen([sys.executable, "run.py"], -1, *none, True, False, "app", bare)
        assert process.wait() == 0


    def test_asyncio():
        async def start():
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.tool", "x", env=bare)
            return await process.wait()

        assert asyncio.run(start()) == 0
"""
OTHERS = """
    import os
    import subprocess
    import sys

    import pytest

    bare = {name: value for name, value in os.environ.items() if not name.startswith("VMPILOT")}


    def test_who_records_or_runs_nothing_of_the_project(tmp_path):
        ours = [sys.executable, "-m", "app.tool"]
        subprocess.run(ours, check=True)
        subprocess.run(ours, env=dict(os.environ), check=True)
        subprocess.run([sys.executable, "-m", "json.tool", "--help"], env=bare, check=True)
        subprocess.run([sys.executable, "-c", "pass"], env=bare, check=True)
        (tmp_path / "other.py").touch()
        subprocess.run([sys.executable, str(tmp_path / "other.py")], env=bare, check=True)
        subprocess.run(["true"], env=bare, check=True)
        subprocess.run("true", env=bare, check=True, shell=True)
        subprocess.run(iter(["true"]), env=bare, check=True)
        with pytest.raises(FileNotFoundError):
            subprocess.run(["no such program"], env=bare)
"""


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a module and a script."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "")
    project.write("app/tool.py", "x = 1\n")
    project.write("app/run.py", "x = 1\n")
    return project


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_a_child_without_the_variable_is_named(app: Project, options: tuple[str, ...]) -> None:
    """A module and a script of the project are named with how many there were, however they are started."""
    app.write("test_app.py", TESTS)
    autoload = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""} if options else {}
    done = session(app, *options, env=autoload)
    assert "3 passed" in done.stdout, done.stdout
    (line,) = [line for line in warnings_in(done) if "(child-unrecorded)" in line]
    assert "3 processes that tests started in an environment without VMPILOT_COV recorded nothing: " in line
    assert " -u -m app.tool x" in line
    assert " run.py" in line


def test_other_children_are_not_named(app: Project) -> None:
    """Who has the variable, runs something else, or does not start at all is nothing to name."""
    app.write("test_app.py", OTHERS)
    done = session(app)
    assert "1 passed" in done.stdout, done.stdout
    assert not [line for line in warnings_in(done) if "(child-unrecorded)" in line]
