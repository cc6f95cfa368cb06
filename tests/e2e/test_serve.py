from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.conftest import Project, lines_in, needs_proc, numbered, wait_for
from tests.e2e.conftest import RAN, STAY, STAYED, is_alive, pid_in, stay, vmpilot

SERVE = ("vmpilot-cov", "serve", "--")
PIPELINE = ".coverage.pipeline"
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Run a command with its standard input as the terminal that controls it."""
ORPHANS = """
    import os, pathlib, subprocess, sys, time  # ran

    subprocess.run(["sh", "-c", "sleep 0.1 &"], check=True)  # ran
    names = lambda: {path.read_text().strip() for path in pathlib.Path("/proc").glob("[0-9]*/comm")}  # ran
    while names() & {"sleep", "sh"}: time.sleep(0.01)  # ran
    print("no zombie", flush=True)  # ran
    os.kill(1, 15); time.sleep(60)  # ran
"""
"""Leave an orphan behind, wait until it is neither there nor a zombie, then have process 1 pass SIGTERM on."""


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_passes_through(app: Project, code: int) -> None:
    """The command's exit code is that of ``serve``, and what it ran is published as pipeline data."""
    done = vmpilot(app, "serve", "--", "python", "-m", "app.work", str(code))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert lines_in(app.path / PIPELINE, "pipeline") == RAN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_is_passed_on_and_ends_both_alike(app: Project, number: signal.Signals) -> None:
    """A signal that ends the command ends ``serve`` in the same way, and the data is published."""
    server = stay(app, *SERVE)
    assert (server.stop(number), is_alive(pid_in(app))) == (-number, False)
    assert lines_in(app.path / PIPELINE, "pipeline") == STAYED


BEHIND = {
    "a script": ("sh", "-c", '"$@"; true', "sh"),
    "two scripts": ("sh", "-c", """sh -c '"$@"; true' sh "$@"; true""", "sh"),
    "a script that waits": ("sh", "-c", '"$@" & wait', "sh"),
    "a script that has forgotten it": ("sh", "-c", '("$@" &); sleep 1000', "sh"),
    "a script with a session of its own": ("sh", "-c", 'setsid "$@" & wait', "sh"),
}


@needs_proc
@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_stands_behind_a_script_is_ended(app: Project, number: signal.Signals, behind: Sequence[str]) -> None:
    """A server behind shell scripts ends with them, in time to write its last lines, and keeps no port."""
    server = stay(app, *SERVE, *behind)
    assert (server.stop(number), is_alive(pid_in(app))) == (-number, False)
    assert lines_in(app.path / PIPELINE, "pipeline") == STAYED


@needs_proc
def test_a_script_that_waits_for_its_server_is_not_waited_for(app: Project) -> None:
    """A shell that handles SIGTERM only when its command has ended is given ten seconds; then all is ended."""
    server = stay(app, *SERVE, "bash", "-c", 'trap "echo bye" TERM; "$@"; exit 5', "bash")
    assert (server.stop(signal.SIGTERM), is_alive(pid_in(app))) == (5, False)
    assert "bye" in server.log.read_text()
    assert lines_in(app.path / PIPELINE, "pipeline") == STAYED


AS_ON_MACOS = """
import pathlib, signal, sys
from pytest_vmpilot_cov.cli import foreground, main
from pytest_vmpilot_cov.servers import stop
del signal.sigtimedwait
foreground.STOP_S = 1.0
foreground._adopt_orphans = lambda: None
stop.PROC = pathlib.Path("/nowhere")
sys.exit(main.main())
"""


@needs_proc
@pytest.mark.parametrize("behind", ["a script", "two scripts", "a script that waits", "a script with a trap"])
def test_what_stands_behind_a_script_is_ended_without_proc(app: Project, behind: str) -> None:
    """So it does where ps alone tells of processes, nobody adopts orphans, and no wait has a limit, as on macOS."""
    app.write("serve.py", AS_ON_MACOS)
    trap = ("bash", "-c", 'trap "echo bye" TERM; "$@"; exit 5', "bash")
    server = stay(app, "python", "serve.py", "serve", "--", *BEHIND.get(behind, trap))
    expected = -signal.SIGTERM if behind in BEHIND else 5
    assert (server.stop(signal.SIGTERM), is_alive(pid_in(app))) == (expected, False)
    assert lines_in(app.path / PIPELINE, "pipeline") == STAYED


