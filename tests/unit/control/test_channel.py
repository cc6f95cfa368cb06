from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from server_hook.control import channel as channel_
from server_hook.control.channel import Answer, Channel
from server_hook.control.client import RefusedError, ask

PATIENCE_S = 60.0
NOT_A_REQUEST = {"vmpilot_cov": 1, "ok": False, "error": "this is not a request"}
ANSWER = Answer("1-a", 1, "pipeline", lines=7, flushed_at=1.5)
STATUS = {"vmpilot_cov": 1, "ok": True, **ANSWER._asdict()}


def answer(do: str, request: Mapping[str, Any]) -> Answer:
    """Answer as a recorder does, or fail as one may."""
    if do == "dump":
        raise OSError("the disk is full")
    return ANSWER._replace(problem=str(request.get("publish", "")))


@pytest.fixture
def channel(short_folder: Path) -> Iterator[Channel]:
    """Give a channel that listens in a folder of its own."""
    made = Channel(str(short_folder / "c.sock"), answer)
    yield made
    made.close()
    for connection in made._connections.values():
        connection.close()


@pytest.fixture
def connect(channel: Channel) -> Iterator[Callable[..., socket.socket]]:
    """Give a function that connects to the channel and may say something at once."""
    made = []

    def connect(octets: bytes = b"") -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.append(client)
        client.settimeout(PATIENCE_S)
        client.connect(channel.path)
        client.sendall(octets)
        return client

    yield connect
    for client in made:
        client.close()


def step(channel: Channel, times: int = 2) -> None:
    """Let the channel do what there is to do: accept what has come, read what was said."""
    for _ in range(times):
        channel.serve(0)


def answered(client: socket.socket) -> object:
    """Read the answer to a client; None where the connection was ended without one."""
    try:
        octets = client.recv(65536)
    except ConnectionResetError:
        return None
    return json.loads(octets) if octets else None


def request(do: str, **more: object) -> bytes:
    """Make the bytes of a request."""
    return json.dumps({"vmpilot_cov": 1, "do": do, **more}).encode() + b"\n"


def test_a_request_is_answered(channel: Channel) -> None:
    """Who asks gets the process's answer to what was asked, with everything that was asked for."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, channel.path, "status", time.monotonic() + PATIENCE_S, publish=True)
        while not asked.done():
            channel.serve(0.01)
    assert asked.result() == ANSWER._replace(problem="True")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"5",
        b"null",
        b"[]",
        b'"status"',
        b'{"do": "status"}',
        b'{"vmpilot_cov": 1}',
        b"\xff\xfe",
        b"[" * 4000,
    ],
)
def test_garbage_is_answered_as_such(channel: Channel, connect: Callable[..., socket.socket], line: bytes) -> None:
    """A line that is no request is told so, and the channel lives on."""
    client = connect(line + b"\n")
    step(channel)
    assert answered(client) == NOT_A_REQUEST
    other = connect(request("status"))
    step(channel)
    assert answered(other) == STATUS


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_another_version_is_refused(channel: Channel, connect: Callable[..., socket.socket], version: object) -> None:
    """A request of another version is told which one is spoken."""
    client = connect(json.dumps({"vmpilot_cov": version, "do": "status"}).encode() + b"\n")
    step(channel)
    expected = {"vmpilot_cov": 1, "ok": False, "error": f"version {version!r} is not spoken here, 1 is"}
    assert expected == answered(client)


def test_a_failure_is_told_to_who_asked(channel: Channel, connect: Callable[..., socket.socket]) -> None:
    """Where the process cannot do what was asked, the asker gets the reason and the process runs on."""
    client = connect(request("dump"))
    step(channel)
    expected = {"vmpilot_cov": 1, "ok": False, "error": "OSError: the disk is full"}
    assert expected == answered(client)


def test_a_request_may_come_in_pieces(channel: Channel, connect: Callable[..., socket.socket]) -> None:
    """A request is answered once it is whole, however it was cut on its way."""
    client = connect()
    for octet in request("status"):
        client.sendall(bytes([octet]))
        step(channel)
    assert answered(client) == STATUS


def test_a_connection_has_one_answer(channel: Channel, connect: Callable[..., socket.socket]) -> None:
    """What follows the first request is not read, and the connection is ended."""
    client = connect(request("status") + request("dump"))
    step(channel)
    assert (answered(client), answered(client)) == (STATUS, None)


def test_a_request_that_is_too_long_is_cut_off(channel: Channel, connect: Callable[..., socket.socket]) -> None:
    """A connection that sends more than a request can be is ended without an answer."""
    client = connect(b" " * 5000)
    step(channel)
    assert answered(client) is None
    assert not channel._connections


def test_who_hangs_up_is_forgotten(channel: Channel, connect: Callable[..., socket.socket]) -> None:
    """A connection that ends before its request is whole, or before the answer, is no harm."""
    connect(b'{"vmpilot').close()
    connect(request("status")).close()
    step(channel, 4)
    assert not channel._connections


def test_who_says_nothing_is_dropped_in_time(
    channel: Channel, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that has not brought a whole request within its time is ended; others are not."""
    now = 100.0
    monkeypatch.setattr(channel_, "steady", lambda: now)
    silent = connect(b"{")
    step(channel)
    now += channel_.REQUEST_TIME_S - 0.1
    later = connect()
    step(channel)
    expected = 2
    assert expected == len(channel._connections)
    now += 0.2
    step(channel)
    assert answered(silent) is None
    later.sendall(request("status"))
    step(channel)
    assert answered(later) == STATUS


