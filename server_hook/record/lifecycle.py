"""The ways in which a process ends or multiplies, and how its last segment is written in each.

What was tried and does not work: ``atexit`` alone (signals, ``os._exit`` and ``exec`` pass it by);
coverage's ``sigterm = true`` (it makes ``Process.terminate()`` asynchronous and knows no SIGHUP); keeping the inherited
collector in a forked child (its lock may be held forever, and its lines are the parent's).
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from types import FrameType
from typing import TYPE_CHECKING, Any

from server_hook.attribution.imports import watch_imports
from server_hook.environment import process_state
from server_hook.problems import HookError, log_problem
from server_hook.record import recorder as recording
from server_hook.record.c_forks import (
    forget_c_forks,
    go_on_in_child,
    is_uwsgi,
    stop_watching_extensions,
    watch_extensions,
)
from server_hook.record.collectors import watch_starts
from server_hook.record.reloads import stop_watching_loads, watch_loads
from server_hook.record.signals import CAUGHT, save_before_defaults
from server_hook.record.tracers import enter_running_frames, forget_live, is_tracing_for, let_go, trace_again
from server_hook.record.tracing import share_trace_function
from server_hook.record.verbs import answer
from server_hook.systems.systems import system

if TYPE_CHECKING:
    from coverage.collector import Collector

    from server_hook.record.recorder import Recorder


_INTERRUPTS = (KeyboardInterrupt, SystemExit)
_blocked: dict[int, set[Any]] = {}
"""By thread that forks, the signals that it had blocked before."""


def begin(recorder: Recorder) -> None:
    """Start a recorder and follow its process to the end.

    Raises:
        HookError: when only the pure-Python tracer is there, which breaks servers.
        CoverageException: when coverage.py refuses the settings.
    """
    recorder.start(partial(answer, recorder))
    # coverage.py names its core only once it has started
    if recorder.core == "pytrace" and recorder.origin == "pipeline":
        recorder.stop()
        raise HookError(
            "the pure-Python tracer breaks requests and is not used in a server; install coverage with its "
            "C extension, or take COVERAGE_CORE, [run] core and timid away (pytrace-refused)"
        )
    _follow_process(signals=recorder.settings.signals, traces=recorder.core == "ctrace")


def begin_again(recorder: Recorder) -> None:
    """Go on with a recorder that was stopped so that another one could measure this process for a while."""
    begin(recorder)
    enter_running_frames(recorder.cov)


def _follow_process(*, signals: bool, traces: bool) -> None:
    """Write the last segment of whatever recorder is current, however this process ends; once a process.

    Args:
        signals: whether signals that are left to their default may be caught.
        traces: whether a trace function measures it, which others may want.
    """
    state = process_state()
    if state.is_followed:
        return
    state.is_followed = True  # fork hooks cannot be taken away; each asks for the current recorder when it runs
    atexit.register(_end)  # early, to run late: what the application registers from now on comes first
    for name in ("_exit", "abort", "execv", "execve"):  # the other exec functions call one of the two
        _save_before(name)
    if hasattr(os, "fork"):
        os.register_at_fork(before=_hold, after_in_parent=_go_on, after_in_child=_begin_anew_in_child)
        for name in ("fork", "forkpty"):
            _go_on_after(name)
    for name in ("unshare", "setns"):
        _step_aside_for(name)
    watch_loads(recording.notice_load)
    watch_starts(_notice_collector)
    watch_imports()
    watch_extensions()
    if traces:
        share_trace_function(_is_ours, _trace_again)
    if signals and not system.saves_at_console_events(_finish):
        state.wakeup = save_before_defaults(_finish, _resume)


def _is_ours(function: object) -> bool:
    current = recording.current()
    return current is not None and is_tracing_for(current.cov, function)


def _trace_again(innermost: FrameType | None) -> None:
    with _fenced("this thread is not measured any more"):
        current = recording.current()
        if current is not None:
            trace_again(current.cov, innermost)


def _finish() -> None:
    interrupted: BaseException | None = None
    for _ in range(3):  # a handler of the application may raise into it: KeyboardInterrupt at a second Ctrl-C
        try:
            with _fenced("the last segment could not be written"):
                current = recording.current()
                if current is not None:
                    current.finish()
            break
        except BaseException as error:  # noqa: BLE001
            interrupted = error
    if interrupted is not None:
        raise interrupted


def _end() -> None:
    """Write the last segment, and let go of what Python never frees itself.

    It would keep ``sys.stdout`` alive, and what ``__del__`` methods print at the very end would not be flushed.
    """
    if is_uwsgi():  # a further signal ends a worker at once, and a whole group gets one from its master, too
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    _finish()
    with _fenced("what is measured could not be let go"):
        stop_watching_loads()
        stop_watching_extensions()
        forget_c_forks()
        current = recording.current()
        if current is not None:
            current.attribution.close()  # __del__ methods run while the interpreter clears our modules
            if current.core == "ctrace":
                let_go(current.cov)


def _hold() -> None:
    with _fenced("the recorder's thread could not be stopped"):
        current = recording.current()
        if current is not None:
            current.hold()
            _block()


def _go_on() -> None:
    _unblock()
    with _fenced("the recorder's thread could not be started again"):
        current = recording.current()
        if current is not None:
            current.go_on()


def _block() -> None:
    """Let the signals wait that we catch: Python forgets one that comes to a child before it has seen to its fork."""
    wakeup = process_state().wakeup
    if wakeup is not None:
        caught = [number for number in CAUGHT if wakeup.is_caught(number)]
        _blocked[_thread.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, caught)


def _unblock() -> None:
    before = _blocked.pop(_thread.get_ident(), None)
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _go_on_after(name: str) -> None:
    """Start the thread again only when a fork has returned: Python 3.13 counts threads after ``after_in_parent``."""
    original = getattr(os, name)

    @wraps(original)
    def forked(*args: Any) -> Any:  # noqa: ANN401 - fork returns a pid, forkpty a pair
        current = recording.current()
        if current is None:
            return original(*args)
        current.thread.waits_for_fork = True
        try:
            return original(*args)
        finally:
            current.thread.waits_for_fork = False
            _go_on()

    _replace(name, forked)


def _step_aside_for(name: str) -> None:
    """Stop the thread for a call that the kernel refuses to a process with several, as ``unshare`` of users."""
    original = getattr(os, name, None)
    if original is None:  # before Python 3.12
        return

    @wraps(original)
    def called(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - stands in for either
        current = recording.current()
        if current is not None:
            current.thread.stop()
        try:
            original(*args, **kwargs)
        finally:
            if current is not None:
                current.thread.start()

    _replace(name, called)


def _notice_collector(collector: Collector) -> None:
    current = recording.current()
    if current is not None:
        current.notice_collector(collector)


def _save_before(name: str) -> None:
    original = getattr(os, name)

    @wraps(original)
    def saved(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stands in for any of them
        if name.startswith("exec") and args and isinstance(args[0], str) and not os.path.exists(args[0]):
            return original(*args, **kwargs)  # os.execvp tries each folder of PATH
        with suppress(*_INTERRUPTS if name in ("_exit", "abort") else ()):  # it is about to end anyway
            _finish()
        try:
            return original(*args, **kwargs)
        finally:  # still here: exec has failed
            _resume()

    _replace(name, saved)


def _replace(name: str, function: Callable[..., Any]) -> None:
    """Put a function in the place of one of ``os``, where pickle finds it, too: it looks where that came from."""
    for module in (os, sys.modules[getattr(os, name).__module__]):
        setattr(module, name, function)


def _resume() -> None:
    with _fenced("recording could not go on after an end that did not come"):
        current = recording.current()
        if current is not None:
            current.resume()


def _begin_anew_in_child() -> None:
    """Give a forked child a recorder and a Coverage of its own."""
    inherited = process_state().recorder  # current() gives none: this one still has the parent's pid
    if inherited is not None and inherited.pid != os.getpid():
        with _fenced("this forked child is not recorded"):
            _begin_after(inherited)
    _unblock()


def _begin_after(inherited: Recorder) -> None:
    """Begin in a child with what it has inherited from its parent."""
    go_on_in_child()
    process_state().test = ""  # the parent goes on to other tests without telling
    inherited.release_parent()
    wakeup = process_state().wakeup
    if wakeup is not None:
        wakeup.open()
    child = inherited.recorder_of_child()
    begin(child)
    enter_running_frames(child.cov)
    forget_live(child.cov)  # the lines where the frames stand are the parent's


@contextmanager
def _fenced(what: str) -> Iterator[None]:
    """Let no error out: a dying process has other things to do."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        log_problem(f"{what}: {type(error).__name__}: {error} (recorder-disturbed)")
