"""The descriptor that tells of signals: other processes cannot use it, and no file of the program gets its number."""

from __future__ import annotations

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
