"""Nobody gets in: whatever comes to the control socket, and whoever, the process serves and records on."""

from __future__ import annotations

import json
import os
import random
import socket
import stat
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from server_hook.control import channel
from server_hook.control import client as client_
from tests.conftest import PATIENCE_S, Project, Server, needs_proc, numbered, wait_for
from tests.server.processes import (
    SERVE,
    descriptors,
    internet_sockets,
    lines_of,
    memory_kb,
    only_folder,
    record_in,
    serve,
    write_app,
)
from tests.server.programs import STANDARD

MESSAGES = 100_000
AT_ONCE = 4
"""How many messages a connection brings; one has an answer at most."""
IDLE = 1_000
HALF_OPEN = 40
GROWTH_KB = 16_384
DRIVEN, LAST = set(numbered(STANDARD, "driven")), set(numbered(STANDARD, "last"))

KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    lambda chance: chance.randbytes(chance.randrange(1, 300)),
    lambda chance: b"x" * chance.choice((4095, 4096, 4097, 65_536)),
    lambda chance: b'{"vmpilot_cov": 1, "do": "dump"}'[: chance.randrange(32)],
    lambda chance: b'{"a":' * chance.randrange(800) + b"0",
    lambda chance: b"[" * chance.randrange(4000),
    lambda chance: json.dumps({"vmpilot_cov": chance.choice([0, 2, -1, 1e300, "1", None, []]), "do": "dump"}).encode(),
    lambda chance: json.dumps({"vmpilot_cov": 1, "do": chance.choice([None, 5, [], "", "\ud800", "erase"])}).encode(),
    lambda chance: json.dumps(chance.choice([None, 1, "dump", [], [1], {}, {"do": "dump"}])).encode(),
    lambda chance: b"\0" * chance.randrange(1, 300),
    lambda _: b'{"vmpilot_cov": 1, "do": "\0dump"}',
    lambda _: b'{"vmpilot_cov": ' + b"9" * 4000 + b', "do": "dump"}',
    lambda _: b'{"vmpilot_cov": NaN, "do": -Infinity}',
    lambda _: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    lambda _: b"",
)  # fmt: skip


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a server of one process."""
    write_app(project)
    return project


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder for sockets whose name is short."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with tempfile.TemporaryDirectory(prefix="vc", dir="/tmp") as folder:
        yield Path(folder)


def connect(path: str, octets: bytes = b"") -> socket.socket:
    """Connect, wait in the queue as long as it takes, and say something."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.settimeout(PATIENCE_S)
    with suppress(OSError):  # it was cut off in the middle
        client.sendall(octets)
    return client


