"""What wraps a server's call: what it tells the recorder, and what it leaves alone."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from server_hook.attribution import imports, receiving, receiving_asgi, receiving_wsgi
from server_hook.environment import process_state


class FakeRecorder:
    """Notes what servers tell of their requests; is its own attribution."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.attribution = self.problems = self
        self.told: list[str] = []
        self.ends: list[object] = []
        self.reported: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def prepare(self) -> None:
        """Have nothing to load."""

    def begin_again(self, _header: str) -> None:
        """Know of no request of a moment ago."""

    def begin_request(self, baggage: Iterable[str], ends: Callable[..., object], *ends_of: object) -> str:
        """Note a request, and how its connection is seen."""
        if self.error:
            raise self.error
        self.ends.append(ends(*ends_of))
        name = ", ".join(baggage) or "nobody"
        self.told.append(f"begin {name}")
        return name

    def end_request(self, begun: str) -> None:
        """Note its end."""
        self.told.append(f"end {begun}")

    def report(self, slug: str, text: str) -> None:
        """Note a problem."""
        self.reported.append((slug, text))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> FakeRecorder:
    """Be recorded by the fake."""
    fake = FakeRecorder()
    monkeypatch.setattr(process_state(), "recorder", fake)
    return fake


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect a client; give both ends, the server's first."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        yield server, client


class SomeServer:
    """A server of ours."""

    def answer(self, request: str, *, fails: bool = False) -> str:
        """Answer a request."""
        if fails:
            raise LookupError(request)
        return f"answer to {request}"


def wrapped(read: receiving.Read = lambda _, request: ([request], receiving.no_ends)) -> SomeServer:
    """Give a server whose call is wrapped."""
    kind = type("SomeServer", (SomeServer,), {})
    receiving.around(kind, "answer", read)
    server: SomeServer = kind()
    return server


def test_a_request_spans_the_servers_call(recorder: FakeRecorder) -> None:
    """A request begins before the call and ends after it, and the call looks and answers as before."""
    server = wrapped()
    assert server.answer("x") == "answer to x"
    assert recorder.told == ["begin x", "end x"]
    assert inspect.signature(server.answer) == inspect.signature(SomeServer().answer)


def test_a_request_that_fails_ends_too(recorder: FakeRecorder) -> None:
    """An error of the application comes through, and the request is over."""
    with pytest.raises(LookupError, match="x"):
        wrapped().answer("x", fails=True)
    assert recorder.told == ["begin x", "end x"]


def test_an_error_of_ours_never_reaches_a_request(recorder: FakeRecorder) -> None:
    """Where a request cannot be read, or the recorder fails, it is answered all the same, and a line says so."""
    assert wrapped(lambda *_: 1 / 0).answer("x") == "answer to x"  # type: ignore[arg-type,return-value]
    recorder.error = OSError("no")
    assert wrapped().answer("x") == "answer to x"
    assert [slug for slug, _ in recorder.reported] == ["not-told-apart", "not-told-apart"]


def test_a_server_without_a_recorder_serves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """When measuring has stopped, requests are answered as before."""
    monkeypatch.setattr(process_state(), "recorder", None)
    assert wrapped().answer("x") == "answer to x"


@pytest.mark.parametrize("name", imports.TABLE)
def test_a_server_with_another_inside_is_left_alone(recorder: FakeRecorder, name: str) -> None:
    """Where a version lacks what is wrapped, nothing is, and one line says which requests cannot be told apart."""
    imports._act_on(ModuleType(name), name)
    [(slug, text)] = recorder.reported
    assert slug == "not-told-apart"
    assert text.startswith(f"requests of {name} cannot be told apart: AttributeError: ")


@pytest.mark.parametrize("name", imports.TABLE)
def test_a_server_that_is_installed_here_is_wrapped(recorder: FakeRecorder, name: str) -> None:
    """Every call that the table's functions wrap is there in the versions that are installed."""
    if name == "gevent.pywsgi" and "gevent" not in sys.modules:
        pytest.skip("it would change this process for good")
    try:
        module = importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - a server may refuse to be imported beside others
        pytest.skip(f"not here: {error}")
    wrap_again(module, name)
    assert not recorder.reported


def wrap_again(module: ModuleType, name: str) -> None:
    """Act on a module whose classes and functions are put back after that."""
    kinds = [each for each in (module, *vars(module).values()) if isinstance(each, type | ModuleType)]
    before = [(kind, dict(vars(kind))) for kind in kinds if getattr(kind, "__module__", name) == name]
    imports._act_on(module, name)
    for kind, attributes in before:
        for key, value in attributes.items():
            if vars(kind)[key] is not value:
                setattr(kind, key, value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (["::1", "80"], ("::1", 80)),
        (("fe80::1", 80, 0, 2), ("fe80::1", 80, 0, 2)),
        (("/run/socket", None), None),
        (("10.0.0.1",), None),
        ("", None),
        (b"\0abstract", None),
        (None, None),
    ],
)
def test_an_end_of_a_connection_is_as_a_socket_gives_it(given: object, expected: object) -> None:
    """Servers tell addresses as tuples, lists and text; what has no port is none."""
    assert receiving.address(given) == expected


