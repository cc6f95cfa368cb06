"""The ways in which a process ends or multiplies, and how its last segment is written in each.

What does not work, so that nobody tries again: ``atexit`` alone (signals, ``os._exit`` and ``exec`` pass it by);
coverage's ``sigterm = true`` (it makes ``Process.terminate()`` asynchronous and knows no SIGHUP); keeping the inherited
collector in a forked child (its lock may be held for ever, and its lines are the parent's).
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from server_hook import recorder as recording
from server_hook.problems import log_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server_hook.recorder import Recorder

CAUGHT = ("SIGTERM", "SIGHUP")
"""Signals whose default action ends a process without a word; SIGINT raises KeyboardInterrupt by itself."""

F = TypeVar("F", bound=Callable[..., Any])


def follow_process(*, signals: bool) -> None:
    """Write the last segment of whatever recorder is current, however this process ends; once a process.

    Args:
        signals: whether signals whose action is the default may be caught.
    """
    if getattr(os, "_vmpilot_cov_follows", False):
        return
    os._vmpilot_cov_follows = True  # type: ignore[attr-defined]  # survives a second import of this module
    atexit.register(_finish)
    os.register_at_fork(after_in_child=_begin_anew_in_child)
    _save_before("_exit")
    _save_before("execv")
    _save_before("execve")
    if signals and threading.current_thread() is threading.main_thread():
        for name in CAUGHT:
            number = getattr(signal, name)
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _end_by_signal)


def _finish() -> None:
    with _fenced("the last segment could not be written"):
        current = recording.current()
        if current is not None:
            current.finish()


def _end_by_signal(number: int, _: FrameType | None) -> None:
    """Save, then let the signal do what it would have done."""
    _finish()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _save_before(name: str) -> None:
    original = getattr(os, name)

    @wraps(original)
    def saved(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stands in for any of them
        _finish()
        try:
            return original(*args, **kwargs)
        finally:
            with _fenced("recording could not go on after a failed exec"):
                current = recording.current()
                if current is not None:
                    current.resume()

    setattr(os, name, saved)


def _begin_anew_in_child() -> None:
    """Give a forked child a recorder and a Coverage of its own."""
    inherited = recording.inherited()
    if inherited is None:
        return
    with _fenced("this forked child is not recorded"):
        inherited.forget_parent()
        begin(inherited.heir())


def begin(recorder: Recorder) -> None:
    """Start a recorder and follow its process to the end.

    Raises:
        HookError: as ``Recorder.start`` does.
    """
    recorder.start()
    follow_process(signals=recorder.settings.signals)


@contextmanager
def _fenced(what: str) -> Iterator[None]:
    """Let nothing out: a dying process has other things to do."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        log_problem(f"{what}: {type(error).__name__}: {error} (recorder-disturbed)")
