"""A fork that Python does not see: the child is recorded under a name of its own, and its parent stays as it was."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in, numbered, wait_for
from tests.plugin.conftest import CORES
from tests.server.processes import folders, lines_of, record_in

SOURCE = """
    import ctypes, os, sys, time  # parent


    def in_parent():  # parent
        return 1  # parent


    def in_child():  # parent
        return 2  # child


    def never():  # parent
        return 3


    in_parent()  # parent
    child = ctypes.PyDLL(None).fork()  # parent
    if child == 0:  # both
        in_child()  # child
        {child}
    {parent}
    os.waitpid(child, 0)  # parent
"""

HOLD = """def hold():  # parent
        while os.path.exists("hold"):  # both
            time.sleep(0.01)  # both


"""

WSGI = """
    import os


    def application(environ, start_response):
        body = work(environ["PATH_INFO"]).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


    def work(path):
        return str(os.getpid())


    def never():
        return None
"""


def write(app: Project, source: str) -> None:
    """Write an application in which nothing is written before a process ends."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 3600\n")
    app.package("app", main=source)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), 15)"])
def test_the_end_of_a_child_is_seen(project: Project, core: str, end: str) -> None:
    """However the child ends, what it ran is kept apart from its parent, and the fork is one line in the log."""
    source = SOURCE.format(child=f"{end}  # child", parent="pass  # parent")
    write(project, source)
    done = project.run("python", "-m", "app.main", env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    assert done.returncode == 0
    assert done.stderr.count("\n") == done.stderr.count("(fork-unseen)") == 1
    assert lines_in(project.path / ".coverage.pipeline")["main.py"] == numbered(source, "parent", "child", "both")
    by_pid = {record_in(folder).pid: folder for folder in folders(project.path)}
    assert len(by_pid) == 2
    child = by_pid[int(done.stderr.split()[2])]
    assert set(numbered(source, "child")) <= lines_of(child)
    assert all(record_in(folder).ended for folder in by_pid.values())


def test_a_new_file_shows_the_fork_and_the_parent_answers_on(project: Project) -> None:
    """From the first file that a child loads it can be asked itself; its parent's control channel is left alone."""
    source = SOURCE.format(child="import app.other; hold(); sys.exit()  # child", parent="hold()  # parent")
    source = source.replace("def never()", HOLD + "    def never()")
    write(project, source)
    project.write("app/other.py", "")
    project.write("hold", "")
    server = project.serve("python", "-m", "app.main", env={"VMPILOT_COV": "."}, wait=False)
    wait_for(lambda: len(folders(project.path)) == 2, server.log.read_text)
    answers = project.run("vmpilot-cov", "dump")
    assert (answers.stdout.count("answered in"), answers.returncode) == (2, 0), answers.stderr
    (project.path / "hold").unlink()
    assert server.process.wait(60) == 0
    assert lines_in(project.path / ".coverage.pipeline")["main.py"] == numbered(source, "parent", "child", "both")


@pytest.mark.skipif(shutil.which("uwsgi", path=Path(sys.executable).parent) is None, reason="not installed: uwsgi")
@pytest.mark.parametrize("options", ["", "--lazy-apps", "--py-call-osafterfork"])
def test_uwsgi_keeps_every_line(project: Project, options: str) -> None:
    """Its workers, forked in C before or after they load the application, keep what they ran when they are ended."""
    write(project, WSGI)
    server = project.serve(
        *("uwsgi", "--http-socket", "127.0.0.1:PORT", "--module", "app.main", "--master", "--enable-threads"),
        *("--processes", "2", *options.split()),
        env={"VMPILOT_COV": "."},
    )
    serving: set[str] = set()
    wait_for(lambda: bool(serving.add(server.get())) or len(serving) == 2, server.log.read_text)
    if options == "--py-call-osafterfork":  # both are recorded from their start
        answers = project.run("vmpilot-cov", "dump")
        assert all(f"pid {pid} " in answers.stdout for pid in serving), answers
    server.process.send_signal(signal.SIGQUIT)
    server.process.wait(60)
    project.run("vmpilot-cov", "combine")
    assert lines_in(project.path / ".coverage.pipeline")["main.py"] == [1, 4, 5, 6, 7, 10, 11, 14]
    ended = {str(record_in(folder).pid) for folder in folders(project.path) if record_in(folder).ended}
    assert serving <= ended