def test_both_ends_of_a_connection_are_told() -> None:
    """A socket's own end comes first; a closed one has none, and a Unix socket is told by its descriptor."""
    with connected() as (server, client):
        assert receiving.ends_of(server) == (server.getsockname(), client.getsockname())
    assert receiving.ends_of(server) == (None, None)
    near, far = socket.socketpair()
    with near, far:
        assert receiving.ends_of(near) == (None, near.fileno())


def scope_of(kind: str, *baggage: str) -> dict[str, object]:
    """Return what a server says of a request."""
    headers = [(b"host", b"x"), *((b"baggage", value.encode()) for value in baggage)]
    ends = {"server": ["127.0.0.1", 80], "client": ["127.0.0.1", 5000]}
    return {"type": kind} if kind == "lifespan" else {"type": kind, "headers": headers, **ends}


def test_an_asgi_application_is_called_as_before(recorder: FakeRecorder) -> None:
    """A request is told of with all its headers and both ends, and gets what the server gives."""

    async def app(*args: object) -> tuple[object, ...]:
        return args

    scope = scope_of("http", "a=1", "b=2")
    assert asyncio.run(receiving_asgi.tag(app)(scope, 1, 2)) == (scope, 1, 2)
    assert recorder.told == ["begin a=1, b=2", "end a=1, b=2"]
    assert recorder.ends == [(("127.0.0.1", 80), ("127.0.0.1", 5000))]


def test_a_lifespan_is_nobodys_and_no_request(recorder: FakeRecorder) -> None:
    """What an application does when the server starts and stops is not told of."""

    async def app(scope: dict[str, object], *_: object) -> object:
        return scope["type"]

    assert asyncio.run(receiving_asgi.tag(app)(scope_of("lifespan"), None, None)) == "lifespan"
    assert not recorder.told


def test_each_message_of_a_websocket_begins_anew(recorder: FakeRecorder) -> None:
    """A connection may stay open while tests come and go: the next message ends the one before."""

    async def app(_: object, receive: Callable[[], Any], __: object) -> list[object]:
        return [await receive(), await receive()]

    async def receive() -> str:
        return "message"

    assert asyncio.run(receiving_asgi.tag(app)(scope_of("websocket", "a=1"), receive, None)) == ["message"] * 2
    assert recorder.told == ["begin a=1", "begin a=1", "end a=1", "begin a=1", "end a=1", "end a=1"]


class Answer:
    """What a WSGI application returns: two steps, and a last one when it is closed."""

    def __init__(self, recorder: FakeRecorder) -> None:
        """Begin with the first step."""
        self.recorder = recorder

    def __iter__(self) -> Iterator[bytes]:
        """Yield both."""
        yield b"1"
        self.recorder.told.append("step")
        yield b"2"

    def close(self) -> None:
        """Be closed."""
        self.recorder.told.append("close")


def test_what_granian_sends_from_other_threads_is_told_step_by_step(recorder: FakeRecorder) -> None:
    """Each step of the answer, and its end, belong to the request; a list is passed on as it is."""
    tagged = receiving_wsgi._tag(lambda environ, _: environ["answer"])
    environ = {"HTTP_BAGGAGE": "a=1", "answer": Answer(recorder)}
    answer = tagged(environ, None)
    assert list(answer) == [b"1", b"2"]
    answer.close()
    told = "".join(f"{each[0]}" for each in recorder.told)  # b(egin), e(nd), s(tep), c(lose)
    assert (told.count("b"), told.count("e")) == (6, 6)
    assert "bse" in told
    assert told.endswith("bce")
    whole = [b"all"]
    assert tagged({"answer": whole}, None) is whole
    assert not hasattr(tagged({"answer": (b"all",)}, None), "close")


@pytest.mark.parametrize("worker", ["sync", "gthread", "http2"])
def test_gunicorns_workers_are_read_alike(worker: str) -> None:
    """The request and its connection are found in the arguments of each worker."""
    request = SimpleNamespace(headers=[("HOST", "x"), ("BAGGAGE", "a=1"), ("BAGGAGE", "b=2")])
    with connected() as (server, client):
        peer = client.getsockname()
        arguments = {
            "sync": (None, request, server, peer),
            "gthread": (request, SimpleNamespace(sock=server, client=peer)),
            "http2": (("127.0.0.1", 80), request, server, peer, SimpleNamespace(headers=[])),
        }[worker]
        baggage, ends, *ends_of = receiving_wsgi._of_gunicorn(None, *arguments)
        assert (baggage, ends(*ends_of)) == (["a=1", "b=2"], (server.getsockname(), peer))
