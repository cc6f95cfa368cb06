"""The matrix of servers: two tests and a stranger at once, each stopped in mid-function, and whose every line is.

Then they come one after the other, and a third test without a header.

By default the usual rows are tested; with ``TEST_SERVERS=all`` each row.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import pytest

from server_hook.attribution.boards import Board
from server_hook.attribution.tags import to_header
from server_hook.store import records, segment, working_folder
from tests.conftest import PATIENCE_S, SHOWS_PROCESSES, Project, Server, numbered, wait_for
from tests.server import witness_programs as programs
from tests.server.subject import end_all
from tests.server.witness_rows import ROWS, WitnessRow

TESTS = {"one": "tests/e2e/test_a.py::test_one|run", "two": "tests/e2e/test_a.py::test_two[é, 2]|setup", "nobody": ""}
THIRD = "tests/e2e/test_a.py::test_three|run"
"""Told by no header, but by the process at the other end."""
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
    board, server = put_up_board(app), start(app, row)
    if row.at_once:
        ask_at_once(app, row, server)
    for step in STEPS:
        for name in TESTS:
            open_gate(app, name, step)
    ask_in_turn(row, server)
    expected = {test: numbered(row.source, name, "all") for name, test in TESTS.items() if test}
    if row.sees_peers and SHOWS_PROCESSES:
        board.show(THIRD)
        assert ask(row, server, "nobody") == body_of(row, "nobody")
        board.show("")
        expected[THIRD] = numbered(row.source, "nobody", "all")
    assert ask(row, server, "nobody") == body_of(row, "nobody")
    stop(server)
    found = lines_by_context(app.path)
    total = found.pop("")
    assert found == expected
    assert set(total) <= set(numbered(row.source, "start", "all", *TESTS))
    assert set(total) >= {line for lines in found.values() for line in lines}
    assert "vmpilot-cov:" not in server.log.read_text()


def test_a_server_that_has_given_up_root_is_told_apart(app: Project) -> None:
    """All that is needed is loaded with the server: when a request comes, the package may not be readable any more."""
    server = start(app, named("http.server"), after_import="sys.meta_path.insert(0, Unreadable())")
    for step in STEPS:
        open_gate(app, "one", step)
    ask(named("http.server"), server, "one")
    stop(server)
    assert lines_by_context(app.path)[TESTS["one"]] == numbered(programs.STANDARD, "one", "all")
    assert "vmpilot-cov:" not in server.log.read_text()


def test_a_server_of_an_unknown_version_is_said(app: Project) -> None:
    """A server with another inside serves as without us, and the status names it."""
    app.write("waitress/__init__.py", "")
    app.write("waitress/task.py", "")
    server = start(app, named("http.server"), after_import="import waitress.task")
    assert server.get() == "...last"
    status = app.run("vmpilot-cov", "status").stdout
    assert "requests of waitress.task cannot be told apart: AttributeError: " in status, status


def named(name: str) -> WitnessRow:
    """Return a row of the matrix."""
    return next(row for row in ROWS if row.name == name)


def ask_at_once(app: Project, row: WitnessRow, server: Server) -> None:
    """Ask on behalf of two tests and a stranger; let each request go on while the others stand in mid-function."""
    with ThreadPoolExecutor() as pool:
        answers = {name: pool.submit(ask, row, server, name) for name in TESTS}
        for step, order in STEPS.items():
            wait_for(lambda step=step: arrived(app, step) == set(TESTS), lambda: stuck(app, server, answers))
            for name in order:
                open_gate(app, name, step)
                if step == "stream":
                    assert answers[name].result(PATIENCE_S) == body_of(row, name)


def ask_in_turn(row: WitnessRow, server: Server) -> None:
    """Ask for one after the other, on one connection where the server keeps it open."""
    connection = connect_to(row, server)
    for name in ("nobody", "one", "nobody", "two", "nobody"):
        if row.is_socket or row.calls:
            assert ask(row, server, name) == body_of(row, name)
        else:
            try:
                body = get(connection, f"/{name}", baggage_of(name))
            except ConnectionError:  # the server keeps it open for some seconds only
                connection.close()
                body = get(connection, f"/{name}", baggage_of(name))
            assert body == body_of(row, name)
    connection.close()


def put_up_board(app: Project) -> Board:
    """Put up the board of this process, as a session does before its first test."""
    record = records.describe_process(f"{os.getpid()}-session", "e2e", "", {})
    folder = working_folder.make_folder(str(app.path), record.id)
    records.write_record(folder, record)
    return Board(folder)


def start(app: Project, row: WitnessRow, after_import: str = "") -> Server:
    """Start a row's server, and wait until it answers; its script may do something more after its imports."""
    concurrency = f"concurrency = {row.concurrency}\n" if row.concurrency else ""
    app.package("app", f"{concurrency}[vmpilot_cov]\ninterval_s = 3600\n", main=row.source)
    command = row.command
    if row.script:
        script = dedent(programs.SCRIPTS[row.script]).replace("PORT", "int(sys.argv[1])")
        app.write("serve.py", f"import sys\n{script}")
        app.write("run.py", programs.RUN.replace("AFTER_IMPORT", after_import))
        command = ("python", "run.py" if after_import else "serve.py", "PORT")
    env = {"VMPILOT_COV": ".", "PYTHONPATH": str(app.path)}
    server = app.serve(*command, env=env, wait=not (row.is_unix or row.calls))
    if row.calls:
        host, _, port = host_of(server).partition(":")
        wait_for(lambda: accepts(host, int(port)), server.log.read_text)
    if row.is_unix:
        wait_for(lambda: listens(app.path / "socket"), server.log.read_text)
    return server


