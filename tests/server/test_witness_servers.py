"""The matrix of servers: two tests and a stranger at once, each stopped in mid-function, and whose every line is.

By default the usual rows are tested; with ``TEST_SERVERS=all`` each row.
"""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from server_hook.attribution.tags import to_header
from server_hook.store import segment, working_folder
from tests.conftest import PATIENCE_S, Project, Server, numbered, wait_for
from tests.server import witness_programs as programs
from tests.server.subject import end_all
from tests.server.witness_rows import ROWS, WitnessRow

TESTS = {"one": "tests/e2e/test_a.py::test_one|run", "two": "tests/e2e/test_a.py::test_two[é, 2]|setup", "nobody": ""}
STEPS = {"middle": ("two", "nobody", "one"), "stream": ("one", "two", "nobody")}
"""Where each request stops, and in which order they go on."""


@pytest.fixture
def app(project: Project) -> Iterator[Project]:
    """Give an empty project; end every process of the servers that were started in it."""
    (project.path / "gates").mkdir()
    project.write("gate.py", programs.GATE)
    yield project
    end_all(project)


def rows() -> Iterator[object]:
    """Walk the rows that are to be tested here."""
    for row in ROWS:
        if row.usual or os.environ.get("TEST_SERVERS") == "all":
            missing = pytest.mark.skipif(bool(row.missing()), reason=row.missing())
            yield pytest.param(row, marks=missing, id=f"{row.name} ({row.versions()})")


@pytest.mark.parametrize("row", list(rows()))
def test_a_server_tells_tests_apart(app: Project, row: WitnessRow) -> None:
    """Each of two tests has the lines that its request ran, a stranger's have none, and all count in the totals."""
    server = start(app, row)
    with ThreadPoolExecutor() as pool:
        if row.at_once:
            answers = {name: pool.submit(ask, row, server, name) for name in TESTS}
            for step, order in STEPS.items():
                wait_for(lambda step=step: arrived(app, step) == set(TESTS), lambda: stuck(app, server, answers))
                for name in order:
                    open_gate(app, name, step)
                    if step == "stream":
                        assert answers[name].result(PATIENCE_S) == body_of(row, name)
        else:
            for name in [name for order in STEPS.values() for name in order]:
                for step in STEPS:
                    open_gate(app, name, step)
                assert ask(row, server, name) == body_of(row, name)
    stop(server)
    expected = {test: numbered(row.source, name, "all") for name, test in TESTS.items() if test}
    everything = numbered(row.source, "start", "all", *TESTS)
    found = lines_by_context(app.path)
    total = found.pop("")
    assert found == expected
    assert set(total) <= set(everything)
    assert set(total) >= {line for lines in found.values() for line in lines}
    assert "vmpilot-cov:" not in server.log.read_text()


def start(app: Project, row: WitnessRow) -> Server:
    """Start a row's server, and wait until it answers."""
    concurrency = f"concurrency = {row.concurrency}\n" if row.concurrency else ""
    app.package("app", f"{concurrency}[vmpilot_cov]\ninterval_s = 3600\n", main=row.source)
    command = row.command
    if row.script:
        script = programs.SCRIPTS[row.script].replace("PORT", "int(sys.argv[1])")
        app.write("run.py", script)
        (app.path / "run.py").write_text("import sys\n" + (app.path / "run.py").read_text())
        command = ("python", "run.py", "PORT")
    return app.serve(*command, env={"VMPILOT_COV": ".", "PYTHONPATH": str(app.path)})


def ask(row: WitnessRow, server: Server, name: str) -> bytes:
    """Ask a server on behalf of a test, whose header comes after one of the application's, or in one with it."""
    tag = to_header(TESTS[name])
    values = {"one": ["user=7", tag], "two": [f"user=7;a=b, {tag} ,k=v"], "nobody": ["user=7"]}[name]
    return (talk if row.is_socket else get)(server.url.removeprefix("http://"), f"/{name}", values)


def get(host: str, path: str, baggage: list[str]) -> bytes:
    """Get a page."""
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
    connection.putrequest("GET", path)
    for value in baggage:
        connection.putheader("baggage", value)
    connection.endheaders()
    body = connection.getresponse().read()
    connection.close()
    return body


def talk(host: str, path: str, baggage: list[str]) -> bytes:
    """Send two messages; return the answer."""
    from websockets.sync.client import connect

    headers = [("baggage", value) for value in baggage]
    with connect(f"ws://{host}{path}", additional_headers=headers, proxy=None) as connection:
        connection.send("first")
        connection.send("last")
        return bytes(connection.recv(PATIENCE_S))


def body_of(row: WitnessRow, name: str) -> bytes:
    """Return what a request is answered with."""
    last = b"last" if name == "nobody" else f"last {name}".encode()
    return last if row.is_socket else b"..." + last


def arrived(app: Project, step: str) -> set[str]:
    """Return the requests that have come to where they stop."""
    return {name for name in TESTS if (app.path / f"gates/{name}-{step}").exists()}


def open_gate(app: Project, name: str, step: str) -> None:
    """Let a request go on."""
    (app.path / f"gates/{name}-{step}-open").touch()


def stuck(app: Project, server: Server, answers: dict[str, Future[bytes]]) -> str:
    """Say how things are where a request does not come on."""
    done = {name: str(each.exception() or each.result()) for name, each in answers.items() if each.done()}
    return f"{sorted(os.listdir(app.path / 'gates'))} {done}\n{server.log.read_text()[-2000:]}"


def stop(server: Server) -> None:
    """End a server with all its processes, and wait until they have written their last segments."""
    server.stop()
    try:
        os.killpg(server.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    wait_for(lambda: not is_group(server.pid), lambda: server.log.read_text()[-2000:])


def is_group(number: int) -> bool:
    """Tell whether a process group has a process."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def lines_by_context(path: Path) -> dict[str, list[int]]:
    """Read the lines of the application that the segments hold for each context; those of none are the totals."""
    found: dict[str, int] = {}
    for folder in working_folder.process_folders(path):
        for _, parts in segment.read_folder(folder):
            for part in parts if isinstance(parts, list) else ():
                for source, measured in part.files.items():
                    if source.path.endswith("main.py"):
                        lines = segment.to_lines(measured)
                        found[part.label.context] = found.get(part.label.context, 0) | lines
    return {context: list(segment.line_numbers(lines)) for context, lines in found.items()}
