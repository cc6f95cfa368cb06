"""Servers whose requests reach a handler of their own kind, such as http.server, aiohttp, Sanic and Twisted."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from server_hook.attribution.imports import wrap
from server_hook.attribution.receiving import Request, address, around, around_coroutine, begin, end, ends_of, no_ends

if TYPE_CHECKING:
    from server_hook.attribution.serving import Ends

_BEGUN = "_vmpilot_cov_begun"
"""Where a handler or a connection keeps what ends its request."""


def http_server(module: ModuleType) -> None:
    """Wrap one request of the standard library's server, which werkzeug's and XML-RPC's are; of ``http.server``.

    Its headers are read inside the call that answers it. Handlers that bring their own such call, as those of wsgiref
    and Django, are wrapped elsewhere.
    """
    handler = module.BaseHTTPRequestHandler

    def make_answer(original: Callable[..., Any]) -> Callable[..., Any]:
        def handle_one_request(self: Any) -> Any:
            vars(self)[_BEGUN] = None  # or parse_request was called by a handler with a call of its own
            try:
                return original(self)
            finally:
                end(vars(self).pop(_BEGUN, None))

        return handle_one_request

    def make_parse(original: Callable[..., Any]) -> Callable[..., Any]:
        def parse_request(self: Any) -> Any:
            is_parsed = original(self)
            if is_parsed and _BEGUN in vars(self):
                vars(self)[_BEGUN] = begin(_of_http_server, self)
            return is_parsed

        return parse_request

    wrap(handler, "handle_one_request", make_answer)
    wrap(handler, "parse_request", make_parse)


def _of_http_server(handler: Any) -> Request:
    return handler.headers.get_all("baggage", ()), ends_of, handler.connection, handler.client_address


def cheroot(module: ModuleType) -> None:
    """Wrap one answer of cheroot, which CherryPy serves with; of ``cheroot.server``."""
    around(module.HTTPRequest, "respond", _of_cheroot)


def _of_cheroot(request: Any) -> Request:
    value = request.inheaders.get(b"Baggage")
    return [value.decode("latin-1")] if value else (), ends_of, request.conn.socket


def aiohttp(module: ModuleType) -> None:
    """Wrap one request of aiohttp's server, its WebSockets included; of ``aiohttp.web_protocol``."""
    around_coroutine(module.RequestHandler, "_handle_request", _of_aiohttp)


def _of_aiohttp(_: object, request: Any, *__: object) -> Request:
    return request.headers.getall("baggage", ()), _ends_of_transport, request.transport


def _ends_of_transport(transport: Any) -> Ends:
    return ends_of(transport.get_extra_info("socket")) if transport is not None else no_ends()


def sanic(module: ModuleType) -> None:
    """Wrap one request of Sanic's server, its WebSockets included; of ``sanic.server.protocols.http_protocol``.

    Sanic compiles the method of its application anew from the source when it starts, so what each connection calls is
    wrapped.
    """

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            around_coroutine(self, "request_handler", _of_sanic)

        return init

    wrap(module.HttpProtocol, "__init__", make)


def _of_sanic(request: Any) -> Request:
    return request.headers.getall("baggage", ()), _ends_of_transport, request.transport


def tornado(module: ModuleType) -> None:
    """Wrap what Tornado's server tells of a request; of ``tornado.httpserver``."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def start_request(self: Any, server_conn: Any, request_conn: Any) -> Any:
            return _Delegate(original(self, server_conn, request_conn), request_conn)

        return start_request

    wrap(module.HTTPServer, "start_request", make)


class _Delegate:
    """Hears of one request in the task of its connection, and passes all on under the request's test."""

    def __init__(self, delegate: Any, connection: Any) -> None:
        self._delegate, self._connection = delegate, connection
        self._token: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._delegate, name)

    def headers_received(self, start_line: Any, headers: Any) -> Any:
        # the first that names the test; all that follows is called in the same task
        self._token = begin(_of_tornado, self._connection, headers)
        return self._delegate.headers_received(start_line, headers)

    def finish(self) -> None:
        try:
            self._delegate.finish()
        finally:
            end(self._token)


def _of_tornado(connection: Any, headers: Any) -> Request:
    return headers.get_list("baggage"), ends_of, connection.stream.socket


def twisted(module: ModuleType) -> None:
    """Wrap one request of Twisted's server, which is Klein's, until it is answered or waits; of ``twisted.web.server``.

    Coroutines, ``inlineCallbacks`` and threads go on with its test, and callbacks of a Deferred do not.
    """
    around(module.Request, "process", _of_twisted)


def _of_twisted(request: Any) -> Request:
    return request.requestHeaders.getRawHeaders("baggage", ()), _ends_of_twisted, request.channel.transport


def _ends_of_twisted(transport: Any) -> Ends:
    connection = getattr(transport, "socket", None)
    return ends_of(connection) if connection is not None else no_ends()


def websockets(module: ModuleType) -> None:
    """Wrap the handshake of the library websockets: from then on the task or thread of a connection is its test's.

    A message may be another test's than the connection. Of ``websockets.asyncio.server`` and its like.
    """
    connection = getattr(module, "ServerConnection", None) or module.WebSocketServerProtocol
    for name in ("handshake", "recv"):
        wrap(connection, name, _begin_after)


def _begin_after(original: Callable[..., Any]) -> Callable[..., Any]:
    from inspect import iscoroutinefunction  # websockets has it, http.server has not

    def begin_anew(connection: Any) -> None:
        end(vars(connection).get(_BEGUN))  # nobody says when a message is answered: the next one ends it
        vars(connection)[_BEGUN] = begin(_of_websockets, connection)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        begin_anew(self)
        return result

    async def wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = await original(self, *args, **kwargs)
        begin_anew(self)
        return result

    return wait if iscoroutinefunction(original) else call


def _of_websockets(connection: Any) -> Request:
    request = connection.request if hasattr(connection, "request") else connection
    headers = getattr(request, "headers", None) or request.request_headers

    return headers.get_all("baggage"), _ends_of_websockets, connection


def _ends_of_websockets(connection: Any) -> Ends:
    try:
        return address(connection.local_address), address(connection.remote_address)
    except OSError:  # it is closed already
        return no_ends()
