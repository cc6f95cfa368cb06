"""A caught signal ends the process at once: interrupt the main thread again if the handler has not begun.

Python's handler in C only sets a flag. If it runs after the interpreter has looked at the flag and before a system call
blocks, the handler in Python waits for that call: for all of a ``sleep``. But the one in C also writes the signal's
number to a descriptor that a program may set. Where it has set none, it is ours, and the recorder's thread reads it.

What does not work: a pipe, because a child that was forked in C writes to the same one, and its SIGTERM would end the
parent (a Unix socket names the process that writes, on Linux); a low number, which a program that closes all
descriptors gives to the next file that it opens, and the signal's number would be written there.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from server_hook.clock import steady
from server_hook.control.channel import identity as identity_of
from server_hook.systems.systems import system

_set_wakeup = signal.set_wakeup_fd
_pair, _socket = socket.socketpair, socket.socket  # before gevent may replace them
_HIGH = 1000
"""Descriptors of ours have at least this number, where the system allows it."""
_CREDENTIALS_BYTES = 12
FIRST_S, TRIES = 0.05, 6
"""How long the handler may take to begin, twice as long at each further try, and how often the call is interrupted."""


class Wakeup:
    """Where Python's handler in C says which signal has come, and what the recorder's thread makes of it."""

    def __init__(self, is_caught: Callable[[int], bool]) -> None:
        """Prepare; nothing is set yet.

        Args:
            is_caught: tells whether it is our handler that Python will call for a signal.
        """
        self.is_caught = is_caught
        self._sockets: list[tuple[socket.socket, tuple[int, int] | None]] = []
        """The one to read from and the one that is written to, each with the file that it was; none where none are."""
        self._number = -1
        """The descriptor that is written to."""
        self._of_program = False
        self._main = 0
        self._waiting: dict[int, tuple[int, float]] = {}
        """By signal, how often its call was interrupted, and when it is to be next."""

    def open(self) -> None:
        """Set a descriptor of ours, in the main thread of a process that starts or was forked just now."""
        inherited = self._number
        with suppress(OSError, ValueError, AttributeError):  # AttributeError: a system that names no writers
            self._close()  # after a fork, those of the parent
            self._open_pair(_HIGH)
            self._main, self._waiting = _thread.get_ident(), {}
            if not self._of_program:
                before = _set_wakeup(self._number, warn_on_full_buffer=False)
                self._of_program = before not in (-1, inherited)
                if self._of_program:
                    _set_wakeup(before)

    def _open_pair(self, least: int) -> None:
        reader, writer = _pair(socket.AF_UNIX, socket.SOCK_STREAM)
        with reader, writer:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            reader, writer = _high(reader, _HIGH), _high(writer, least)
        self._sockets = [(each, identity_of(each)) for each in (reader, writer)]
        self._number = writer.fileno()

    def wrapper(self) -> Callable[..., int]:
        """Return what does as ``signal.set_wakeup_fd``, but lets the program see no descriptor of ours."""

        @wraps(_set_wakeup)
        def set_wakeup_fd(fd: int, /, **options: Any) -> int:  # noqa: ANN401 - as signal.set_wakeup_fd
            return self._set_by_program(fd, **options)

        return set_wakeup_fd

    def _set_by_program(self, number: int, **options: Any) -> int:  # noqa: ANN401 - as signal.set_wakeup_fd
        ours = self._number if self._are_ours() else -1
        if number == -1 and ours != -1:
            before = _set_wakeup(ours, warn_on_full_buffer=False)
        else:
            before = _set_wakeup(number, **options)
        self._of_program = number != -1
        return -1 if before == self._number else before

    def fileno(self) -> int:
        """Return the descriptor that can be read when a signal has come; -1 for none."""
        return self._sockets[0][0].fileno() if self._are_ours() else -1

    def began(self) -> None:
        """Note that our handler runs."""
        self._waiting.clear()

    def ended(self) -> None:
        """Note that our handler has run and the process goes on: the signals of before are dealt with."""
        self._read()
        self._waiting.clear()

    def attend(self) -> float:
        """Interrupt the main thread if a handler should have begun; return the seconds until it may be due again."""
        moment = steady()
        for number in self._read():
            if self.is_caught(number):
                self._waiting.setdefault(number, (0, moment + FIRST_S))
        for number, (tries, due) in list(self._waiting.items()):
            if tries == TRIES:
                del self._waiting[number]
            elif due <= moment and number in self._waiting:  # else the handler has begun since
                self._waiting[number] = tries + 1, moment + FIRST_S * 2 ** (tries + 1)
                system.signal_thread(self._main, number)
        return max(0.0, min((due for _, due in list(self._waiting.values())), default=float("inf")) - moment)

    def _read(self) -> list[int]:
        """Read which signals have come to this process; what other processes write, is theirs."""
        numbers: list[int] = []
        with suppress(OSError, ValueError):  # BlockingIOError at the end
            while self._are_ours():
                octets, messages, *_ = self._sockets[0][0].recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS_BYTES))
                if not octets:
                    break
                writers = [int.from_bytes(data[:4], sys.byteorder) for *_, data in messages]
                numbers += octets if writers == [os.getpid()] else b""
        return numbers

    def _are_ours(self) -> bool:
        """Tell whether both descriptors still are our sockets; if the program has closed them, take the number back."""
        if all(identity_of(each) == identity for each, identity in self._sockets):
            return bool(self._sockets)
        self._close()
        number = self._number
        with suppress(OSError):
            self._open_pair(number)
            if self._number == number:
                return True
            self._close()  # somebody else has it
        return False

    def _close(self) -> None:
        """Close both sockets, but no file that the program has opened under the number of one."""
        for each, identity in self._sockets:
            if identity_of(each) != identity:
                each.detach()
            each.close()
        self._sockets = []


def _high(sock: socket.socket, least: int) -> socket.socket:
    """Copy a socket to a number that is high, close-on-exec and never blocks.

    Raises:
        OSError: when the process may not have as many.
    """
    copy = _socket(fileno=system.copy_to_number(sock.fileno(), least))
    copy.settimeout(0)
    return copy
