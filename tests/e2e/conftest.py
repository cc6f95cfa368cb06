"""A small project whose programs end in different ways, and the command ``vmpilot-cov`` in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from server_hook.store import parsed_files, segment
from tests.conftest import SHOWS_PROCESSES, Project, Server, numbered, wait_for

WORK = """
    import sys  # run test


    def one():  # run test
        return 1  # run


    def two():  # run test
        return 2  # test


    if __name__ == "__main__":  # run test
        one()  # run
        sys.exit(int(sys.argv[1]))  # run
"""

STAY = """
    import os  # always
    import signal  # always
    import sys  # always
    import time  # always
    from pathlib import Path  # always

    caught = []  # always


    def catch(number, frame):  # always
        caught.append(signal.Signals(number).name)  # caught
        Path("caught").write_text(" ".join(caught))  # caught
        if number == signal.SIGTERM:  # caught
            sys.exit(4)  # ended


    for name in sys.argv[1:]:  # always
        signal.signal(signal.Signals[name], catch)  # catching
    Path("pid.tmp").write_text(str(os.getpid()))  # always
    Path("pid.tmp").rename("pid")  # always
    while True:  # always
        time.sleep(0.02)  # always
"""

WEB = """
    async def app(scope, receive, send):  # start
        body = scope["path"].encode()  # asked
        await send({"type": "http.response.start", "status": 200, "headers": []})  # asked
        if body == b"/one":  # asked
            body = b"one!"  # one
        if body == b"/two":  # asked
            body = b"two!"  # two
        await send({"type": "http.response.body", "body": body})  # asked
"""

UVICORN = ["python", "-m", "uvicorn", "app.web:app", "--lifespan", "off", "--host", "127.0.0.1", "--port", "PORT"]

WARNING = re.compile(r"(WARNING|ERROR|vmpilot-cov): .* \([a-z]+(-[a-z]+)+\)$")
"""What we say of a problem ends with its slug."""

INIT = '"""What the command runs."""\n'
RAN = {"__init__.py": [1], "work.py": numbered(WORK, "run")}
TESTED = {"__init__.py": [1], "work.py": numbered(WORK, "test")}
STAYED = {"__init__.py": [1], "stay.py": numbered(STAY, "always")}


@pytest.fixture(autouse=True)
def end_what_is_left(clean_environment: None, tmp_path: Path) -> Iterator[None]:  # noqa: ARG001 - it makes the home
    """Leave no process of a test behind, whatever the test found out; they are known by the home that it gave them."""
    home = f"HOME={os.environ['HOME']}".encode()
    yield
    if not SHOWS_PROCESSES:
        for note in tmp_path.glob("project/pid"):
            with contextlib.suppress(OSError):
                os.kill(int(note.read_text()), signal.SIGKILL)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if home in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with three programs and one test: ``work`` ends, ``stay`` stays, ``web`` is served."""
    project.write(".coveragerc", "[run]\nsource = app\n\n[vmpilot_cov]\ninterval_s = 0.1\n")
    project.write("app/__init__.py", INIT)
    project.write("app/work.py", WORK)
    project.write("app/stay.py", STAY)
    project.write("app/web.py", WEB)
    project.write("tests/test_two.py", "from app import work\n\n\ndef test_two():\n    assert work.two() == 2\n")
    return project


def vmpilot(
    app: Project, *words: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command ``vmpilot-cov`` to its end."""
    return app.run("vmpilot-cov", *words, env=env, cwd=cwd)


def session(app: Project, *options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``pytest --vmpilot-cov`` in a process of its own, with no plugin but ours: loading them all takes seconds."""
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})}
    return app.pytest("-p", "vmpilot_cov", "--vmpilot-cov", *options, env=alone)


def stay(app: Project, *command: str, catches: Sequence[str] = ()) -> Server:
    """Start the program that stays, after the words of *command* or with ``VMPILOT_COV``, and wait until it does.

    The program's own pid is in the file ``pid``; all that it runs has been written when this returns.
    """
    (app.path / "pid").unlink(missing_ok=True)
    words = [*command, "python", "-m", "app.stay", *catches]
    server = app.serve(*words, env={} if command else {"VMPILOT_COV": "."}, wait=False)
    wait_for((app.path / "pid").exists, server.log.read_text)
    wait_for(lambda: written_by(app, pid_in(app)) >= set(STAYED["stay.py"]), server.log.read_text)
    return server


def written_by(app: Project, pid: int) -> set[int]:
    """Read which lines of the program that stays its segments hold, while it runs."""
    lines: set[int] = set()
    for folder in (app.path / ".vmpilot-cov").glob(f"{pid}-*"):
        for _, parts in segment.read_folder(folder):
            assert not isinstance(parts, segment.TornError), parts
            for part in parts:
                for source, measured in part.files.items():
                    if source.path.endswith("stay.py"):
                        lines.update(segment.line_numbers(segment.to_lines(measured)))
    return lines


def pid_in(app: Project) -> int:
    """Read the pid of the program that stays."""
    return int((app.path / "pid").read_text())


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        if os.path.exists("/proc/self/stat"):
            return False
    try:  # a system without /proc
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def processes_in(folder: Path) -> dict[int, str]:
    """Find the living processes that run in a folder, with their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            place = Path(os.readlink(process / "cwd"))
        except OSError:
            continue
        if words and (place.is_relative_to(folder.resolve()) or f"{folder.resolve()}/" in words):
            found[int(process.name)] = words
    return found


def contents(folder: Path) -> dict[str, str]:
    """Fingerprint all files below a folder, by name, but not what was parsed, which any report may keep."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not parsed_files.is_one(path.name)
    }


def said(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Return the exit code and what a command said on its standard error, or instead of it on its standard output."""
    return done.returncode, done.stderr.strip() or done.stdout.strip()


def warnings_in(done: subprocess.CompletedProcess[str]) -> list[str]:
    """List the warnings of a session or command; fail if there is a traceback in what it said."""
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    lines = (done.stdout + os.linesep + done.stderr).splitlines()
    return [line for line in lines if WARNING.match(line)]
