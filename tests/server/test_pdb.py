"""Pdb in a recorded process: whichever way it is left, what runs next is measured, and what it keeps is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Project, lines_in, numbered, wait_for
from tests.plugin.conftest import CORES
from tests.server.processes import folders, lines_of

HEAD = """
    import asyncio, pdb, sys, threading, time  # ran
    from app import other  # ran


    def work(number):  # ran
        return number + 1  # may


    def late(number):  # ran
        return number + 2  # ran


"""

OTHER = """
    def call(function):
        function()
        return 1


    def last():
        return 2


    def never():
        return 3
"""

STOP = """
    def run():  # ran
        breakpoint()  # ran
        work(1)  # may
        other.call(int)  # may
        work(2)  # may


    other.call(run)  # ran
    late(1)  # ran
    other.last()  # ran
"""

CAUGHT = """
    def run():  # ran
        breakpoint()  # ran
        work(1)  # may


    try:  # ran
        other.call(run)  # ran
    except BaseException:  # may
        late(1)  # may
    late(2)  # ran
    other.last()  # ran
"""

IN_A_THREAD = """
    def run():  # ran
        breakpoint()  # ran
        work(1)  # may
        other.last()  # ran


    thread = threading.Thread(target=run)  # ran
    thread.start(); thread.join()  # ran
    late(1)  # ran
"""

IN_A_TASK = """
    async def run():  # ran
        breakpoint()  # ran
        await asyncio.sleep(0)  # may
        work(1)  # may
        await asyncio.sleep(0)  # ran
        return late(1)  # ran


    asyncio.run(run())  # ran
    other.last()  # ran
"""

RUN_BY_PDB = """
    def run():  # may
        work(1)  # may
        return 1  # may


    pdb.runcall(run)  # ran
    late(1)  # ran
    other.last()  # ran
"""

WAYS = {
    "continue": (STOP, "c\n"),
    "next and continue": (STOP, "n\nn\nc\n"),
    "step in, up, continue": (STOP, "s\ns\nu\nc\n"),
    "return and continue": (STOP, "r\nc\n"),
    "return twice and continue": (STOP, "r\nn\nc\n"),
    "a breakpoint that is cleared": (STOP, "b work\nc\ncl 1\nc\n"),
    "quit, and the program goes on": (CAUGHT, "q\ny\n"),
    "the end of the input": (CAUGHT, ""),
    "in a thread": (IN_A_THREAD, "n\nc\n"),
    "in a task": (IN_A_TASK, "n\nn\nc\n"),
    "runcall": (RUN_BY_PDB, "n\nn\nc\n"),
}
"""A program, and what is typed. Lines that a person steps over may be missing, with what they call."""


@pytest.fixture
def app(project: Project) -> Project:
    """Give an application with a second module, whose last function shows that lines go to the right file."""
    project.package("app", "[vmpilot_cov]\ninterval_s = 0.1\n", other=OTHER)
    return project


def start(app: Project, source: str, core: str) -> subprocess.Popen[str]:
    """Start the program."""
    app.write("app/work.py", source)
    return subprocess.Popen(
        [sys.executable, "-m", "app.work"],
        cwd=app.path,
        env={**os.environ, "VMPILOT_COV": ".", "COVERAGE_CORE": core},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("way", WAYS)
def test_recording_comes_back(app: Project, way: str, core: str) -> None:
    """Once pdb lets go, each line counts, for its own file, in frames that ran all the while and in new ones."""
    source, typed = WAYS[way]
    process = start(app, HEAD + source, core)
    _, err = process.communicate(typed)
    assert (process.returncode, "Traceback" in err) == (0, False), err
    found = lines_in(app.path / ".coverage.pipeline")
    assert set(numbered(HEAD + source, "ran")) <= set(found["work.py"])
    assert set(found["work.py"]) <= set(numbered(HEAD + source, "ran", "may"))
    calls = {2, 3} if "other.call" in source else set()
    assert set(found["other.py"]) | calls == {1, 6, 7, 10} | calls


def test_a_breakpoint_that_stays_is_named(app: Project) -> None:
    """Where pdb keeps a breakpoint to the end, the process says so, however short it is."""
    _, err = start(app, HEAD + STOP, "ctrace").communicate("b work\nc\nc\nc\n")
    assert "took the trace function at " in err
    assert "(trace-taken)\n" in err


ATTACHED = """
    import os, time  # ran
    from app import other  # ran


    def early():  # ran
        return 1  # ran


    while not os.path.exists("stop"):  # ran
        time.sleep(0.01)  # ran loop
        early()  # ran loop
    other.call(early)  # ran
    other.last()  # ran
"""


def _by_pdb(_: Project, pid: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pdb", "-p", str(pid)], input="n\nn\nq\n", capture_output=True, text=True, check=False
    )
    assert "(Pdb)" in done.stdout, done.stdout + done.stderr
    assert "vmpilot" not in done.stderr


def _by_script(app: Project, pid: int) -> None:
    script = app.write(
        "script.py",
        """
        import io, os, pdb
        pdb.Pdb(stdin=io.StringIO("n\\nn\\nc\\n"), stdout=io.StringIO()).set_trace()
        open("attached", "w").close()
        """,
    )
    remote_exec: Any = getattr(sys, "remote_exec")  # noqa: B009 - from Python 3.14 on
    remote_exec(pid, str(script))
    wait_for((app.path / "attached").exists)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="pdb attaches to processes from Python 3.14 on")
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("attach", [_by_pdb, _by_script])
def test_a_debugger_that_attaches(app: Project, attach: Callable[[Project, int], None], core: str) -> None:
    """``pdb -p PID`` and ``sys.remote_exec`` leave a process that goes on being measured."""
    process = start(app, ATTACHED, core)
    looped = set(numbered(ATTACHED, "loop"))  # pdb may step over some of it, and it need not run again
    wait_for(lambda: any(looped <= lines_of(each, "work.py") for each in folders(app.path)))
    attach(app, process.pid)
    app.write("stop", "")
    _, err = process.communicate()
    assert process.returncode == 0, err
    found = lines_in(app.path / ".coverage.pipeline")
    assert found["work.py"] == numbered(ATTACHED, "ran")
    assert found["other.py"] == [1, 2, 3, 6, 7, 10]