def messages(chance: random.Random) -> Iterator[bytes]:
    """Make what each connection says: some lines at once, the last of them not always ended."""
    for number in range(MESSAGES // AT_ONCE):
        first = KINDS[number % len(KINDS)](chance)
        more = b"\n".join(chance.choice(KINDS)(chance)[:500] for _ in range(AT_ONCE - 1))
        yield first + b"\n" + more + b"\n" * (number % 3)


def flood(path: str) -> None:
    """Say all messages; most never read an answer, and some stay half-open until others take their place."""
    chance = random.Random(7)
    held: deque[socket.socket] = deque()
    for number, octets in enumerate(messages(chance)):
        client = connect(path, octets if number % 10 else b"{")
        if number % 10 == 0:
            held.append(client)
        elif number % 10 == 1:
            with client, suppress(OSError):
                assert b'"ok": true' not in client.recv(65_536)
        else:
            client.close()
        if len(held) > HALF_OPEN:
            held.popleft().close()
        if number % 5_000 == 0:
            ask_in_time(path)
    for client in held:
        client.close()


def ask_in_time(path: str) -> channel.Answer:
    """Ask for a dump as a session does; fail if it does not come within the limit."""
    return client_.ask(path, "dump", time.monotonic() + PATIENCE_S)


def idle(path: str) -> None:
    """Connect a thousand times without a word, and ask while all are there."""
    clients = [connect(path) for _ in range(IDLE)]
    ask_in_time(path)
    for client in clients:
        client.close()


@needs_proc
@pytest.mark.parametrize("hostility", [flood, idle])
def test_hostile_clients_change_nothing(app: Project, hostility: Callable[[str], None]) -> None:
    """After 100,000 hostile messages, or 1,000 idle connections, a process answers, records and holds as before."""
    server = serve(app)
    folder = only_folder(app.path)
    path = record_in(folder).socket
    ask_in_time(path)
    wait_for(lambda: DRIVEN.isdisjoint(lines_of(folder)))
    memory, held = memory_kb(server.pid), descriptors(server.pid)
    hostility(path)
    wait_for(lambda: descriptors(server.pid) <= held)
    assert memory_kb(server.pid) - memory < GROWTH_KB
    server.get("/driven")
    answer = ask_in_time(path)
    assert (answer.pid, answer.problem) == (server.pid, "")
    assert lines_of(folder) >= DRIVEN
    assert server.stop() == unmeasured_end(app)
    assert "Traceback" not in server.log.read_text()


def unmeasured_end(app: Project) -> int:
    """Return the exit code of the same server where nobody records it."""
    return app.serve(*SERVE).stop()


def test_deep_nesting_needs_no_deep_stack(app: Project) -> None:
    """A process whose threads have small stacks survives requests that are nested as deeply as they can be."""
    server = serve(app, command=("sh", "-c", "ulimit -s 192 && exec python -m app.main PORT"))
    path = record_in(only_folder(app.path)).socket
    for octets in (b"[" * 4000, b'{"a":' * 800, b'{"vmpilot_cov":' + b"[" * 2000 + b"]" * 2000 + b', "do": 1}'):
        with connect(path, octets + b"\n") as client:
            assert json.loads(client.recv(4096))["error"] == "this is not a request"
    assert ask_in_time(path).pid == server.pid


def test_who_asks_waits_behind_a_full_queue(app: Project) -> None:
    """A session that asks while a hundred others wait to be heard is heard in its turn."""
    serve(app)
    path = record_in(only_folder(app.path)).socket
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    for client in waiting:
        client.settimeout(0)
        with suppress(BlockingIOError):
            client.connect(path)
    ask_in_time(path)
    for client in waiting:
        client.close()


@needs_proc
def test_nothing_listens_on_a_network(app: Project) -> None:
    """A recorded process has no internet socket but its own."""
    server = serve(app)
    assert record_in(only_folder(app.path)).socket
    wait_for(lambda: [each.partition(" ")[0] for each in internet_sockets(server.pid)] == ["tcp"], server.log.read_text)


def channel_refused(app: Project, base: Path) -> str:
    """Serve with sockets below *base*; return what the status says, once it was seen that the process records."""
    server = serve(app, env={"TMPDIR": str(base)})
    folder = only_folder(app.path)
    server.get("/last")
    wait_for(lambda: lines_of(folder) >= LAST, server.log.read_text)
    assert not record_in(folder).socket
    assert server.log.read_text().count("vmpilot") == 0
    (line,) = (line for line in app.run("vmpilot-cov", "status").stdout.splitlines() if line.startswith("pid "))
    return line.removeprefix(f"pid {server.pid}: ")


def in_the_way(base: Path, what: str) -> None:
    """Put what must be refused where the folder of the sockets would be."""
    folder = base / f"vmpilot-cov-{os.getuid()}"
    if what == "link":
        (base / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(base / "elsewhere")
    elif what == "file":
        folder.touch(0o600)
    else:
        folder.mkdir(mode=0o700)
        folder.chmod(0o770 if what == "wider mode" else 0o700)
        if what == "another owner":
            os.chown(folder, 65534, 65534)


@pytest.mark.parametrize("what", ["link", "file", "wider mode", "another owner"])
def test_a_socket_folder_that_others_may_enter_is_refused(app: Project, short_folder: Path, what: str) -> None:
    """Where the folder of the sockets is not this user's alone, a process has no channel, says so, and records."""
    if what == "another owner" and os.getuid():
        pytest.skip("only root can give a folder away")
    in_the_way(short_folder, what)
    refused = f"{short_folder}/vmpilot-cov-{os.getuid()} is not a folder that only this user may enter"
    assert channel_refused(app, short_folder) == f"it cannot be asked while it runs: {refused}"
    assert not list(short_folder.glob("elsewhere/*"))


@pytest.mark.parametrize("name", ["t", "t" * 24, "ü" * 24, "t" * 200, "missing/t"])
def test_a_socket_can_be_bound_below_any_folder(short_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """However long the name of the temporary folder is, in whatever letters, the socket's path is short enough."""
    base = short_folder / name
    if not name.startswith("missing"):
        base.mkdir()
    monkeypatch.setenv("TMPDIR", str(base))
    path = f"{channel.socket_folder()}/4194304-{os.urandom(4).hex()}.sock"
    assert len(os.fsencode(path)) <= channel.MAX_PATH_BYTES
    channel.Channel(path, lambda _, __: {}).close()


def test_the_socket_folder_is_private_under_any_umask(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the sockets has mode 0700, whatever the process's umask allows or takes away."""
    monkeypatch.setenv("TMPDIR", str(short_folder))
    earlier = os.umask(0)
    try:
        folder = Path(channel.socket_folder())
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


ANOTHER_USER = """
    import os, socket, sys
    from server_hook.control import client

    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    try:
        client.ask(sys.argv[1], "status", 1e9)
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused(app: Project) -> None:
    """A process of another user cannot even connect."""
    server: Server = serve(app)
    app.write("other.py", ANOTHER_USER)
    done = app.run("python", "other.py", record_in(only_folder(app.path)).socket)
    assert (done.stdout, done.stderr) == ("PermissionError\n", "")
    assert server.get("/pid")