def test_idle_connections_keep_nobody_out(channel: Channel, connect: Callable[..., socket.socket]) -> None:
    """However many connections idle, the newest is answered; the oldest have to go."""
    idle = []
    for _ in range(64):
        idle.append(connect())
        step(channel, 1)
    client = connect(request("status"))
    step(channel)
    assert answered(client) == STATUS
    assert len(channel._connections) <= channel_.MAX_CONNECTIONS
    assert [answered(each) for each in idle[:32]] == [None] * 32


def test_the_oldest_connection_may_speak_as_it_is_dropped(
    channel: Channel, connect: Callable[..., socket.socket]
) -> None:
    """A connection that brings its request at the moment when it has to go disturbs nothing."""
    idle = [connect() for _ in range(channel_.MAX_CONNECTIONS)]
    step(channel, channel_.MAX_CONNECTIONS)
    for each in idle:
        each.sendall(request("status"))
    client = connect(request("status"))
    step(channel)
    assert answered(client) == STATUS


def test_many_may_ask_at_once(channel: Channel) -> None:
    """64 who ask at the same moment are all answered."""
    with ThreadPoolExecutor(64) as pool:
        until = time.monotonic() + PATIENCE_S
        asked = [pool.submit(ask, channel.path, "status", until) for _ in range(64)]
        while not all(each.done() for each in asked):
            channel.serve(0.01)
    assert [each.result() for each in asked] == [ANSWER] * 64


def test_waiting_can_be_ended_from_elsewhere(channel: Channel) -> None:
    """A channel that waits for requests returns when it is woken, and keeps nothing of it."""
    begun = time.monotonic()
    channel.wake()
    channel.serve(PATIENCE_S)
    assert time.monotonic() - begun < PATIENCE_S
    step(channel)
    assert not channel._connections


def test_a_closed_channel_cannot_be_woken(channel: Channel) -> None:
    """Waking a channel that has ended does nothing."""
    channel.close()
    channel.wake()
    assert channel.is_lost


def listen(path: Path) -> socket.socket:
    """Listen as a process that is not ours."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()
    return server


def test_a_refusal_is_an_error_of_its_own(channel: Channel) -> None:
    """Whoever asks a process for what it cannot do gets its reason, apart from a process that cannot be reached."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, channel.path, "dump", time.monotonic() + PATIENCE_S)
        while not asked.done():
            channel.serve(0.01)
    with pytest.raises(RefusedError, match="OSError: the disk is full"):
        asked.result()


def test_an_answer_of_another_version_is_understood() -> None:
    """An answer with a value that is not known here, or without one that is, says what it does say."""
    assert Answer.from_json({"id": "1-a", "pid": 1, "lines": 5, "mood": "good"}) == Answer("1-a", 1, lines=5)


def test_asking_where_nobody_listens_is_an_error(short_folder: Path) -> None:
    """A process that is gone cannot be asked, whether its socket's name is still there or not."""
    path = short_folder / "gone.sock"
    with pytest.raises(FileNotFoundError):
        ask(str(path), "status", time.monotonic() + PATIENCE_S)
    listen(path).close()
    with pytest.raises(ConnectionRefusedError):
        ask(str(path), "status", time.monotonic() + PATIENCE_S)


@pytest.mark.parametrize("wait_s", [0.05, -1.0])
def test_asking_who_is_silent_ends_in_time(short_folder: Path, wait_s: float) -> None:
    """Who does not answer until the deadline, even one that has passed, is waited for no longer."""
    with listen(short_folder / "silent.sock"), pytest.raises(TimeoutError):
        ask(str(short_folder / "silent.sock"), "status", time.monotonic() + wait_s)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "it ended the connection without an answer"),
        (b'{"ok": tr', "it ended the connection without an answer"),
        (b"nonsense\n", "its answer cannot be understood"),
        (b"5\n", "its answer cannot be understood"),
        (b"\xff\n", "its answer cannot be understood"),
        (b'{"ok": true, "id": "1-a"}\n', "its answer cannot be understood"),
        (b'{"ok": true, "id": "1-a", "pid": "1"}\n', "its answer cannot be understood"),
        (b'{"ok": true, "id": "1-a", "pid": true}\n', "its answer cannot be understood"),
        (b'{"ok": true, "id": "1-a", "pid": 1, "took_s": NaN}\n', "its answer cannot be understood"),
        (b'{"ok": true, "id": "1-a", "pid": 1, "problem": null}\n', "its answer cannot be understood"),
        (b"x" * (2 << 20), "it ended the connection without an answer"),
    ],
)
def test_an_answer_without_meaning_is_an_error(short_folder: Path, octets: bytes, expected: str) -> None:
    """An answer that is cut, nonsense or endless is an error that says so."""

    def talk() -> None:
        client, _ = server.accept()
        with client:
            client.recv(4096)
            client.settimeout(PATIENCE_S)
            try:
                client.sendall(octets)
            except OSError:  # the asker had enough
                return

    with listen(short_folder / "odd.sock") as server, ThreadPoolExecutor(1) as pool:
        talking = pool.submit(talk)
        with pytest.raises(ConnectionAbortedError) as caught:
            ask(str(short_folder / "odd.sock"), "status", time.monotonic() + PATIENCE_S)
        talking.result()
    assert expected == str(caught.value)
