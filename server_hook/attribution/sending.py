"""Clients: put the name of the test that sends a request into its header, at the lowest place that knows headers.

That is below what replaces clients in tests (responses, respx, vcrpy), so cassettes neither see nor record it. Only
hosts that are near get it. It is added after a request is signed, and no usual signature covers headers that it does
not list. A header ``baggage`` of the application stays as it is: ours is a second one, as the standard allows.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from fnmatch import fnmatch
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from server_hook.attribution.imports import report, wrap
from server_hook.attribution.tags import HEADER, TEST, to_header
from server_hook.environment import process_state

if TYPE_CHECKING:
    from types import ModuleType

_NEAR_NAMES = (".local", ".internal", ".test", ".localhost")
_NEAR_ADDRESSES = ("127.", "10.", "192.168.", "0.0.0.0", *(f"172.{number}." for number in range(16, 32)))  # noqa: S104
_header = lru_cache(maxsize=64)(to_header)


def tag_for(host: str) -> str:
    """Return the value of the header for a request to a host; empty where it gets none.

    Args:
        host: name or address, perhaps with a port.
    """
    hosts = process_state().tagged_hosts
    test = current_test() if hosts and is_near(_without_port(host), hosts) else ""
    return _header(test) if test else ""


def current_test() -> str:
    """Return the test that this request is sent for: its server's, this session's, or that of a test's child."""
    state = process_state()
    test = TEST.get() or state.test
    bounds = state.recorder.attribution.bounds if not test and state.recorder is not None else None
    return bounds.test if bounds is not None and bounds.hold() else test


@lru_cache(maxsize=256)
def is_near(host: str, others: tuple[str, ...] = ()) -> bool:
    """Tell whether a host may be told of tests: this machine, its private networks, and those that a pattern names.

    Args:
        host: its name or address.
        others: patterns of other hosts that may.
    """
    host = host.lower().rstrip(".")
    if not host:
        return False
    if "." not in host and ":" not in host:  # localhost, a service of docker compose
        return True
    if any(fnmatch(host, pattern.lower()) for pattern in others) or host.endswith(_NEAR_NAMES):
        return True
    try:
        octets = _socket.inet_pton(_socket.AF_INET6 if ":" in host else _socket.AF_INET, host.partition("%")[0])
    except OSError:
        return False
    if len(octets) == 4:  # noqa: PLR2004 - IPv4
        return host.startswith(_NEAR_ADDRESSES)
    is_mapped = octets.startswith(bytes(10) + b"\xff\xff")
    is_private = octets[0] & 0xFE == 0xFC or (octets[0] == 0xFE and octets[1] & 0xC0 == 0x80)  # noqa: PLR2004
    return is_near(".".join(map(str, octets[12:]))) if is_mapped else is_private or octets == bytes(15) + b"\1"


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _tag(client: str, host: Callable[[], str], add: Callable[[str], object]) -> None:
    """Add the header to a request; whatever fails, the request goes on without it."""
    try:
        value = tag_for(host())
        if value:
            add(value)
    except Exception as error:  # noqa: BLE001
        report(client, error)


def tag_http_client(module: ModuleType) -> None:
    """Tag what ``http.client`` sends, and with it urllib, requests, urllib3 and boto3."""
    wrap(module.HTTPConnection, "endheaders", lambda original: _endheaders(original, module.__name__))


def _endheaders(original: Any, client: str) -> Any:
    def endheaders(self: Any, *args: Any, **kwargs: Any) -> Any:
        _tag(client, lambda: _target_of(self), lambda value: self.putheader(HEADER, value))
        return original(self, *args, **kwargs)

    return endheaders


def _target_of(connection: Any) -> str:
    """Return the host that answers a request: behind a proxy it is another one than that of the connection."""
    if connection._tunnel_host:
        return str(connection._tunnel_host)
    line = connection._buffer[0].split(b" ") if getattr(connection, "_buffer", None) else []
    if len(line) > 1 and b"://" in line[1]:
        return str(line[1].partition(b"://")[2].partition(b"/")[0].rpartition(b"@")[2].decode())
    return str(connection.host)


def tag_h11(module: ModuleType) -> None:
    """Tag what httpx sends, and niquests: they speak HTTP/1.1 through h11."""

    def make(original: Any) -> Any:
        def send_with_data_passthrough(self: Any, event: Any) -> Any:
            events = [event]
            if type(event) is module.Request and event.method != b"CONNECT":
                _tag("h11", lambda: host_of(event), lambda value: events.append(with_tag(event, value)))
            return original(self, events[-1])

        return send_with_data_passthrough

    def host_of(event: Any) -> str:
        return next((str(value.decode()) for name, value in event.headers if name == b"host"), "")

    def with_tag(event: Any, value: str) -> Any:
        headers = [*event.headers.raw_items(), (HEADER.encode(), value.encode())]
        http_version = event.http_version
        return module.Request(method=event.method, target=event.target, headers=headers, http_version=http_version)

    wrap(module.Connection, "send_with_data_passthrough", make)


def tag_h2(module: ModuleType) -> None:
    """Tag what httpx sends over HTTP/2."""

    def make(original: Any) -> Any:
        def send_headers(self: Any, stream_id: int, headers: Any, *args: Any, **kwargs: Any) -> Any:
            if self.config.client_side:
                headers = list(headers)
                fields = {_text(name): _text(value) for name, value, *_ in headers}
                if fields.get(":method", "CONNECT") != "CONNECT":
                    _tag("h2", lambda: fields[":authority"], lambda value: headers.append((HEADER, value)))
            return original(self, stream_id, headers, *args, **kwargs)

        return send_headers

    wrap(module.H2Connection, "send_headers", make)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def tag_aiohttp(module: ModuleType) -> None:
    """Tag what aiohttp's client sends, the handshakes of its websockets included."""

    def make(original: Any) -> Any:
        async def send(self: Any, *args: Any, **kwargs: Any) -> Any:
            before = self.headers.getall(HEADER, [])
            if self.method != "CONNECT":
                _tag("aiohttp", lambda: self.url.host or "", lambda value: self.headers.add(HEADER, value))
            try:
                return await original(self, *args, **kwargs)
            finally:  # the application sees the headers that it has set
                if len(self.headers.getall(HEADER, [])) > len(before):
                    self.headers.popall(HEADER)
                    self.headers.extend([(HEADER, value) for value in before])

        return send

    wrap(module.ClientRequest, "send", make)


def tag_websockets(module: ModuleType) -> None:
    """Tag the handshakes of websockets' clients."""

    def make(original: Any) -> Any:
        def send_request(self: Any, request: Any) -> None:
            headers = request.headers
            _tag("websockets", lambda: headers["Host"], lambda value: headers.__setitem__(HEADER, value))  # it adds
            original(self, request)

        return send_request

    wrap(module.ClientProtocol, "send_request", make)


def tag_websockets_legacy(module: ModuleType) -> None:
    """Tag the handshakes of the clients that websockets had before version 14."""

    def make(original: Any) -> Any:
        def write_http_request(self: Any, path: str, headers: Any) -> None:
            _tag("websockets", lambda: headers["Host"], lambda value: headers.__setitem__(HEADER, value))
            original(self, path, headers)

        return write_http_request

    wrap(module.WebSocketClientProtocol, "write_http_request", make)