def listens(path: Path) -> bool:
    """Tell whether somebody listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def accepts(host: str, port: int) -> bool:
    """Tell whether somebody listens at a port."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def ask(row: WitnessRow, server: Server, name: str) -> bytes:
    """Ask a server on behalf of a test."""
    if row.is_socket:
        return talk(host_of(server), f"/{name}", baggage_of(name))
    if row.calls:
        return call(host_of(server), row.calls, name)
    connection = connect_to(row, server)
    body = get(connection, f"/{name}", baggage_of(name))
    connection.close()
    return body


def connect_to(row: WitnessRow, server: Server) -> http.client.HTTPConnection:
    """Prepare a connection to a server."""
    connection = http.client.HTTPConnection(host_of(server), timeout=PATIENCE_S)
    if row.is_unix:

        def connect() -> None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(server.log.with_name("socket")))

        connection.connect = connect  # type: ignore[method-assign]
    return connection


def host_of(server: Server) -> str:
    """Return the host and port of a server."""
    return server.url.removeprefix("http://")


def baggage_of(name: str) -> list[str]:
    """Return the headers of a request: a test's comes after one of the application's, or in one with it."""
    tag = to_header(TESTS[name])
    return {"one": ["user=7", tag], "two": [f"user=7;a=b, {tag} ,k=v"], "nobody": ["user=7"]}[name]


def get(connection: http.client.HTTPConnection, path: str, baggage: list[str]) -> bytes:
    """Get a page."""
    connection.putrequest("GET", path)
    for value in baggage:
        connection.putheader("baggage", value)
    connection.endheaders()
    return connection.getresponse().read()


def talk(host: str, path: str, baggage: list[str]) -> bytes:
    """Send two messages; return the answer."""
    from websockets.sync.client import connect

    headers = [("baggage", value) for value in baggage]
    with connect(f"ws://{host}{path}", additional_headers=headers, proxy=None) as connection:
        connection.send("first")
        connection.send("last")
        return bytes(connection.recv(PATIENCE_S))


def call(host: str, kind: str, name: str) -> bytes:
    """Call the method of a gRPC server; return all that it answers."""
    import grpc

    request = name.encode()
    with grpc.insecure_channel(host) as channel:
        answer = getattr(channel, kind)("/app/Work")(
            iter([request]) if kind.startswith("stream") else request,
            metadata=[("baggage", value) for value in baggage_of(name)],
            timeout=PATIENCE_S,
        )
        return bytes(answer) if kind.endswith("unary") else b"".join(answer)


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
