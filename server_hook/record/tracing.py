"""Come back when a program takes the trace function away: a thread has one, and debuggers, profilers and tests want it.

What does not work: to look at each interval, because a thread sees its own trace function only; to set ours again,
because it has missed returns meanwhile and would count lines for the wrong file. So ``sys.settrace`` is wrapped. A
program that ends tracing by ``sys.settrace(None)`` finds nothing set, as it expects, and ours goes on.

From Python 3.14 on ``breakpoint()`` debugs by ``sys.monitoring``. Beside that a trace function is called twice for some
returns, and the C tracer would count lines for the wrong file. So it counts as another trace function.
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


_PDB_TOOL = "bdbtracer"
"""What pdb calls itself in ``sys.monitoring``."""
_PDB_CALLS = ("Bdb.trace_dispatch", "_MonitoringTracer.callback_wrapper.<locals>.wrapper")
"""What pdb calls for each event; the second is what ``sys.monitoring`` calls, and it is left last."""


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
            _note(_name_of(function))
        set_trace(function)  # nothing after it: a debugger would stop there

    def step_aside() -> None:
        if is_ours(get_trace()):
            _note("pdb")
            set_trace(None)

    @wraps(get_trace)
    def gettrace() -> Any:  # noqa: ANN401 - as sys.gettrace
        function = get_trace()
        return shown.get(get_ident(), function) if is_ours(function) else function

    sys.settrace, sys.gettrace = settrace, gettrace
    if sys.version_info >= (3, 14):
        _watch_pdb(step_aside, lambda: settrace(None))


def _note(who: str) -> None:
    state = process_state()
    state.times_taken += 1
    state.taken[_thread.get_ident()] = f"{who} took the trace function at {strftime('%H:%M:%S', localtime())}"


def _watch_pdb(begun: Callable[[], None], ended: Callable[[], None]) -> None:
    """Act when pdb begins to debug by ``sys.monitoring``, and when it has ended that."""
    monitoring: Any = getattr(sys, "monitoring")  # noqa: B009 - a type checker may have an older Python in mind
    use, free, get_tool = monitoring.use_tool_id, monitoring.free_tool_id, monitoring.get_tool

    @wraps(use)
    def use_tool_id(tool_id: int, name: str, /) -> None:
        use(tool_id, name)
        if name == _PDB_TOOL:
            begun()

    @wraps(free)
    def free_tool_id(tool_id: int, /) -> None:
        is_pdb = get_tool(tool_id) == _PDB_TOOL
        free(tool_id)
        if is_pdb:
            ended()

    monitoring.use_tool_id, monitoring.free_tool_id = use_tool_id, free_tool_id


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
    if not is_heard:
        _come_back_after_error(come_back)
    return True


def _come_back_after_error(come_back: Callable[[FrameType | None], None]) -> None:
    """Trace this thread once more if the trace function that is at work raises: Python sets none then.

    That is how pdb is quit. A profile function stays set; it is taken away at its first event.
    """
    if sys.getprofile() is not None:
        return

    def check(frame: FrameType, event: str, _: object) -> None:
        sys.setprofile(None)
        if sys.gettrace() is None:
            come_back(frame.f_back if event == "return" else frame)

    sys.setprofile(check)


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
    """Find the frame that goes on when a trace function, which has been called for it or its callee, returns."""
    frame = sys._getframe()
    while frame.f_back is not None:
        # that function itself, or the local one that it returned for the frame
        codes = [
            getattr(getattr(each, "__func__", each), "__code__", None) for each in (function, frame.f_back.f_trace)
        ]
        if frame.f_code in codes or frame.f_code.co_qualname in _PDB_CALLS:
            return _goes_on_after(frame)
        frame = frame.f_back
    return None


def _goes_on_after(tracing: FrameType) -> FrameType | None:
    """Tell from the arguments of a trace function, frame, event and a value, which frame goes on after it."""
    code = tracing.f_code
    names = code.co_varnames[: code.co_argcount]
    if len(names) < 3:  # noqa: PLR2004 - it takes them as a tuple
        return tracing.f_back
    frame, event = (tracing.f_locals.get(name) for name in names[-3:-1])
    if not isinstance(frame, FrameType):
        return tracing.f_back
    return frame.f_back if event == "return" else frame
