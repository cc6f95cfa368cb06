"""What every system can do, Windows included: record, end, combine, judge, run commands, lock, tell who lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server_hook.command_line import is_server_command
from server_hook.control.channel import CAN_LISTEN
from server_hook.store import records, segment, working_folder
from server_hook.store.records import Record
from server_hook.systems.systems import system
from tests.conftest import PATIENCE_S, Project, lines_in, numbered, wait_for

APP = """
    def reach(who):  # unit e2e pipeline
        if who == "unit":  # unit e2e pipeline
            return 1  # unit
        if who == "e2e":  # e2e pipeline
            return 2  # e2e
        return 3  # pipeline
"""
SERVER = """
    import app
    app.reach("pipeline")
    print("up", flush=True)
    input()
"""
TESTS = """
    import app, pytest

    def test_unit():
        app.reach("unit")

    @pytest.mark.e2e
    def test_e2e():
        app.reach("e2e")
"""


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a server and tests that reach each line together."""
    project.write(".coveragerc", "[run]\nsource = .\nomit = server.py, tests/*\n")
    for name, text in {"app.py": APP, "server.py": SERVER, "tests/test_it.py": TESTS}.items():
        project.write(name, text)
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    return project


@contextmanager
def started(project: Project, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a Python that records, and give what it says once it is up; kill it at the end."""
    env = {**os.environ, "VMPILOT_COV": str(project.path)}
    process = subprocess.Popen(
        [sys.executable, *words], cwd=project.path, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        up, *said = process.stdout.readline().decode().split()
        assert up == "up"
        yield process, " ".join(said)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def parts_on_disk(project: Project) -> list[segment.Part]:
    """Return what has been written until now."""
    return [part for path in project.path.glob(".vmpilot-cov/*/*.seg") for part in segment.decode(path.read_bytes())]


def lines_on_disk(project: Project) -> list[int]:
    """Return the lines that servers have written until now."""
    lines = [segment.to_lines(each) for part in parts_on_disk(project) for each in part.files.values()]
    return sorted({number for each in lines for number in segment.line_numbers(each)})


def record_in(project: Project) -> Record:
    """Return the record of the only process."""
    return next(record for _, record in records.recorded(project.path))


def test_a_live_and_a_killed_server_count(app: Project) -> None:
    """What a server had written counts, whether it is asked for the rest, cannot be asked here, or was killed."""
    with started(app, "server.py"):
        wait_for(lambda: lines_on_disk(app) == numbered(APP, "pipeline"))
        pid = record_in(app).pid
        assert records.life_of(record_in(app), 0.0) == "live"
        session = app.pytest("--vmpilot-cov", "--cov-fail-under=100", "tests")
        assert session.returncode == 0, session.stdout + session.stderr
        assert ("as nothing has on this system; using what it wrote" in session.stdout) == (not CAN_LISTEN)
    wait_for(lambda: not system.is_running(pid) or system.start_of(pid) == -1)
    session = app.pytest("--vmpilot-cov", "--cov-fail-under=100", "tests")
    assert session.returncode == 0, session.stdout + session.stderr
    assert "1 killed process" in session.stdout
    origins = {name: lines_in(app.path / ".coverage", name)["app.py"] for name in ("unit", "e2e", "pipeline")}
    assert origins == {name: numbered(APP, name) for name in origins}
    app.run("python", "-m", "pytest_vmpilot_cov", "combine")
    assert lines_in(app.path / ".coverage.pipeline")["app.py"] == numbered(APP, "pipeline")


@pytest.mark.parametrize("verb", ["serve", "run"])
def test_commands_are_recorded_to_their_end(app: Project, verb: str) -> None:
    """``serve`` and ``run`` pass input and exit code through, and publish."""
    app.write("once.py", "import app, sys\napp.reach('pipeline')\nsys.exit(7)\n")
    done = app.run("python", "-m", "pytest_vmpilot_cov", verb, "--", "python", "once.py")
    assert done.returncode == 7, done.stdout + done.stderr
    published = ".coverage.pipeline" if verb == "serve" else ".coverage.tests"
    assert lines_in(app.path / published)["app.py"] == numbered(APP, "pipeline")


def test_a_lock_is_held_by_one_and_ends_with_it(app: Project) -> None:
    """Nobody gets the lock of a data folder that another process holds, until that one has ended, however it did."""
    hold = """
        from server_hook.store.working_folder import lock
        with lock(".") as held:
            print("up" if held else "down", flush=True)
            input()
    """
    app.write("hold.py", hold)
    with started(app, "hold.py"), working_folder.lock(str(app.path), 0.3) as held:
        assert not held
    with working_folder.lock(str(app.path), PATIENCE_S) as held:
        assert held


def test_a_pid_that_was_given_again_is_another_process() -> None:
    """A process lives only as long as it is the one that was created when its record says."""
    ours = records.describe_process("1-a", "pipeline", "", {})
    assert records.life_of(ours, 0.0) == "live"
    if ours.ticks:  # macOS does not tell
        assert records.life_of(ours._replace(ticks=ours.ticks + 1), 0.0) == "dead"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert system.is_running(child.pid)
        assert system.start_of(child.pid) >= 0
        child.communicate(b"\n")
    assert not system.is_running(child.pid)


def test_a_file_is_replaced_while_somebody_reads_it(tmp_path: Path) -> None:
    """To rename over a file that is open waits for its reader, where it has to."""
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")
    with old.open() as reader:
        threading.Timer(0.3, reader.close).start()
        system.replace(str(new), str(old))
    assert old.read_text() == "new"


def test_paths_of_this_system_are_words_of_a_command(tmp_path: Path) -> None:
    """``server_command`` may name an interpreter and a script by path, in quotes where a folder has a blank."""
    script = tmp_path / "my server" / "main.py"
    words = [sys.executable, str(script), "--port", "80"]
    assert system.split_words(f'{sys.executable} "{script}" --port 80') == words
    assert is_server_command(words, f'python "{script.parent / "main.py"}"')


WEB = """
    import app, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            app.reach("pipeline")
            self.send_response(204)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print("up", server.server_port, flush=True)
    server.serve_forever()
"""
ASKS = """
    import app, os, pytest, urllib.request

    @pytest.mark.e2e
    @pytest.mark.parametrize("number", range(2))
    def test_asks(number):
        urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}").close()

    def test_unit():
        app.reach("unit")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_request_counts_for_its_test(app: Project, workers: tuple[str, ...]) -> None:
    """What a server runs for a test, of a worker or not, is that test's, with branches, also if it is killed then."""
    if workers:
        pytest.importorskip("xdist")
    app.write(".coveragerc", "[run]\nsource = .\nbranch = true\nomit = server.py, tests/*\n")
    app.write("tests/test_it.py", ASKS)
    with started(app, app.write("server.py", WEB).name) as (process, port):
        session = app.pytest("--vmpilot-cov", "--cov-context=test", *workers, "tests", env={"PORT": port})
        assert session.returncode == 0, session.stdout + session.stderr
        labels = {("pipeline", f"tests/test_it.py::test_asks[{number}]|run") for number in range(2)}
        wait_for(lambda: labels <= {(part.label.origin, part.label.context) for part in parts_on_disk(app)})
        process.kill()
    assert "not told apart" not in session.stdout
    name = "APP.PY" if os.path.normcase("A") == "a" else "app.py"
    done = app.run("python", "-m", "pytest_vmpilot_cov", "who", f"{app.path / name}:6")
    assert [line for line in done.stdout.splitlines() if "test_asks" in line] == [
        f"        tests/test_it.py::test_asks[{number}]|run" for number in range(2)
    ]
    done = app.run("python", "-m", "pytest_vmpilot_cov", "erase")
    assert [each.name for each in app.path.glob(".vmpilot-cov/*-*")] == [], done.stdout


