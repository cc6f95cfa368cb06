"""What is put around gRPC's servers: what an application gives them stays, and what cannot be seen is nobody's."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from server_hook.attribution import receiving_grpc


@pytest.mark.parametrize(
    ("peer", "ports", "expected"),
    [
        ("ipv4:127.0.0.1:40312", [50051], (("127.0.0.1", 50051), ("127.0.0.1", 40312))),
        ("ipv6:%5B::1%5D:40312", [50051], (("::1", 50051), ("::1", 40312))),
        ("ipv6:[::ffff:127.0.0.1]:40312", [50051], (("::ffff:127.0.0.1", 50051), ("::ffff:127.0.0.1", 40312))),
        ("ipv4:127.0.0.1:40312", [50051, 50052], (None, None)),
        ("unix:", [0], (None, None)),
        ("", [50051], (None, None)),
    ],
)
def test_the_ends_of_a_connection_are_read_from_its_peer(peer: str, ports: list[int], expected: object) -> None:
    """Both families are read; at which of several ports a call came is not told, and a Unix socket has none."""
    assert receiving_grpc._ends_of_peer(peer, ports) == expected


class Server:
    """Stands for gRPC's."""

    def __init__(self, interceptors: Any) -> None:
        """Keep what it is given."""
        self.interceptors = interceptors

    def add_insecure_port(self, address: str) -> int:
        """Listen at a port."""
        return int(address.rpartition(":")[2])

    add_secure_port = add_insecure_port


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a module that stands for gRPC, and is watched."""

    def server(_pool: object, _handlers: object = None, interceptors: object = None) -> Server:
        return Server(interceptors)

    def make(*args: object) -> object:
        return SimpleNamespace(unary_unary=args[0])

    made = SimpleNamespace(ServerInterceptor=object, server=server, unary_unary_rpc_method_handler=make)
    monkeypatch.setitem(receiving_grpc.sys.modules, "grpc", made)
    receiving_grpc.grpc(made)  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("way", ["position", "name", "none"])
def test_an_application_keeps_its_interceptors(module: Any, way: str) -> None:
    """Ours comes first, then those that the application gives, in whichever way; a port is what it was."""
    args, kwargs = ((None, ["theirs"]), {}) if way == "position" else ((), {})
    kwargs = {"interceptors": ["theirs"]} if way == "name" else kwargs
    server = module.server(None, *args, **kwargs)
    assert server.interceptors[1:] == (() if way == "none" else ("theirs",))
    assert server.add_insecure_port("[::]:50051") == 50051


def test_a_handler_that_is_not_there_stays_away(module: Any) -> None:
    """A call that the server does not know gets no handler, and one of a kind that we do not know stays as it is."""
    (interceptor,) = module.server(None).interceptors
    odd = SimpleNamespace(request_streaming=False, response_streaming=False, unary_unary=None)
    for handler in (None, odd):
        assert interceptor.intercept_service(lambda _, handler=handler: handler, None) is handler


def answer(request: str, _context: object) -> str:
    """Answer, or fail."""
    return request.upper()


def generate(request: str, _context: object) -> Iterator[str]:
    """Answer in steps."""
    yield request.upper()


async def answer_later(request: str, _context: object) -> str:
    """Answer in a task."""
    return request.upper()


async def generate_later(request: str, _context: object) -> AsyncIterator[str]:
    """Answer in a task, in steps."""
    yield request.upper()


async def last_of(told: Any) -> object:
    """Wait for an answer, whatever it is."""
    if inspect.isasyncgen(told):
        return [each async for each in told][-1]
    if inspect.isgenerator(told):
        return list(told)[-1]
    return await told if inspect.iscoroutine(told) else told


@pytest.mark.parametrize("behavior", [answer, generate, answer_later, generate_later])
@pytest.mark.parametrize("fails", [False, True])
def test_each_call_ends(monkeypatch: pytest.MonkeyPatch, behavior: Any, *, fails: bool) -> None:
    """A call of each kind begins and ends, answered or failed: the next in its thread is somebody else's."""
    seen: list[object] = []
    monkeypatch.setattr(receiving_grpc, "begin", lambda *_: "token")
    monkeypatch.setattr(receiving_grpc, "end", seen.append)
    told = receiving_grpc._under_its_test(behavior, "unary_stream" if behavior is generate else "unary_unary", [])
    with pytest.raises(AttributeError) if fails else nullcontext():
        assert asyncio.run(last_of(told(None if fails else "x", None))) == "X"
    assert seen == ["token"]


def test_a_failing_method_fails_as_before(module: Any) -> None:
    """An error of the method goes to gRPC, and one of ours, as in a context of another kind, to nobody."""

    def fail(_request: object, _context: object) -> None:
        raise LookupError("theirs")

    (interceptor,) = module.server(None).interceptors
    handler = SimpleNamespace(request_streaming=False, response_streaming=False, unary_unary=fail)
    handler.request_deserializer = handler.response_serializer = None
    told = interceptor.intercept_service(lambda _: handler, None)
    with pytest.raises(LookupError, match="theirs"):
        told.unary_unary(b"", None)
