"""The control channel: a Unix socket of the same user, on which a live process is asked for its status or a dump.

One request and one answer a connection, each a line of JSON: ``{"vmpilot_cov": 1, "do": "dump"}``. Nothing listens on
a network. All names of the standard library are taken at import, before gevent may replace them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import stat
import time
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Self, TypeAlias

from server_hook.clock import steady
from server_hook.config.settings import INTERVAL_S
from server_hook.rows import Row
from server_hook.systems.systems import system

VERSION = 1
MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 1 << 20
MAX_NESTING = 8
"""How many brackets a request may have: JSON that is nested deeply takes more stack than a small thread has."""
MAX_CONNECTIONS = 32
FOLDER_PREFIX = "vmpilot-cov-"
"""What the name of the folder of a user's control sockets begins with; the user's number follows."""
REQUEST_TIME_S = 2.0
LEAST_DESCRIPTOR = 200
"""The descriptor of a control socket is at least this: a program that opens files or counts them starts at 3."""
MAX_PATH_BYTES = 100
"""Below the limit of sockaddr_un on every system (104 on macOS, 108 on Linux)."""


class Answer(Row):
    """What a live process answers to any request, once it has done what it was asked."""

    id: str
    pid: int
    origin: str = ""
    lines: int = 0
    """How many lines or arcs it has measured since it started."""
    segments: int = 0
    """How many segments it has written."""
    flushed_at: float = 0.0
    """When it wrote the last one, in seconds since the epoch."""
    interval_s: float = INTERVAL_S
    """How many seconds at most lie between two segments now."""
    problem: str = ""
    orphan: bool = False
    """Whether it serves on although the supervisor that started it has ended."""
    took_s: float = 0.0
    """How long it took to do what it was asked."""
    reached: bool = True
    """Whether it has run any file of the source."""
    elsewhere: str = ""
    """A file that it has run outside the source and that ends like one of it, while it has reached none."""
    told: int = 0
    """How many requests were told to be a test's since the latest session began."""
    nobodys: int = 0
    """How many were nobody's meanwhile."""
    among_several: int = 0
    """How many of these came while several tests ran."""
    not_told: str = ""
    """Why it cannot tell tests apart; empty where it can, and where no test has been heard of."""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Take an answer from what was read; what another version adds is left out.

        Raises:
            ValueError: when a value is missing, or not of its kind.
        """
        example = cls("", 0)._asdict()
        fields = {name: value for name, value in raw.items() if name in example}
        for name, value in fields.items():
            kinds = (int, float) if isinstance(example[name], float) else (type(example[name]),)
            if type(value) not in kinds or (isinstance(value, float) and not isfinite(value)):
                raise ValueError(f"{name}={value!r}")
        if not fields.keys() >= {"id", "pid"}:
            raise ValueError("no id or no pid")
        return cls(**fields)


Answerer: TypeAlias = Callable[[str, Mapping[str, Any]], Answer]

_socket, _poll, _sleep = socket.socket, getattr(select, "poll", None), time.sleep
CAN_LISTEN = _poll is not None and hasattr(socket, "AF_UNIX")  # not on Windows


def socket_folder() -> str:
    """Return the folder of this user's control sockets, made if need be.

    Raises:
        OSError: when it belongs to somebody else or others may enter it, and where nothing can listen in it.
    """
    if not CAN_LISTEN:
        raise OSError("this system has no Unix sockets")
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - owner is checked
    # 60 bytes are left for the folder and the name of a socket
    if not os.path.isabs(base) or len(os.fsencode(base)) > MAX_PATH_BYTES - 60 or not os.path.isdir(base):
        base = "/tmp"  # noqa: S108
    folder = f"{base}/{FOLDER_PREFIX}{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError(f"{folder} is not a folder that only this user may enter")
    return folder


class Channel:
    """The process's side: a listening socket and its few open connections, polled by the recorder's thread."""

    def __init__(self, path: str, answer: Answerer) -> None:
        """Listen at *path*.

        Raises:
            OSError: when nothing can listen there.
        """
        self.path = path
        self._answer = answer
        self._connections: dict[int, _Connection] = {}
        self._listener: socket.socket | None = _out_of_the_way(_socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            self._listener.settimeout(0)
            self._listener.bind(path)
            self._listener.listen(64)
        except OSError:
            self._listener.close()
            raise
        self._identity = identity(self._listener)

    def serve(self, timeout_s: float, other: int = -1) -> None:
        """Answer what comes in, for at most *timeout_s* seconds or until one thing was done.

        Args:
            timeout_s: how long.
            other: a descriptor of somebody else; when it can be read, this is left as well.
        """
        listener = self._listener
        if not self._is_ours() or listener is None or _poll is None:
            _sleep(timeout_s)
            return
        poll = _poll()
        listening = listener.fileno()
        if listening < 0:  # closed this moment, by wake()
            return
        poll.register(listening, select.POLLIN)
        for number in (*self._connections, *([other] if other >= 0 else [])):
            poll.register(number, select.POLLIN)
        soonest = min([timeout_s, *(each.deadline - steady() for each in list(self._connections.values()))])
        for number, _ in poll.poll(max(0.0, soonest) * 1000):
            if number == listening:
                self._accept(listener)
            elif (connection := self._connections.get(number)) and connection.receive(self._answer):
                self._drop(number)
        for number in [number for number, each in list(self._connections.items()) if each.deadline < steady()]:
            self._drop(number)

    def wake(self) -> None:
        """Make ``serve`` return now, from another thread."""
        try:
            with _socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
                knock.settimeout(0)
                knock.connect(self.path)
        except BlockingIOError:  # the queue is full, so it is awake
            return
        except OSError:  # its name is gone, or the right to it, or no descriptor is free
            if self._is_ours() and self._listener is not None:
                with contextlib.suppress(OSError):
                    self._listener.shutdown(socket.SHUT_RDWR)  # ends a poll that waits; close alone does not
                self._listener.close()
                self._listener = None

    @property
    def is_lost(self) -> bool:
        """Whether the application has closed the socket with its descriptors."""
        return not self._is_ours()

    def close(self) -> None:
        """Stop listening and take the socket's name away."""
        self.forget()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def forget(self) -> None:
        """Close the descriptors and leave the name: in a forked child it belongs to the parent."""
        for number in list(self._connections):
            self._drop(number)
        if self._is_ours() and self._listener is not None:
            self._listener.close()
        self._listener = None

    def _is_ours(self) -> bool:
        """Tell whether the descriptor still is our socket: applications close all they find and reuse the numbers."""
        if (listener := self._listener) is None:  # wake() may take it away, in another thread
            return False
        if identity(listener) == self._identity:
            return True
        listener.detach()  # the number is somebody else's now: forget it without closing
        self._listener = None
        for number in list(self._connections):
            self._drop(number)
        return False

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except BlockingIOError:  # the client that poll has seen is gone already
            return
        except OSError:  # closed, or no free descriptor: the client stays in the queue, and poll would return at once
            _sleep(0.1)
            return
        client.settimeout(0)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._drop(min(self._connections, key=lambda number: self._connections[number].deadline))
        self._connections[client.fileno()] = _Connection(client)

    def _drop(self, number: int) -> None:
        if (connection := self._connections.pop(number, None)) is not None:
            connection.close()


