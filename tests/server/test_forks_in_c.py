"""A fork that Python does not see: the child is recorded under a name of its own, and its parent stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Project, lines_in, needs_proc, numbered, wait_for
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

UNHEARD = """
    import _ctypes, os, sys, time  # parent


    class Int(_ctypes._SimpleCData):  # parent
        _type_ = "i"  # parent


    class Function(_ctypes.CFuncPtr):  # parent
        _flags_, _restype_, _argtypes_ = _ctypes.FUNCFLAG_PYTHONAPI | _ctypes.FUNCFLAG_CDECL, Int, ()  # parent
"""
"""Stands in for a library in C: nothing is heard of its forks before ctypes is loaded."""
FORK = 'Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "fork"))()'

HOLD = """def hold():  # parent
        while os.path.exists("hold"):  # both
            time.sleep(0.01)  # both


"""


def write(app: Project, source: str) -> None:
    """Write an application in which nothing is written before a process ends."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 3600\n")
    app.package("app", main=source)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), 15)"])
def test_the_end_of_a_child_is_seen(project: Project, core: str, end: str) -> None:
    """However the child ends, what it ran is kept apart from its parent, and nothing is logged: nothing is lost."""
    source = SOURCE.format(child=f"{end}  # child", parent="pass  # parent")
    write(project, source)
    done = project.run("python", "-m", "app.main", env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    assert (done.returncode, done.stderr) == (0, "")
    assert lines_in(project.path / ".coverage.pipeline")["main.py"] == numbered(source, "parent", "child", "both")
    records = [record_in(folder) for folder in folders(project.path)]
    assert len({record.pid for record in records}) == 2
    assert all(record.ended for record in records)
    parent, child = sorted(map(lines_of, folders(project.path)), key=len, reverse=True)
    assert (parent, child) == (set(numbered(source, "parent", "both")), set(numbered(source, "child", "both")))


def test_a_new_file_shows_the_fork_and_the_parent_answers_on(project: Project) -> None:
    """From the first file that a child loads it can be asked, also if its fork was not heard of, as the log says.

    Its parent's control channel is left alone.
    """
    source = SOURCE.format(child="import app.other; hold(); sys.exit()  # child", parent="hold()  # parent")
    source = source.replace("def never()", HOLD + "    def never()")
    source = source.replace("\n    import ctypes, os, sys, time  # parent\n", UNHEARD)
    source = source.replace("ctypes.PyDLL(None).fork()", FORK)
    write(project, source)
    project.write("app/other.py", "")
    project.write("hold", "")
    server = project.serve("python", "-m", "app.main", env={"VMPILOT_COV": "."}, wait=False)
    wait_for(lambda: len(folders(project.path)) == 2, server.log.read_text)
    answers = project.run("vmpilot-cov", "dump")
    assert (answers.stdout.count("answered in"), answers.returncode) == (2, 0), answers.stderr
    assert server.log.read_text().count("(fork-unseen)") == 1
    (project.path / "hold").unlink()
    assert server.process.wait(60) == 0
    assert lines_in(project.path / ".coverage.pipeline")["main.py"] == numbered(source, "parent", "child", "both")


def test_an_extension_module_may_fork(project: Project) -> None:
    """Once an extension module is imported that is not the standard library's, each fork in C is heard of."""
    tracer = pytest.importorskip("coverage.tracer").__file__
    source = SOURCE.format(child="sys.exit()  # child", parent="pass  # parent")
    source = source.replace("\n    import ctypes, os, sys, time  # parent\n", UNHEARD)
    source = source.replace("ctypes.PyDLL(None).fork()", FORK).replace("os, sys, time", "os, sys, app.tracer")
    write(project, source)
    (project.path / "app" / Path(tracer).name).write_bytes(Path(tracer).read_bytes())
    done = project.run("python", "-m", "app.main", env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stderr) == (0, "")
    assert lines_in(project.path / ".coverage.pipeline")["main.py"] == numbered(source, "parent", "child", "both")
    assert len(folders(project.path)) == 2


ALONE = """
    import _ctypes, os, time

    class Function(_ctypes.CFuncPtr):
        _flags_, _restype_, _argtypes_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI, None, ()


    def threads():
        return len(os.listdir("/proc/self/task"))


    counts = []
    count = Function(lambda: counts.append(threads()))
    # before ctypes is loaded, and so called after what is registered then: the newest handler comes first
    Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "__register_atfork"))(count, None, None, None)
    import ctypes

    before = threads()
    child = ctypes.PyDLL(None).fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    while threads() < before:
        time.sleep(0.01)
    print(before, counts)
"""


@needs_proc
def test_the_recorders_thread_steps_aside(project: Project) -> None:
    """When a program forks in C, the recorder's thread has ended, and with it what it does to Python's own lock."""
    write(project, ALONE)
    done = project.run("python", "-m", "app.main", env={"VMPILOT_COV": "."})
    assert (done.stdout, done.stderr) == ("2 [1]\n", "")
