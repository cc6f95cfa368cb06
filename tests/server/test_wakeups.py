"""The descriptor that tells of signals: other processes cannot use it, and no file of the program gets its number."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from tests.conftest import Project, needs_proc
from tests.plugin.conftest import CORES

FORKED_IN_C = """
    import ctypes, os, signal, sys, time

    child = ctypes.PyDLL(None).fork()
    if child == 0:
        while True:  # here no thread of ours interrupts a sleep that begins after the signal has come
            time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    time.sleep(1)
    print("lives")
"""

CLOSED = """
    import os, signal, subprocess, sys, time

    number = max(map(int, os.listdir("/proc/self/fd")))
    assert number >= 1000, number
    os.closerange(3, number + 1)
    time.sleep(0.5)
    files = [open(f"file-{each}", "wb", buffering=0) for each in range(50)]
    assert max(each.fileno() for each in files) < number
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1000)
"""

FORKED = """
    import os, signal

    def blocked():
        return [each.name for each in sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])) if each.name in NAMES]

    NAMES = ("SIGHUP", "SIGTERM")
    seen = []
    os.register_at_fork(after_in_child=lambda: seen.append(blocked()))
    os.environ["VMPILOT_COV"] = "."
    import server_hook
    server_hook.start()
    signal.signal(signal.SIGHUP, print)
    if not os.fork():
        print(seen, blocked(), flush=True)
        os._exit(0)
    os.wait()
    print(blocked())
"""

LATE = """
    import asyncio, json, os, select, signal, sys, threading, time
    from server_hook.environment import process_state

    LONG_S, SHORT_S = 1000, 0.3
    SIGNALS = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
    CALLS = (select.select, [], [], []), (os.read, os.pipe()[0], 1), (threading.Event().wait,)


    def late(number):
        def get():
            with gate:
                signal.pthread_kill(threading.get_ident(), number)
            time.sleep(LONG_S)

        gate = threading.Lock()
        with gate:
            threading.Thread(target=get, daemon=True).start()
            sys.setswitchinterval(LONG_S)  # from now on that thread runs only while this one waits in C
            time.sleep(0.01)


    def waiting(number, call, *args):
        late(number)
        call(*args)


    def loop(number, handle):
        async def main():
            asyncio.get_running_loop().add_signal_handler(number, handle)
            late(signal.SIGTERM)
            await asyncio.sleep(LONG_S)

        asyncio.run(main())


    def after_loop():
        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, print)

        asyncio.run(main())
        waiting(signal.SIGTERM, time.sleep, LONG_S)


    def handled():
        seen = []
        signal.signal(signal.SIGTERM, lambda *_: seen.append(time.monotonic()))
        late(signal.SIGTERM)
        began = time.monotonic()
        time.sleep(SHORT_S)
        for _ in range(1000):
            pass
        os._exit(len(seen) if seen[0] - began >= SHORT_S else 99)


    def without_us():
        process_state().wakeup.attend = lambda: LONG_S
        late(signal.SIGTERM)
        time.sleep(SHORT_S)


    def end_of(run, *args):
        if not (child := os.fork()):
            run(*args)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


    signal.signal(signal.SIGINT, signal.SIG_DFL)
    began = time.monotonic()
    print(json.dumps({
        "without us": [end_of(without_us), time.monotonic() - began >= SHORT_S],
        "signals": [end_of(waiting, each, time.sleep, LONG_S) for each in SIGNALS],
        "calls": [end_of(waiting, signal.SIGTERM, *call) for call in CALLS],
        "loops": [end_of(loop, signal.SIGUSR2, print), end_of(after_loop)],
        "handlers": [end_of(handled), end_of(loop, signal.SIGTERM, lambda: os._exit(1))],
    }), flush=True)
    waiting(signal.SIGTERM, time.sleep, LONG_S)
"""
"""A signal that another thread gets, while the main thread waits, is one that came right before its system call: the
handler in C has run, and nobody interrupts the main thread. In a race it can't be told when that happens."""


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project that writes a segment each tenth of a second."""
    project.write(".coveragerc", "[run]\nsource = .\n[vmpilot_cov]\ninterval_s = 0.1\n")
    return project


@pytest.mark.parametrize("core", CORES)
def test_a_signal_of_a_child_forked_in_c_is_its_own(app: Project, core: str) -> None:
    """A child that Python knows nothing of shares the descriptor, and its SIGTERM doesn't reach the parent."""
    app.write("main.py", FORKED_IN_C)
    done = app.run("python", "main.py", env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr


def test_a_signal_waits_for_a_child_to_begin(app: Project) -> None:
    """What we catch is blocked until a forked child can see to it; what the program catches isn't."""
    app.write("main.py", FORKED)
    done = app.run("python", "main.py")
    assert done.stdout == "[['SIGTERM']] []\n[]\n", done.stderr


@needs_proc
def test_a_program_that_closes_all_descriptors_keeps_its_files(app: Project) -> None:
    """The number of a signal is written to no file that the program opens, even if it has closed all descriptors."""
    app.write("main.py", CLOSED)
    done = app.run("python", "main.py", env={"VMPILOT_COV": "."})
    assert done.returncode == -15, done.stderr
    files = list(app.path.glob("file-*"))
    assert (len(files), {each.read_bytes() for each in files}) == (50, {b""})


@pytest.mark.skipif(not hasattr(socket, "SO_PASSCRED"), reason="needs to be told who writes to a socket")
@pytest.mark.parametrize("core", CORES)
def test_a_signal_that_comes_right_before_a_call_ends_it(app: Project, core: str) -> None:
    """A signal whose handler in C has run already interrupts the main thread, unless its handler is the program's."""
    app.write("main.py", LATE)
    done = app.run("python", "main.py", env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert json.loads(done.stdout) == {
        "without us": [-signal.SIGTERM, True],
        "signals": [-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP],
        "calls": [-signal.SIGTERM] * 3,
        "loops": [-signal.SIGTERM] * 2,
        "handlers": [1, 1],
    }