def test_a_server_that_goes_on_after_its_script_is_left(app: Project) -> None:
    """A command that ends by itself and leaves a server running ends ``serve`` with its code; nothing is ended."""
    server = stay(app, *SERVE, "sh", "-c", '"$@" & while [ ! -e go ]; do sleep 0.1; done; exit 3', "sh")
    app.write("go", "")
    assert (server.process.wait(60), is_alive(pid_in(app))) == (3, True)


def test_signal_that_comes_while_the_command_is_started(app: Project) -> None:
    """A signal that comes just before the command is known is passed on to it, not swallowed."""
    app.write(
        "early.py",
        """
        import os
        from pytest_vmpilot_cov.cli import foreground

        with foreground.holding_signals() as mask:
            os.kill(os.getpid(), 15)
            print(foreground.run_command(["sleep", "60"], os.environ, mask))
        """,
    )
    done = app.run("python", "early.py")
    assert (done.stdout, done.stderr) == (f"{-signal.SIGTERM}\n", "")


def test_command_may_end_on_a_signal_as_it_likes(app: Project) -> None:
    """A command that catches the signal and exits with a code of its own makes ``serve`` exit with that code."""
    server = stay(app, *SERVE, catches=["SIGTERM"])
    assert server.stop(signal.SIGTERM) == 4
    expected = numbered(STAY, "always", "catching", "caught", "ended")
    assert lines_in(app.path / PIPELINE, "pipeline")["stay.py"] == expected


def test_killed_command_is_published(app: Project) -> None:
    """After ``kill -9`` of the command, ``serve`` publishes what it had written, and exits as shells do."""
    server = stay(app, *SERVE)
    os.kill(pid_in(app), signal.SIGKILL)
    assert server.process.wait(60) == 128 + signal.SIGKILL
    assert lines_in(app.path / PIPELINE, "pipeline") == STAYED


def test_ctrl_c_at_a_terminal_comes_once(app: Project) -> None:
    """The terminal sends Ctrl-C to the command itself, so ``serve`` does not send it a second time."""
    terminal, other_end = pty.openpty()
    words = [sys.executable, "-c", TAKE_TERMINAL, *SERVE, sys.executable, "-m", "app.stay", "SIGINT", "SIGTERM"]
    with subprocess.Popen(words, cwd=app.path, stdin=other_end, start_new_session=True) as process:
        os.close(other_end)
        wait_for((app.path / "pid").exists)
        process.send_signal(signal.SIGSTOP)  # it takes its own share of Ctrl-C when the command has had its one
        os.write(terminal, b"\x03")
        wait_for((app.path / "caught").exists)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        code = process.wait(60)
    os.close(terminal)
    assert (code, (app.path / "caught").read_text()) == (4, "SIGINT SIGTERM")


def test_ctrl_c_at_a_terminal_elsewhere_comes_once(app: Project) -> None:
    """Ctrl-C comes once also where the terminal is not the standard input; one that was sent is passed on."""
    terminal, other_end = pty.openpty()
    command = [*SERVE, sys.executable, "-m", "app.stay", "SIGINT", "SIGTERM"]
    words = [sys.executable, "-c", TAKE_TERMINAL, "sh", "-c", 'exec "$@" </dev/null', "sh", *command]
    with subprocess.Popen(words, cwd=app.path, stdin=other_end, start_new_session=True) as process:
        os.close(other_end)
        wait_for((app.path / "pid").exists)
        os.write(terminal, b"\x03")
        wait_for((app.path / "caught").exists)
        process.terminate()
        code = process.wait(60)
    os.close(terminal)
    assert (code, (app.path / "caught").read_text()) == (4, "SIGINT SIGTERM")


def test_process_1_of_a_container(app: Project) -> None:
    """As process 1, ``serve`` reaps what others leave behind, passes SIGTERM on, and exits as shells do."""
    app.write("app/orphans.py", ORPHANS)
    inside = ("unshare", "-pf", "--kill-child", "--mount-proc")
    if app.run(*inside, "true").returncode:
        pytest.skip("this user may not make a pid namespace")
    done = app.run(*inside, *SERVE, sys.executable, "-m", "app.orphans")
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "no zombie\n"), done.stderr
    assert lines_in(app.path / PIPELINE, "pipeline")["orphans.py"] == numbered(ORPHANS, "ran")


def test_a_process_ends_without_waiting_for_its_interval(app: Project) -> None:
    """A process ends as soon as its last segment is published, however long its interval is."""
    app.write(".coveragerc", "[run]\nsource = app\n\n[vmpilot_cov]\ninterval_s = 3600\n")
    app.write("app/late.py", "print('late')\n")
    done = app.run("python", "-m", "app.late", env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stdout) == (0, "late\n")
    assert lines_in(app.path / PIPELINE, "pipeline")["late.py"] == [1]
