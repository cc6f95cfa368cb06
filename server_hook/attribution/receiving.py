"""Tell the recorder of a server's requests, around the one call through which each of them goes.

Each server has a function in a module beside: it gets the server's module as soon as that is imported, and wraps that
call. The call belongs to the server, not to a framework, and spans the whole answer with what is streamed. An error of
ours never reaches a request: it is then nobody's.
"""

from __future__ import annotations

import socket  # a server has it
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from server_hook.attribution.imports import report, wrap
from server_hook.environment import process_state

if TYPE_CHECKING:
    from server_hook.attribution.serving import Ends
    from server_hook.attribution.tags import Request as Begun

_state = process_state()
_UNIX = getattr(socket, "AF_UNIX", None)

Request: TypeAlias = tuple[Any, ...]
"""The values of a request's headers ``baggage``, what returns the two ends of its connection, and that one's arguments.

To ask a socket for its ends takes longer than all the rest, and is seldom needed.
"""
Read: TypeAlias = Callable[..., Request]
"""Reads the request from the arguments of the wrapped call."""


def begin(read: Read, *args: Any) -> Begun | None:
    """Tell the recorder that a request begins in this context; never raise.

    Args:
        read: reads the request from the other arguments.
        args: those of the server's call.

    Returns:
        what ``end`` takes.
    """
    recorder = _state.recorder
    if recorder is None:
        return None
    try:
        return recorder.attribution.begin_request(*read(*args))
    except Exception as error:  # noqa: BLE001
        report(read.__name__.removeprefix("_of_"), error)
        return None


def end(token: Begun | None) -> None:
    """Tell the recorder that a request is answered, in the context in which it began; never raise."""
    if token is not None and (recorder := _state.recorder) is not None:
        recorder.attribution.end_request(token)


def around(owner: Any, name: str, read: Read) -> None:
    """Wrap the call in which a server answers one request.

    Args:
        owner: the class or module that has it.
        name: what it is called.
        read: reads the request from its positional arguments.
    """

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*args: Any, **kwargs: Any) -> Any:
            token = begin(read, *args)
            try:
                return original(*args, **kwargs)
            finally:  # the thread answers somebody else's request next
                end(token)

        return answer

    wrap(owner, name, make)


def around_coroutine(owner: Any, name: str, read: Read) -> None:
    """Wrap the coroutine in which a server answers one request, as ``around`` does a call."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        async def answer(*args: Any, **kwargs: Any) -> Any:
            token = begin(read, *args)
            try:
                return await original(*args, **kwargs)
            finally:
                end(token)

        return answer

    wrap(owner, name, make)


def ends_of(connection: Any, peer: Any = None) -> Ends:
    """Return both ends of a server's connected socket, or none where it is closed already.

    Args:
        connection: the socket.
        peer: the other end, where the server has asked for it already.
    """
    try:
        if connection.family == _UNIX:  # it has no ports; the kernel tells the process by the descriptor
            return None, connection.fileno()
        return address(connection.getsockname()), address(peer or connection.getpeername())
    except OSError:
        return None, None


def no_ends() -> Ends:
    """Return the ends of a connection that cannot be seen."""
    return None, None


def address(value: Any) -> Any:
    """Return one end of a connection as a socket would give it; None for what has no port."""
    if isinstance(value, tuple | list) and len(value) > 1 and str(value[1]).isdigit():  # granian gives it as text
        return value[0], int(value[1]), *value[2:]
    return None
