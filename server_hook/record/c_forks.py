"""Forks in C, which Python is not told of: the recorder's thread steps aside for them, as it does for Python's own.

Such a fork copies Python's own lock as it is. If the thread holds that lock then, or waits for it, the child waits
forever for a thread that it does not have. The C library calls handlers around every fork; before one of Python's own,
``hold`` has stopped the thread already, and they find nothing to do. None is called in the child: no Python may run
there before Python, after a fork of its own, has made its lock anew.

To register them takes ctypes. Only code in C can fork in C, so ctypes is loaded with the first extension module that
is not the standard library's, and at once where a program in C has embedded Python.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import wraps
from importlib.machinery import ExtensionFileLoader
from typing import TYPE_CHECKING, Any

from server_hook.environment import process_state
from server_hook.record.tracers import ask_again

if TYPE_CHECKING:
    from server_hook.record.thread import RecorderThread

_UWSGI = "UWSGI_ORIGINAL_PROC_NAME"
"""What uWSGI sets in the environment before it starts Python."""
_STANDARD = f"{os.sep}lib-dynload{os.sep}"
"""Where the standard library has its extension modules."""


def is_uwsgi() -> bool:
    """Tell whether this is uWSGI, a program in C that forks and handles signals there."""
    return not sys.orig_argv and _UWSGI in os.environ  # programs that it starts inherit the second


def watch_extensions() -> None:
    """Watch forks in C from the first extension module of others on; from now on in a program that embeds Python."""
    if not sys.orig_argv:
        _load_ctypes()
    original = ExtensionFileLoader.__init__

    @wraps(original)
    def made(self: ExtensionFileLoader, name: str, path: str) -> None:  # no frame of it stands in a traceback
        original(self, name, path)
        if _STANDARD not in path:
            stop_watching_extensions()
            _load_ctypes()

    ExtensionFileLoader.__init__ = made  # type: ignore[method-assign]


def stop_watching_extensions() -> None:
    """Put back what ``watch_extensions`` has replaced."""
    made: Any = ExtensionFileLoader.__init__
    ExtensionFileLoader.__init__ = getattr(made, "__wrapped__", made)  # type: ignore[method-assign]


def _load_ctypes() -> None:
    with suppress(ImportError, OSError):  # the process may have given up the right to read it
        __import__("ctypes")


def watch_c_forks(ctypes: Any) -> None:  # noqa: ANN401 - the module, just loaded
    """Have the C library tell of forks; once a process, because it would tell each of its handlers."""
    state = process_state()
    if state.c_forks is None:
        state.c_forks = CForks(ctypes)


def go_on_in_child() -> bool:
    """Go on in a forked child; tell whether the fork was heard of before, so that nothing got lost."""
    c_forks = process_state().c_forks
    if c_forks is not None:
        c_forks.go_on_in_child()
    return c_forks is not None and c_forks.is_heard


def forget_c_forks() -> None:
    """Let the C library forget the handlers: Python ends, and could not run them any more."""
    c_forks = process_state().c_forks
    if c_forks is not None:
        c_forks.forget()


class CForks:
    """The handlers that the C library calls around each fork of this process, and at the end of one that has forked."""

    def __init__(self, ctypes: Any) -> None:  # noqa: ANN401 - the module
        """Register the handlers, if this is GNU's C library: of others, few can be told later to forget them."""
        self.is_heard = False
        """Whether the fork in C that has made this process was heard of."""
        self._thread: RecorderThread | None = None
        """The recorder's thread while it has stepped aside."""
        self._has_forked = False
        with suppress(AttributeError, OSError, MemoryError):  # some systems let nobody make functions
            function = ctypes.CFUNCTYPE(None)
            self._handlers = function(self._step_aside), function(self._go_on), function(self._end)
            library, self._owner = ctypes.pythonapi, ctypes.byref(ctypes.c_char())
            self._at_fork, self._at_exit = library["__register_atfork"], library["__cxa_atexit"]
            self._finalize = library["__cxa_finalize"]  # last: where one is missing, there is nothing to forget
            self._register()

    def _register(self) -> None:
        self._at_fork(*self._handlers[:2], None, self._owner)

    def forget(self) -> None:
        """Let the C library forget the handlers, if it has any."""
        self._has_forked = False
        with suppress(AttributeError):  # none was registered
            self._finalize(self._owner)

    def go_on_in_child(self) -> None:
        """Forget what is to come at the end of the parent."""
        if self._has_forked:
            self.forget()
            self._register()

    def _step_aside(self) -> None:
        self._thread, recorder = None, process_state().recorder
        if recorder is None or not recorder.is_here() or not recorder.thread.is_wanted:
            return
        with recorder.problems.fenced(recorder.presence.folder):
            recorder.thread.stop()
            self._thread, self.is_heard = recorder.thread, True
            recorder.flush()  # what is measured so far is the parent's, and its end may be one in C, too
            ask_again(recorder.cov)

    def _go_on(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.start()
        if not self._has_forked and (thread is not None or is_uwsgi()):  # its master ends without a word to Python
            self._has_forked = True
            self._at_exit(self._handlers[2], None, self._owner)

    def _end(self) -> None:
        recorder = process_state().recorder
        if self._has_forked and recorder is not None and recorder.is_here():
            with recorder.problems.fenced(recorder.presence.folder):
                recorder.finish()