EVENTS = """
    import app, os, signal, sys, time
    app.reach("pipeline")
    try:
        os.kill(0, getattr(signal, sys.argv[1]))
        time.sleep(60)
    except KeyboardInterrupt:
        app.reach("e2e")
        sys.exit(5)
    except OSError:
        sys.exit("no such event")
"""


@pytest.mark.skipif(not hasattr(signal, "CTRL_BREAK_EVENT"), reason="the console sends signals here")
@pytest.mark.parametrize(
    ("event", "code", "reached"),
    [("CTRL_C_EVENT", 5, ("pipeline", "e2e")), ("CTRL_BREAK_EVENT", 0xC000013A, ("pipeline",))],
)
@pytest.mark.parametrize("verb", ["serve", "run"])
def test_a_console_ends_the_command_alone(
    app: Project, verb: str, event: str, code: int, reached: tuple[str, ...]
) -> None:
    """Ctrl-C and Ctrl-Break are the command's, whose exit code counts; what it does at its end is published."""
    app.write("ends.py", EVENTS)
    command = [sys.executable, "-m", "pytest_vmpilot_cov", verb, "--", "python", "ends.py", event]
    console = getattr(subprocess, "CREATE_NEW_CONSOLE", 0)  # the event reaches all on a console
    done = subprocess.run(command, cwd=app.path, capture_output=True, text=True, creationflags=console, check=False)
    if "no such event" in done.stderr:
        pytest.skip("Wine sends no Ctrl-Break")
    assert done.returncode == code, done.stderr
    published = ".coverage.pipeline" if verb == "serve" else ".coverage.tests"
    assert lines_in(app.path / published)["app.py"] == numbered(APP, *reached)


@pytest.mark.skipif(not hasattr(signal, "CTRL_BREAK_EVENT"), reason="the console sends signals here")
def test_the_end_of_a_console_loses_nothing(app: Project) -> None:
    """What runs right before Ctrl-Break is written, though no handler of Python runs."""
    app.write(
        "last.py",
        """
        import app, os
        from server_hook.systems import windows
        app.reach("pipeline")
        windows._handlers[0](1)  # as Windows calls it
        os.kill(os.getpid(), 9)  # as Windows ends it
        """,
    )
    done = app.run("python", "last.py", env={"VMPILOT_COV": str(app.path)})
    assert done.returncode == 9, done.stderr
    assert lines_in(app.path / ".coverage.pipeline")["app.py"] == numbered(APP, "pipeline")
