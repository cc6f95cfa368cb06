"""A system without processes, such as WebAssembly: one clear line in the hook, the session and every verb."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Project

TAKEN_AWAY = """
import os, select, signal, socket, sys, time
sys.modules.update(dict.fromkeys(("fcntl", "grp", "pwd", "resource", "termios")))
for module, names in (
    (os, "fork forkpty register_at_fork getuid geteuid getgid killpg setsid getpgid"),
    (signal, "SIGHUP SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGALRM SIGXCPU pthread_sigmask pthread_kill"),
    (socket, "AF_UNIX SO_PASSCRED"),
    (select, "poll epoll"),
    (time, "clock_gettime CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_THREAD_CPUTIME_ID"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
"""What such a system lacks."""

SESSION = "import pytest; sys.exit(pytest.main(sys.argv[1:]))"
COMMAND = "from pytest_vmpilot_cov.__main__ import main; sys.exit(main())"
HOOK = "os.environ['VMPILOT_COV'] = '.'; import server_hook; server_hook.start(); print('done')"
VERBS = ("serve", "run", "combine", "report", "dump", "status", "doctor", "erase", "demo")
LINE = "linux is no POSIX system; use Linux, macOS or Windows (system-unsupported)"


def run(project: Project, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where all that such a system lacks is missing."""
    return project.run("python", "-W", "error", "-c", f"{TAKEN_AWAY}\n{code}", *words)


def test_the_hook_says_one_line(project: Project) -> None:
    """A process with the variable set runs on, and one line says why it isn't recorded."""
    done = run(project, HOOK)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr == f"vmpilot-cov: this process is not recorded: {LINE}\n"


@pytest.mark.parametrize("options", [("--vmpilot-cov",), ("--vmpilot-cov", "--cov=app", "--cov-fail-under=100"), ()])
def test_a_session_runs_its_tests(project: Project, options: tuple[str, ...]) -> None:
    """The tests run as ever; with the flag, the header and the section say that nothing is measured."""
    project.write("app/__init__.py", "x = 1\n")
    project.write("test_it.py", "def test_it(vmpilot_cov_env):\n    import app\n    assert not vmpilot_cov_env\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    done = run(project, SESSION, "-p", "no:cacheprovider", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if LINE in line]
    assert said == [f"vmpilot-cov: not measured: {LINE}", f"WARNING: not measured: {LINE}"][: 2 * len(options)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_one_line(project: Project, verb: str) -> None:
    """Each verb ends as one that is misused, with the same line."""
    done = run(project, COMMAND, verb)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"vmpilot-cov: {LINE}\n")
