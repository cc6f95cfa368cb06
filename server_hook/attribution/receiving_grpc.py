"""gRPC's servers: an interceptor of ours, the first of each, puts what answers a call under its test.

Interceptors are gRPC's public way to see every call. Only what the server itself reads and writes, the messages, is
outside.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from server_hook.attribution.imports import wrap
from server_hook.attribution.receiving import Request, begin, end, no_ends

if TYPE_CHECKING:
    from server_hook.attribution.serving import Ends

_KINDS = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}
"""How gRPC calls a handler's function, by whether requests and responses are streams."""


def grpc(module: ModuleType) -> None:
    """Give each server of threads an interceptor; of ``grpc``."""

    class Interceptor(module.ServerInterceptor):  # type: ignore[misc,name-defined]
        def __init__(self, ports: list[int]) -> None:
            self._ports = ports

        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return _told(continuation(details), self._ports)

    wrap(module, "server", lambda original: _intercepted(original, Interceptor))


def grpc_asyncio(module: ModuleType) -> None:
    """Give each server of asyncio an interceptor; of ``grpc.aio``."""

    class Interceptor(module.ServerInterceptor):  # type: ignore[misc,name-defined]
        def __init__(self, ports: list[int]) -> None:
            self._ports = ports

        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return _told(await continuation(details), self._ports)

    wrap(module, "server", lambda original: _intercepted(original, Interceptor))


def _intercepted(original: Callable[..., Any], interceptor: Callable[[list[int]], Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def server(*args: Any, **kwargs: Any) -> Any:
        ports: list[int] = []
        bound = signature.bind(*args, **kwargs)
        bound.arguments["interceptors"] = (interceptor(ports), *(bound.arguments.get("interceptors") or ()))
        made = original(*bound.args, **bound.kwargs)
        for name in ("add_insecure_port", "add_secure_port"):
            wrap(made, name, lambda add: lambda *args: _noted(add(*args), ports))
        return made

    return server


def _noted(port: int, ports: list[int]) -> int:
    ports.append(port)
    return port


def _told(handler: Any, ports: Sequence[int]) -> Any:
    """Return a handler that answers as another does, each call under its test; None as it is: there is no such call."""
    kind = handler and _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
    answer = kind and getattr(handler, kind)
    if not answer:
        return handler
    make = getattr(sys.modules["grpc"], f"{kind}_rpc_method_handler")
    return make(_under_its_test(answer, kind, ports), handler.request_deserializer, handler.response_serializer)


def _under_its_test(answer: Callable[..., Any], kind: str, ports: Sequence[int]) -> Callable[..., Any]:
    # gRPC looks at which kind of function it is
    if inspect.isasyncgenfunction(answer):

        async def generate_later(request: Any, context: Any) -> AsyncIterator[Any]:
            with _answering(context, ports):
                async with aclosing(answer(request, context)) as responses:
                    async for each in responses:
                        yield each

        return generate_later
    if inspect.iscoroutinefunction(answer):

        async def answer_later(request: Any, context: Any) -> Any:
            with _answering(context, ports):
                return await answer(request, context)

        return answer_later
    if kind.endswith("_stream"):

        def generate(request: Any, context: Any) -> Iterator[Any]:
            with _answering(context, ports):
                yield from answer(request, context)

        return generate

    def answer_now(request: Any, context: Any) -> Any:
        with _answering(context, ports):
            return answer(request, context)

    return answer_now


@contextmanager
def _answering(context: Any, ports: Sequence[int]) -> Iterator[None]:
    token = begin(_of_grpc, context, ports)
    try:
        yield
    finally:
        end(token)


def _of_grpc(context: Any, ports: Sequence[int]) -> Request:
    metadata = context.invocation_metadata() or ()
    return [value for name, value in metadata if name == "baggage"], _ends, context, ports


def _ends(context: Any, ports: Sequence[int]) -> Ends:
    return _ends_of_peer(context.peer(), ports)


def _ends_of_peer(peer: str, ports: Sequence[int]) -> Ends:
    """Return both ends of a connection, by what gRPC calls the other one, such as ``ipv4:127.0.0.1:40312``.

    It does not say which address of ours was called. On one machine that is the other end's own.
    """
    family, _, text = unquote(peer).partition(":")
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    return ((host, ports[0]), (host, int(port))) if family in ("ipv4", "ipv6") and len(ports) == 1 else no_ends()
