"""Lines belong to the source that was loaded, whoever loads it, and whatever lies there by now."""

from __future__ import annotations

import pytest

from tests.conftest import Project, lines_in
from tests.plugin.conftest import CORES

OLD = "def old():\n    return 1\n\n\ndef handle(x):\n    if x:\n        return 'a'\n    return 'b'\n"
NEW = "def handle(x):\n    return 0\n\n\ndef never():\n    return handle(1)\n"
CONFIG = "[run]\nsource = .\n"

AFTER_A_FORK = """
    import multiprocessing, os, sys
    import app

    def child():
        app.handle(1)

    if os.environ["HOW"] == "os.fork":
        if not os.fork():
            os.replace("new.py", "app.py")
            child()
            sys.exit()
        os.wait()
    else:
        os.replace("new.py", "app.py")
        with multiprocessing.get_context("fork").Pool(1) as pool:
            pool.apply(app.handle, (1,))
"""

LOADS = """
    import importlib.util, os, runpy, sys
    from importlib.abc import SourceLoader

    class Loader(SourceLoader):
        def get_filename(self, name):
            return "app.py"

        def get_data(self, path):
            with open(path, "rb") as file:
                return file.read()

    def by_exec():
        exec(compile(open("app.py").read(), os.path.abspath("app.py"), "exec"), names := {})
        return names

    def by_a_loader():
        spec = importlib.util.spec_from_loader("app", Loader())
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return vars(module)

    ways = {"exec": by_exec, "runpy": lambda: runpy.run_path("app.py"), "a loader": by_a_loader}
    load = ways[os.environ["HOW"]]
    load()["handle"](1)
    names = load()
    os.replace("new.py", "app.py")
    names["handle"](0)
    load()["handle"](0)
"""


def run(project: Project, program: str, how: str, core: str) -> str:
    """Run a program that reaches old and new code; return what the verdict says of it."""
    for name, text in ((".coveragerc", CONFIG), ("app.py", OLD), ("new.py", NEW), ("main.py", program)):
        project.write(name, text)
    env = {"VMPILOT_COV": ".", "COVERAGE_CORE": core, "HOW": how}
    done = project.run("python", "main.py", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return project.run("vmpilot-cov", "combine").stdout


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("how", ["os.fork", "Pool"])
def test_a_forked_child_has_what_its_parent_loaded(project: Project, how: str, core: str) -> None:
    """A child that runs what its parent imported before an edit reaches no line of the edited file."""
    report = run(project, AFTER_A_FORK, how, core)
    assert "lines that pipeline reached in app.py do not count: the file has changed since (stale-source)" in report
    assert "app.py" not in lines_in(project.path / ".coverage")


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("how", ["exec", "runpy", "a loader"])
def test_a_source_may_be_executed_again(project: Project, how: str, core: str) -> None:
    """What runs after a changed file was executed again counts for the new file, and what ran before does not."""
    report = run(project, LOADS, how, core)
    assert "5 lines that pipeline reached in app.py do not count: the file has changed since (stale-source)" in report
    assert lines_in(project.path / ".coverage")["app.py"] == [1, 2, 5]


@pytest.mark.parametrize("core", CORES)
def test_who_only_imports_is_not_audited(project: Project, core: str) -> None:
    """A program that imports its sources, or is run by ``-m``, keeps an interpreter without an audit hook."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "")
    project.write("app/other.py", "")
    project.write(
        "app/__main__.py",
        """
        import sys
        import app.other
        unaudited = sys.modules["server_hook.record.reloads"].watch_compiles.cache_info().currsize == 0
        print(unaudited)
        """,
    )
    done = project.run("python", "-m", "app", env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    assert (done.stdout, done.stderr) == ("True\n", "")