class _Connection:
    """One client: what it has sent so far and until when it may go on."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._identity = identity(client)
        self._received = b""
        self.deadline = steady() + REQUEST_TIME_S

    def receive(self, answer: Answerer) -> bool:
        """Read on; answer when the line is whole. Return whether the connection is done."""
        if identity(self._client) != self._identity:
            return True  # the number is somebody else's now: what can be read is not for us
        try:
            octets = self._client.recv(MAX_REQUEST_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._received += octets
        if b"\n" not in self._received and octets and len(self._received) < MAX_REQUEST_BYTES:
            return False
        if b"\n" in self._received:
            self._send(_reply(self._received.partition(b"\n")[0], answer))
        return True

    def close(self) -> None:
        """Close the connection, unless its number has become somebody else's."""
        if identity(self._client) == self._identity:
            self._client.close()
        else:
            self._client.detach()

    def _send(self, reply: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._client.settimeout(REQUEST_TIME_S)  # the recorder's thread waits here for a client that does not read
            self._client.sendall(json.dumps(reply).encode() + b"\n")


def _reply(line: bytes, answer: Answerer) -> dict[str, Any]:
    try:
        if line.count(b"[") + line.count(b"{") > MAX_NESTING:
            raise ValueError("too deep")  # noqa: TRY301 - as json does with what is no JSON
        request = json.loads(line)
        version, verb = request["vmpilot_cov"], request["do"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {"vmpilot_cov": VERSION, "ok": False, "error": "this is not a request"}
    if version != VERSION:
        return {"vmpilot_cov": VERSION, "ok": False, "error": f"version {version!r} is not spoken here, {VERSION} is"}
    try:
        return {"vmpilot_cov": VERSION, "ok": True, **answer(str(verb), request)._asdict()}
    except Exception as error:  # noqa: BLE001 - the client gets the error, the process runs on
        return {"vmpilot_cov": VERSION, "ok": False, "error": f"{type(error).__name__}: {error}"}


def _out_of_the_way(sock: socket.socket) -> socket.socket:
    """Leave the low numbers to the application: what it opens gets those that it would get without us."""
    with sock:
        try:
            number = system.copy_to_number(sock.fileno(), LEAST_DESCRIPTOR)
        except OSError:  # fewer are allowed; 0 to 2 are the standard streams, even where they are closed
            number = system.copy_to_number(sock.fileno(), 3)
    return _socket(fileno=number)


def identity(sock: socket.socket) -> tuple[int, int] | None:
    """Return which file a socket's descriptor is now: a program may have closed it. None if it is no file any more."""
    with contextlib.suppress(OSError, ValueError):
        status = os.fstat(sock.fileno())
        return status.st_dev, status.st_ino
    return None
