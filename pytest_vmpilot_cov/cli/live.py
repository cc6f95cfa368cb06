"""Serve the page to browsers on this machine while servers run."""

from __future__ import annotations

import re
import secrets
import select
import socket
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov.cli.looking import EVERY_S, Looking
from pytest_vmpilot_cov.cli.output import show, show_problem
from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.report.page.changes import changes
from pytest_vmpilot_cov.report.page.page import ASSETS, INDEX, as_json, asset, script
from server_hook.problems import one_line

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Options

HOST = "127.0.0.1"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_OF_A_FILE = re.compile(r"data/(\d{1,9})\.js")
_EVENTS = "events"
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def live(options: Options, port: int) -> int:
    """Serve the page until Ctrl-C; return the exit code.

    Args:
        options: the user's.
        port: where to listen; 0 for any free port.

    Raises:
        UsageError: when nothing can listen there.
    """
    try:
        server = Server(port, Looking(options, hooks_of_command()))
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(say("live-port", port=port, why=why)) from None
    with server:
        show(f"The page is at {server.url}")
        show("Live processes are asked while a browser looks; Ctrl-C ends this, and changes nothing of them.")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:  # the way to end it
            show("")
    return 0


class Server(ThreadingHTTPServer):
    """The server of one page; its address holds a token that nobody can guess."""

    daemon_threads = True
    block_on_close = False  # Ctrl-C waits for no browser
    allow_reuse_address = True

    def __init__(self, port: int, looking: Looking) -> None:
        """Listen; nobody is asked before a browser looks."""
        super().__init__((HOST, port), _Request)
        self.looking, self.token = looking, secrets.token_urlsafe(16)
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """The address to open."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as socketserver has it
        """Say what went wrong, unless a browser has just gone away."""
        error = sys.exception()
        if not isinstance(error, OSError):
            show_problem(one_line(error))


class _Request(BaseHTTPRequestHandler):
    """One request. What it may ask for is a table: no path ever reaches the disk."""

    server: Server
    server_version, sys_version = "vmpilot-cov", ""
    timeout = 60.0

    def parse_request(self) -> bool:
        """Read the head of a request; whatever is no GET is refused."""
        if not super().parse_request():
            return False
        if self.command != "GET":
            self._send(HTTPStatus.METHOD_NOT_ALLOWED, b"", "text/plain", Allow="GET")
        return self.command == "GET"

    def do_GET(self) -> None:
        """Answer with a part of the page, if the request comes from this page's own address."""
        # another site's name may lead to 127.0.0.1, but its requests bear that name
        if self.headers.get("Host") not in self.server.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        path, _, query = self.path.partition("?")
        _, token, name = (*path.split("/", 2), "", "")[:3]
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN)
        elif name == _EVENTS:
            self._send_events(query)
        elif (octets := self._part(name or "index.html")) is not None:
            self._send(HTTPStatus.OK, octets, _TYPES[(name or "index.html").rpartition(".")[2]])
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Log nothing: the token stands in every address."""

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(status, f"{status.phrase}\n".encode(), "text/plain")

    def _part(self, name: str) -> bytes | None:
        """Return a part of the page; None if it has no such part."""
        if name in ASSETS:
            return asset(name)
        if name == INDEX:
            version, contents = self.server.looking.look()
            return script("index", {**contents.index, "live": True, "version": version})
        number = int(match[1]) if (match := _OF_A_FILE.fullmatch(name)) else -1
        if number < 0:
            return None
        files = self.server.looking.look()[1].files
        return script("file", [number, files[number]]) if number < len(files) else None

    def _send(self, status: HTTPStatus, octets: bytes, kind: str, **more: str) -> None:
        self.send_response(status)
        length = {"Content-Length": str(len(octets))}
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **length, **_HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(octets)

    def _send_events(self, query: str) -> None:
        """Send what changes after the version that the page shows, until the browser goes away."""
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": "text/event-stream", **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        shown = int(query) if query.isascii() and query.isdigit() else 0
        while True:
            version, contents = self.server.looking.look()
            if version != shown:
                before = self.server.looking.state(shown)
                news = changes(before, contents) if before else None
                # without news there is no common ground: the page loads itself anew
                message = f"data: {as_json({**news, 'version': version})}" if news else "event: reload\ndata:"
                self.wfile.write(f"id: {version}\n{message}\n\n".encode("ascii"))
                self.wfile.flush()
                shown = version
            if _has_gone(self.connection, EVERY_S):
                return


def _has_gone(connection: socket.socket, wait_s: float) -> bool:
    """Wait a while, and tell whether the browser has closed its end; it sends nothing more otherwise."""
    if not select.select([connection], [], [], wait_s)[0]:
        return False
    return not connection.recv(1)
