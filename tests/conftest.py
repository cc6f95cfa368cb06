"""What all tests share: a clean environment, small projects, real servers, and a look into data files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from coverage import CoverageData

from server_hook.coverage_private import close_data

pytest_plugins = ["pytester"]

PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", "60"))
"""How long a test waits for an event before it gives up: generous, because no test may depend on speed."""


SHOWS_PROCESSES = os.path.exists("/proc/self/stat")
needs_proc = pytest.mark.skipif(not SHOWS_PROCESSES, reason="this system shows no processes")
"""For tests that look at processes as Linux shows them, or at what is found out that way."""

NEIGHBOURS = ("anyio", "asyncio", "django", "hypothesispytest", "randomly", "rerunfailures", "timeout")
"""Plugins that are installed to be tested beside ours, or for our tests: only sessions that ask for one load it.

That of hypothesis takes longer than all else in a small session.
"""


@pytest.fixture(autouse=True, scope="session")
def default_signals() -> None:
    """Let the tests' programs meet signals as at a terminal, also where the tests run in the background or by nohup."""
    for number in (signal.Signals[name] for name in ("SIGINT", "SIGQUIT", "SIGHUP") if hasattr(signal, name)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the settings, the home and the sessions of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith(("VMPILOT_COV", "COVERAGE_", "COV_", "PYTEST_", "PIPELINES_", "GITHUB_", "CI_", "GIT_")):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in NEIGHBOURS))
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):  # what users see is buffered, and has cached bytecode
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


@dataclass
class Server:
    """A real server process of a test, known by its own pid."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def pid(self) -> int:
        """The pid of the process that was started."""
        return self.process.pid

    def get(self, path: str = "/") -> str:
        """Ask the server for a page."""
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the server with a signal; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@dataclass
class Project:
    """A small project in a folder of its own."""

    path: Path
    started: list[Server] = field(default_factory=list)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plain(text))
        return path

    def package(self, name: str, settings: str = "", **modules: str) -> None:
        """Write a package, its modules, and a configuration that has it for its source, with further settings."""
        self.write(".coveragerc", f"[run]\nsource = {name}\n{settings}")
        for module, text in {"__init__": "", **modules}.items():
            self.write(f"{name}/{module}.py", text)

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; ``python`` is the interpreter of the tests."""
        words = [sys.executable if word == "python" else word for word in command]
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            words, cwd=cwd or self.path, env=environment, capture_output=True, text=True, timeout=180, check=False
        )

    def pytest(
        self, *options: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a real pytest session in a process of its own."""
        return self.run("python", "-m", "pytest", "-p", "no:cacheprovider", *options, env=env, cwd=cwd)

    def serve(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        port: int | None = None,
        wait: bool = True,
    ) -> Server:
        """Start a server; ``PORT`` in its command is a free port; wait until it answers."""
        port = port or free_port()
        words = [sys.executable if word == "python" else word.replace("PORT", str(port)) for word in command]
        log = self.path / f"server-{port}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                words,
                cwd=cwd or self.path,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(process, f"http://127.0.0.1:{port}", log)
        self.started.append(server)
        if wait:
            wait_for(lambda: _answers(server), lambda: f"the server did not answer:\n{log.read_text()}")
        return server


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, f"the server ended:\n{server.log.read_text()}"
    try:
        server.get()
    except OSError:
        return False
    return True


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Give an empty project; end every server that was started in it, by its own pid."""
    made = Project((tmp_path / "project").resolve())
    made.path.mkdir()
    yield made
    for server in made.started:
        if server.process.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.process.wait(PATIENCE_S)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], otherwise: Callable[[], str] = lambda: "it never happened") -> None:
    """Wait for an event, with a generous limit."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, otherwise()
        time.sleep(0.02)


def lines_in(data_file: Path, context: str | None = None, below: Path | None = None) -> dict[str, list[int]]:
    """Read the lines of a data file, of one context or of all; files without lines are left out.

    Args:
        data_file: the file.
        context: of which lines are read; None for all.
        below: the folder that sources are named relative to; without it, they go by their file names.
    """
    data = CoverageData(basename=str(data_file))
    data.read()
    if context is not None:
        data.set_query_context(context)
    names = {path: os.path.relpath(path, below) if below else Path(path).name for path in data.measured_files()}
    found = {name: sorted(data.lines(path) or []) for path, name in names.items()}
    close_data(data)
    return {name: lines for name, lines in found.items() if lines}


def plain(text: str) -> str:
    """Take a program out of the indentation of the test that holds it."""
    return textwrap.dedent(text).lstrip("\n")


def numbered(text: str, *marks: str) -> list[int]:
    """Return the numbers of the lines of *text* whose comment has one of the marks, as in ``x = 1  # unit``."""
    lines = plain(text).splitlines()
    return [number for number, line in enumerate(lines, 1) if set(_marks_of(line)) & set(marks)]


def _marks_of(line: str) -> Sequence[str]:
    return line.partition("  # ")[2].split()
