"""Signals stay the application's: where it leaves one to its default, the last segment is written first.

``signal.signal`` and ``signal.getsignal`` are wrapped, so that a default that is set later (gunicorn resets every
signal in its workers, asyncio when a handler is removed) still saves, and the application never sees a handler that it
has not set. What does not work: a handler installed once (uvicorn and gunicorn replace it), catching a signal while
the main thread sits in C code (it is delivered when that returns; ``[vmpilot_cov] signals = off`` leaves them alone).
``wakeups`` sees to a signal that comes right before a system call.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from server_hook.record.wakeups import Wakeup

_ENDING = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU")
CAUGHT = frozenset(getattr(signal, name) for name in _ENDING if hasattr(signal, name))
"""Signals that end a process without a word when they are left to their default."""


def save_before_defaults(save: Callable[[], None], go_on: Callable[[], None]) -> Wakeup:
    """Call *save* before a signal in ``CAUGHT`` that is left to its default ends the process.

    Returns what sees to it that Python notices such a signal at once.

    Args:
        save: what is to be done in time.
        go_on: called when the process has not ended after all.
    """
    set_handler, get_handler = signal.signal, signal.getsignal

    def end(number: int, _: FrameType | None) -> None:
        wakeup.began()
        try:
            save()
        finally:  # a second signal may raise into it
            set_handler(number, signal.SIG_DFL)  # the parent is to see in the status that the signal ended it
            os.kill(os.getpid(), number)
        set_handler(number, end)  # still here: it means nothing to process 1 of a container
        wakeup.ended()
        go_on()

    wakeup = Wakeup(lambda number: get_handler(number) is end)

    @wraps(set_handler)
    def signal_(signalnum: int, handler: Any) -> Any:  # noqa: ANN401 - as signal.signal
        # ==, because a plain 0 is the default, too
        is_ours = signalnum in CAUGHT and handler == signal.SIG_DFL and not callable(handler)
        return _shown(set_handler(signalnum, end if is_ours else handler), end)

    @wraps(get_handler)
    def getsignal(signalnum: int) -> Any:  # noqa: ANN401 - as signal.getsignal
        return _shown(get_handler(signalnum), end)

    signal.signal, signal.getsignal, signal.set_wakeup_fd = signal_, getsignal, wakeup.wrapper()
    if threading.current_thread() is threading.main_thread():  # Python sets handlers in no other
        for number in (each for each in CAUGHT if get_handler(each) is signal.SIG_DFL):
            set_handler(number, end)  # one that is ignored stays so, as SIGHUP under nohup
        wakeup.open()
    return wakeup


def _shown(handler: Any, ours: object) -> Any:  # noqa: ANN401 - a handler is one of many things
    return signal.SIG_DFL if handler is ours else handler
