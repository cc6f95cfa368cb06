"""The asking side of the control channel: one request, one answer, a deadline."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat

from server_hook.clock import steady
from server_hook.control.channel import MAX_ANSWER_BYTES, VERSION, Answer, _sleep, _socket, socket_folder


class RefusedError(OSError):
    """A process was reached and has not done what it was asked; its text says why."""


def remove_dead(path: str) -> None:
    """Remove a control socket that a killed process of this user has left behind; any other file stays."""
    with contextlib.suppress(OSError, ValueError):
        if os.path.dirname(path) != socket_folder() or not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with _socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.settimeout(0)
            try:
                knock.connect(path)
            except ConnectionRefusedError:  # nobody listens
                os.unlink(path)


def socket_of(pid: int) -> str:
    """Find where a process of this user that has no record listens; empty where it does not.

    A recorded process that has run no file of its source leaves nothing in the data folder, but it can be asked.
    """
    with contextlib.suppress(OSError):
        folder = socket_folder()
        for name in sorted(os.listdir(folder)):
            if name.startswith(f"{pid}-") and name.endswith(".sock"):
                return f"{folder}/{name}"
    return ""


def _connect(client: socket.socket, path: str, deadline: float) -> None:
    """Connect, and wait while as many others do as may wait: a socket with a time limit is refused at once then."""
    while True:
        client.settimeout(max(0.001, deadline - steady()))
        try:
            return client.connect(path)
        except BlockingIOError:
            if steady() > deadline:
                raise TimeoutError("too many others ask") from None
            _sleep(0.01)


def ask(path: str, do: str, deadline: float, **more: object) -> Answer:
    """Ask the process that listens at *path*; wait until *deadline* (of ``time.monotonic``).

    Raises:
        RefusedError: when it could not do that.
        OSError: when it cannot be reached, does not answer in time, or answers nonsense.
    """
    with _socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        _connect(client, path, deadline)
        client.sendall(json.dumps({"vmpilot_cov": VERSION, "do": do, **more}).encode() + b"\n")
        received = b""
        while not received.endswith(b"\n"):
            client.settimeout(max(0.001, deadline - steady()))
            octets = client.recv(65536)
            if not octets or len(received) > MAX_ANSWER_BYTES:
                raise ConnectionAbortedError("it ended the connection without an answer")
            received += octets
    try:
        raw = dict(json.loads(received))
        if raw.get("ok"):
            return Answer.from_json(raw)
    except (ValueError, TypeError, RecursionError) as error:
        raise ConnectionAbortedError("its answer cannot be understood") from error
    raise RefusedError(str(raw.get("error", "it gives no reason")))
