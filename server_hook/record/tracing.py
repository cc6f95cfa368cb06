"""Come back when a program takes the trace function away: a thread has one, and debuggers, profilers and tests want it.

What does not work: to look at each interval, because a thread sees its own trace function only; to set ours again,
because it has missed returns meanwhile and would count lines for the wrong file. So ``sys.settrace`` is wrapped. A
program that ends tracing by ``sys.settrace(None)`` finds nothing set, as it expects, and ours goes on.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from functools import wraps
from time import localtime, strftime
from types import FrameType
from typing import TYPE_CHECKING, Any

from server_hook.environment import process_state
from server_hook.problems import Problems
from server_hook.record.tracers import is_installer, trace_new_threads

if TYPE_CHECKING:
    from coverage import Coverage


def check_tracing(cov: Coverage, core: str, problems: Problems) -> None:
    """Report what has the trace function of a recorded process, and trace new threads again."""
    if core != "ctrace":
        return
    if "pydevd" in sys.modules and sys.version_info < (3, 12):
        problems.report("debugger-loaded", "a debugger has taken the trace function; what runs now is not measured")
    for who in list(process_state().taken.values()):
        problems.report("trace-taken", f"{who}; what that thread runs until it is given back is not measured")
    trace_new_threads(cov)


def share_trace_function(is_ours: Callable[[object], bool], come_back: Callable[[FrameType | None], None]) -> None:
    """Wrap ``sys.settrace`` and ``sys.gettrace``; note in the process's state who has the trace function meanwhile.

    Args:
        is_ours: tells whether a trace function measures this process.
        come_back: makes this thread traced by a new one, from a frame on; None if every frame is seen to return.
    """
    set_trace, get_trace, get_ident = sys.settrace, sys.gettrace, _thread.get_ident
    taken = process_state().taken
    shown: dict[int, Any] = {}  # what a thread is to find that has set None, or a tracer of before

    @wraps(set_trace)
    def settrace(function: Any, /) -> None:  # noqa: ANN401 - as sys.settrace
        thread, before = get_ident(), get_trace()
        # gevent makes a new thread of the program a greenlet of this one
        if is_ours(before) and is_installer(function):
            return
        is_back = function is None or is_ours(function)
        if is_back and (is_ours(before) or (thread in taken and _take_back(set_trace, before, function, come_back))):
            taken.pop(thread, None)
            shown[thread] = function
            return
        shown.pop(thread, None)
        if is_ours(before):
            process_state().times_taken += 1
            taken[thread] = f"{_name_of(function)} took the trace function at {strftime('%H:%M:%S', localtime())}"
        set_trace(function)  # nothing after it: a debugger would stop there

    @wraps(get_trace)
    def gettrace() -> Any:  # noqa: ANN401 - as sys.gettrace
        function = get_trace()
        return shown.get(get_ident(), function) if is_ours(function) else function

    sys.settrace, sys.gettrace = settrace, gettrace


def _take_back(
    set_trace: Callable[[Any], None], theirs: object, function: object, come_back: Callable[[FrameType | None], None]
) -> bool:
    """Trace this thread again; return whether that can be.

    Args:
        set_trace: Python's own ``sys.settrace``.
        theirs: the trace function that is there.
        function: what is to be set in its place.
        come_back: traces this thread from a frame on.
    """
    is_heard, innermost = _is_heard(set_trace), _traced_by(theirs)
    if not is_heard and innermost is None:  # a trace function in C is at work, and does not say for which frame
        set_trace(function)
        return False
    set_trace(None)  # _is_heard has left its own
    come_back(None if is_heard else innermost)
    return True


def _name_of(function: object) -> str:
    return f"a function of {getattr(function, '__module__', None) or type(function).__module__}"


def _is_heard(set_trace: Callable[[Any], None]) -> bool:
    """Tell whether a trace function would be called now; while one is at work (a debugger at its prompt) none is.

    Leaves a trace function behind.
    """
    heard: list[object] = []

    def call() -> None:
        """Be called."""

    set_trace(lambda *_: heard.append(_))
    call()
    return bool(heard)


def _traced_by(function: object) -> FrameType | None:
    """Find the frame that a trace function has been called for, and is still working on."""
    frame = sys._getframe()
    while frame.f_back is not None:
        # that function itself, or the local one that it returned for the frame
        codes = [
            getattr(getattr(each, "__func__", each), "__code__", None) for each in (function, frame.f_back.f_trace)
        ]
        if frame.f_code in codes:
            return frame.f_back
        frame = frame.f_back
    return None
