"""A thread has one trace function: whoever takes it, recording comes back, or the loss is named."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Project, lines_in, numbered, wait_for
from tests.server.processes import only_folder, record_in

CTRACE = {"VMPILOT_COV": ".", "COVERAGE_CORE": "ctrace"}

HEAD = """
    import sys, threading, time  # ran
    from app import other  # ran


    def quiet(*_):  # ran
        return None


    def work(number):  # ran
        return number + 1  # ran


    def never():  # ran
        return 0


"""

TAKEN = {
    "ended": "sys.settrace(None)  # ran\nassert sys.gettrace() is None  # ran\nwork(1)  # ran\n",
    "ended twice": (
        "sys.settrace(None); sys.settrace(None)  # ran\n"
        "old = sys.gettrace()  # ran\n"
        "sys.settrace(quiet); sys.settrace(old)  # ran\n"
        "assert sys.gettrace() is None  # ran\n"
        "work(1)  # ran\n"
    ),
    "taken and given back": (
        "old = sys.gettrace(); assert old is not None  # ran\n"
        "sys.settrace(quiet); assert sys.gettrace() is quiet  # ran\n"
        "sys.settrace(old)  # ran\n"
        "assert sys.gettrace() is old  # ran\n"
        "work(1)  # ran\n"
    ),
    "taken deep below": (
        "def deep(number):  # ran\n"
        "    if number:  # ran\n"
        "        return deep(number - 1)  # ran\n"
        "    other.call(sys.settrace, quiet)  # ran\n"
        "    return 0  # may\n"
        "deep(5)  # ran\n"
        "other.call(sys.settrace, None)  # may\n"
        "work(1)  # ran\n"
        "other.last()  # ran\n"
    ),
    "in a thread": (
        "def run():  # ran\n"
        "    sys.settrace(None)  # ran\n"
        "    work(1)  # ran\n"
        "thread = threading.Thread(target=run)  # ran\n"
        "thread.start(); thread.join()  # ran\n"
    ),
    "from new threads": (
        "threading.settrace(None)  # ran\n"
        "while threading.gettrace() is None: time.sleep(0.01)  # ran\n"
        "thread = threading.Thread(target=work, args=(1,))  # ran\n"
        "thread.start(); thread.join()  # ran\n"
    ),
    "by pdb": (
        "def run():  # ran\n    breakpoint()  # ran\n    return work(1)  # ran\nrun()  # ran\nother.last()  # ran\n"
    ),
}
"""What a program does with the trace function. Frames that were traced before another one came may be traced on."""

OTHER = """
    def call(function, argument):
        function(argument)


    def last():
        return 1


    def never():
        return 2
"""


@pytest.fixture
def app(project: Project) -> Project:
    """Give an application with a second module."""
    project.package("app", other=OTHER)
    project.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 0.1\n")
    return project


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branches"])
@pytest.mark.parametrize("name", TAKEN)
def test_recording_comes_back(app: Project, name: str, *, branch: bool) -> None:
    """What runs once the trace function is free again is measured, in its own file, and the program sees none."""
    if branch:
        app.write(".coveragerc", "[run]\nsource = app\nbranch = true\n[vmpilot_cov]\ninterval_s = 0.1\n")
    source = HEAD + "    " + TAKEN[name].replace("\n", "\n    ")
    app.write("app/work.py", source)
    done = subprocess.run(
        [sys.executable, "-m", "app.work"],
        cwd=app.path,
        env=app_env(),
        input="continue\n",
        text=True,
        check=False,
        capture_output=True,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    found = lines_in(app.path / ".coverage.pipeline")
    assert set(numbered(source, "ran")) <= set(found["work.py"]) <= set(numbered(source, "ran", "may"))
    assert set(found["other.py"]) == {1, 5, 9} | {"taken deep below": {2, 6}, "by pdb": {6}}.get(name, set())


def app_env() -> dict[str, str]:
    """Return the environment of a program that is recorded by a trace function."""
    import os

    return {**os.environ, **CTRACE}


def test_who_keeps_it_is_named(app: Project) -> None:
    """A trace function that stays away is one line in the log and the process's problem, with the time.

    What is judged later says so, too.
    """
    app.write(
        "app/work.py",
        """
        import sys, time
        def spy(*_):
            return None
        def go_on():
            print("taken", flush=True)
            sys.stdin.readline()
        sys.settrace(spy)
        go_on()
        """,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "app.work"],
        cwd=app.path,
        env=app_env(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    wait_for(lambda: "trace-taken" in app.run("vmpilot-cov", "status").stdout)
    _, logged = process.communicate("\n")
    assert process.returncode == 0
    assert logged.count("\n") == 1
    assert "a function of __main__ took the trace function at " in logged
    problem = record_in(only_folder(app.path)).problem
    assert "(trace-taken)" in problem
    named = f"-m app.work) could not record all that it ran: {problem} (process-incomplete)\n"
    assert named in app.run("vmpilot-cov", "report").stdout


GREENLETS = """
    import greenlet  # ran
    from app import other  # ran


    def first(second):  # ran
        number = 1  # ran
        switch(second, number)  # ran
        number = 2  # ran
        return number  # ran


    def switch(target, *values):  # ran
        return target.switch(*values)  # ran


    def second(number):  # ran
        other.call(switch, main)  # ran
        return deeper(number)  # ran


    def deeper(number):  # ran
        if number:  # ran
            switch(main)  # ran
        return number  # ran


    def never():  # ran
        return 0


    main, child = greenlet.getcurrent(), greenlet.greenlet(second)  # ran
    first(child)  # ran
    switch(child)  # ran
    switch(child)  # ran
    done = True  # ran
"""

GEVENT = """
    from gevent import monkey; monkey.patch_all()  # ran
    import threading, time  # ran


    def work(number):  # ran
        for _ in range(number):  # ran
            time.sleep(0)  # ran
            helper()  # ran
        return number  # ran


    def helper():  # ran
        time.sleep(0)  # ran
        return 1  # ran


    def never():  # ran
        return 0


    threads = [threading.Thread(target=work, args=(number,)) for number in (2, 3, 5)]  # ran
    for thread in threads:  # ran
        thread.start()  # ran
    for thread in threads:  # ran
        thread.join()  # ran
"""


@pytest.mark.parametrize("core", ["ctrace", ""], ids=["ctrace", "default"])
@pytest.mark.parametrize("source", [GREENLETS, GEVENT], ids=["greenlet", "gevent"])
def test_greenlets_need_no_setting(app: Project, source: str, core: str) -> None:
    """Each greenlet has a stack of its own, whether the configuration says so or not: each line is its file's."""
    app.write("app/work.py", source)
    done = app.run("python", "-m", "app.work", env={**CTRACE, "COVERAGE_CORE": core})
    assert (done.returncode, done.stderr) == (0, "")
    found = lines_in(app.path / ".coverage.pipeline")
    assert numbered(source, "ran") == found["work.py"]
    assert found.get("other.py", [1, 2, 5, 9]) == [1, 2, 5, 9]
