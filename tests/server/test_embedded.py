"""Programs that embed Python: what runs in their further interpreters and threads is measured, or they are named."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from pytest_vmpilot_cov.collect.unrecorded import START_S
from tests.conftest import Project, Server, lines_in, needs_proc, wait_for
from tests.e2e.conftest import session, vmpilot, warnings_in

CONFIG = "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = {}\n"
WORK = """
    import threading


    def work():
        return threading.current_thread().name
"""
IN_A_THREAD = """
    import ctypes
    import pathlib
    import time

    import app.work


    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def enter(_):
        app.work.work()
        pathlib.Path("served").touch()
        time.sleep(600)


    thread = ctypes.c_ulong()
    ctypes.CDLL(None).pthread_create(ctypes.byref(thread), None, enter, None)
    time.sleep(600)
"""
IN_AN_INTERPRETER = """
    import pathlib
    import sys
    import time

    interpreters = __import__("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters")
    further = interpreters.create()
    interpreters.run_string(further, "import sys; sys.path.insert(0, ''); import app.work; app.work.work()")
    pathlib.Path("served").touch()
    time.sleep(600)
"""


IDLE = """
    import pathlib
    import time

    pathlib.Path("served").touch()
    time.sleep(600)
"""


@pytest.fixture
def host(tmp_path: Path) -> str:
    """Give a program that starts this environment's Python and is called otherwise."""
    home = Path(sysconfig.get_config_var("BINDIR") or Path(sys.executable).resolve().parent)
    path = tmp_path / "host/bin/host"
    path.parent.mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), path)
    (tmp_path / "host/pyvenv.cfg").write_text(f"home = {home}\n")
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "host")}))
    packages.parent.mkdir(parents=True)
    packages.symlink_to(sysconfig.get_path("purelib"))
    return str(path)


def serve(project: Project, program: str, script: str, interval_s: float = 0.2, **env: str) -> Server:
    """Start a server in a project, and wait until it has served."""
    project.write(".coveragerc", CONFIG.format(interval_s))
    project.write("app/__init__.py", "")
    project.write("app/work.py", WORK)
    project.write("test_none.py", "def test_none():\n    pass\n")
    project.write("serve.py", script)
    server = project.serve(program, "serve.py", env={"VMPILOT_COV": ".", **env}, wait=False)
    wait_for((project.path / "served").exists, server.log.read_text)
    return server


@pytest.mark.parametrize("core", ["ctrace", "sysmon"])
def test_a_thread_that_python_did_not_start_is_measured_or_named(project: Project, host: str, core: str) -> None:
    """The core sysmon measures such a thread; the core ctrace does not, and the server is named, alive and ended."""
    if core == "sysmon" and sys.version_info < (3, 12):
        pytest.skip("this Python has no sys.monitoring")
    server = serve(project, host, IN_A_THREAD, 3600, COVERAGE_CORE=core)  # it looks when it is asked
    alive = warnings_in(session(project))
    server.stop()
    ended = warnings_in(vmpilot(project, "combine"))
    named = [line for line in alive + ended if "(process-incomplete)" in line]
    if core == "sysmon":
        assert not named
        assert lines_in(project.path / ".coverage", "pipeline")["work.py"] == [1, 4, 5]
        return
    assert len(named) == 2
    for line in named:
        assert f"process {server.pid} (host serve.py) could not record all that it ran: what its threads" in line
        assert line.endswith("isn't measured by ctrace (threads-unmeasured) (process-incomplete)")


@needs_proc
def test_code_in_a_further_interpreter_is_named(project: Project, host: str) -> None:
    """A program whose own interpreter runs nothing of the source is named with its further one, and with what to do."""
    server = serve(project, host, IN_AN_INTERPRETER)
    (line,) = unrecorded(project)
    assert f"process {server.pid} (host serve.py) runs with {project.path}/.coveragerc and records nothing" in line
    assert "no file of [run] source; what its 1 further interpreters run isn't measured (interpreters-unm" in line


@needs_proc
def test_an_idle_process_of_a_program_that_embeds_is_not_named(project: Project, host: str) -> None:
    """Apache starts Python in each of its processes, so one that has run nothing is no server; a Python is one."""
    serve(project, host, IDLE)
    assert not unrecorded(project)
    (project.path / "served").unlink()
    server = serve(project, "python", IDLE)
    (line,) = unrecorded(project)
    assert f"process {server.pid} (" in line


def unrecorded(project: Project) -> list[str]:
    """List what a session says of servers that have recorded nothing, once none of them counts as starting."""
    time.sleep(START_S)
    return [line for line in warnings_in(session(project)) if "(server-unrecorded)" in line]
