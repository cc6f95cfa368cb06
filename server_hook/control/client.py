"""The asking side of the control channel: one request, one answer, a deadline."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys

from server_hook.clock import steady
from server_hook.control.channel import (
    FOLDER_PREFIX,
    MAX_ANSWER_BYTES,
    VERSION,
    Answer,
    _sleep,
    _socket,
    socket_folder,
)
from server_hook.systems.systems import system

_PEER = (socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", 0)) if sys.platform == "linux" else (0, 1)
"""The socket option that names the user at the other end: Linux, and LOCAL_PEERCRED on the BSDs and macOS."""
_PEER_BYTES, _USER = 12, slice(4, 8)
"""How much of it is read, and where the user stands: in both it is the second number of 32 bits."""


class RefusedError(OSError):
    """A process was reached and has not done what it was asked; its text says why."""


def why_not_asked(path: str, identifier: str, owner: int) -> str:
    """Say why a control socket that a record names cannot be the one of its process; empty where it may be.

    A user who can write a record must not be able to make others connect to something else.

    Args:
        path: where the record says that the socket is.
        identifier: the process's id.
        owner: the user whose record it is.
    """
    folder, name = os.path.split(path)
    strange = f"{path} is not the control socket of this process"
    if not os.path.isabs(path) or "\0" in path:
        return strange
    try:
        around = os.lstat(folder)
        is_private = stat.S_ISDIR(around.st_mode) and around.st_uid == owner and not around.st_mode & 0o077
        is_named = os.path.basename(folder) == f"{FOLDER_PREFIX}{owner}" and name == f"{identifier}.sock"
        return "" if is_private and is_named and stat.S_ISSOCK(os.lstat(path).st_mode) else strange
    except OSError as error:
        return f"its control channel failed ({error.strerror})"


def remove_dead(path: str) -> None:
    """Remove a control socket that a killed process of this user has left behind; any other file stays."""
    with contextlib.suppress(OSError, ValueError):
        if os.path.dirname(path) != socket_folder() or not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        pid = int(os.path.basename(path).partition("-")[0])
        # elsewhere than on Linux a full queue refuses as well: whose pid is there may live
        if _is_refused(path) and (sys.platform == "linux" or not system.is_running(pid)):
            os.unlink(path)


def remove_all_dead() -> None:
    """Remove the control sockets of this user's killed processes whose records are gone: nobody else would do it."""
    with contextlib.suppress(OSError):
        folder = socket_folder()
        for name in os.listdir(folder):
            pid = name.partition("-")[0]
            if name.endswith(".sock") and pid.isdecimal() and not system.is_running(int(pid)):
                remove_dead(f"{folder}/{name}")


def is_dead(path: str, identifier: str, owner: int) -> bool:
    """Tell whether nobody listens any more where a process did: a zombie, or a later one with its pid.

    Args:
        path: where the record says that the socket is.
        identifier: the process's id.
        owner: the user whose record it is.
    """
    with contextlib.suppress(OSError):
        return not why_not_asked(path, identifier, owner) and _is_refused(path)
    return False


def _is_refused(path: str) -> bool:
    with _socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(0)  # a full queue is an answer as well: it lives
        try:
            knock.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def socket_of(pid: int) -> str:
    """Find where a process of this user that has no record listens; empty where it does not.

    A recorded process that has run no file of its source leaves nothing in the data folder, but it can be asked. One
    that was killed leaves its socket behind, and a later process may have its pid: the newest counts.
    """
    with contextlib.suppress(OSError):
        folder = socket_folder()
        names = [each for each in os.listdir(folder) if each.startswith(f"{pid}-") and each.endswith(".sock")]
        return max((f"{folder}/{name}" for name in names), key=os.path.getmtime, default="")
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


def ask(path: str, do: str, deadline: float, owner: int | None = None, **more: object) -> Answer:
    """Ask the process that listens at *path*; wait until *deadline* (of ``time.monotonic``).

    Args:
        path: its control socket.
        do: what it is asked for.
        deadline: until when.
        owner: the user who has to be the one who answers; None for anybody.
        more: what the request says beside that.

    Raises:
        RefusedError: when it could not do that, or is another user's.
        OSError: when it cannot be reached, does not answer in time, or answers nonsense.
    """
    with _socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        _connect(client, path, deadline)
        # the kernel's word: the path may have been taken over since it was checked
        user = int.from_bytes(client.getsockopt(*_PEER, _PEER_BYTES)[_USER], sys.byteorder)
        if owner not in (None, user):
            raise RefusedError(f"user {user} answers in its place")
        client.sendall(json.dumps({"vmpilot_cov": VERSION, "do": do, **more}).encode() + b"\n")
        received = b""
        # one deadline for the whole answer, however many pieces it comes in
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
