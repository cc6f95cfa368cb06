"""Coverage.py's tracers, one a thread under its core ctrace: the private side of it that recording needs."""

from __future__ import annotations

import sys
import threading
from collections import deque
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any

from coverage.collector import Collector

from server_hook.coverage_private import core_in_use, forget_last_lines, live_sets

if TYPE_CHECKING:
    from types import FrameType

    from coverage import Coverage

_get_trace, _set_trace = sys.gettrace, sys.settrace


def enter_running_frames(cov: Coverage, tracer: Any = None, innermost: FrameType | None = None) -> None:  # noqa: ANN401
    """Tell a new tracer of the frames that run already: it has seen none of them begin, and would not measure the rest.

    The C tracer keeps a stack of frames: all are put on it, ours included, because each takes itself off when it
    returns. The lines where the frames stand are measured by that.

    Args:
        cov: the Coverage.
        tracer: its tracer of this thread; the newest by default.
        innermost: the frame to begin with, where those below it are not traced; this function's own by default.
    """
    tracer = tracer or getattr(cov._collector, "tracers", [None])[-1]
    frames: deque[FrameType] = deque()
    frame: FrameType | None = innermost or sys._getframe()
    while frame is not None:
        frames.appendleft(frame)
        frame = frame.f_back
    core = core_in_use(cov)
    if core == "ctrace":
        events = [(each, event) for each in frames for event in ("call", "line")]
        # in one step, in C: a further line of this function would be taken for one of the frame put on last
        deque(starmap(partial(tracer, arg=None), events), maxlen=0)
    elif core == "sysmon":
        for running in frames:
            tracer.sysmon_py_start(running.f_code, 0)  # turns its line events on, as a call would


def forget_live(cov: Coverage) -> None:
    """Forget what a Coverage has just measured."""
    for recorded in live_sets(cov).values():
        recorded.clear()


def see_all_again(cov: Coverage, core: str) -> None:
    """Let a core that sees each line once see all lines once more, and join none of them to a line of before."""
    if core == "sysmon":
        forget_last_lines(cov)
        sys.monitoring.restart_events()  # type: ignore[attr-defined,unused-ignore]


def ask_again(cov: Coverage) -> None:
    """Let coverage.py ask once more about each file that runs, so that a forked child is noticed at a call.

    The C tracer asks at the next call. It doesn't own what it got for files that a plugin measures, so that stays.
    """
    dispositions = cov._collector.should_trace_cache  # type: ignore[union-attr]
    for filename, disposition in list(dispositions.items()):
        if not getattr(disposition, "file_tracer", None):
            dispositions.pop(filename, None)


def is_tracing_for(cov: Coverage, function: object) -> bool:
    """Tell whether a trace function is a tracer of this Coverage."""
    return type(function).__name__ == "CTracer" and any(function is each for each in cov._collector.tracers)  # type: ignore[union-attr]


def is_installer(function: object) -> bool:
    """Tell whether a trace function is the one that gives a new thread its tracer."""
    return getattr(function, "__func__", None) is Collector._installation_trace


def trace_again(cov: Coverage, innermost: FrameType | None) -> None:
    """Trace this thread again, after another trace function had it: the tracer of before has missed returns.

    Args:
        cov: a Coverage with the C tracer.
        innermost: the frame to begin with; None for that of this function.
    """
    enter_running_frames(cov, cov._collector._start_tracer(), innermost)  # type: ignore[union-attr]


def let_go(cov: Coverage) -> None:
    """Let the tracers go at a process's end: they are in cycles that Python cannot break.

    Args:
        cov: a Coverage with the C tracer, which measures no longer.
    """
    if is_tracing_for(cov, _get_trace()):
        _set_trace(None)
    tracers: list[Any] = cov._collector.tracers  # type: ignore[union-attr]
    for each in tracers:
        each.stop()  # else it ends tracing when it is freed, with a frame that ends: Python 3.15 crashes there
    tracers.clear()


def trace_new_threads(cov: Coverage) -> None:
    """Trace threads that begin from now on, if the program has put an end to that."""
    if threading.gettrace() is None and cov._collector is not None:
        threading.settrace(cov._collector._installation_trace)


def follow_greenlets(cov: Coverage, frame: FrameType) -> None:
    """Tell the C tracer of greenlets as soon as a program loads them: each has a stack of frames of its own.

    With ``concurrency = greenlet`` coverage.py does it from the start, and would load greenlet itself.

    Args:
        cov: a Coverage with the C tracer.
        frame: the frame that the tracer is asking about.
    """
    collector: Any = cov._collector
    tracer: Any = _get_trace()
    if not is_tracing_for(cov, tracer) or tracer.concur_id_func is not None:
        return
    try:  # where the package is being imported, it asks for its C part next
        getcurrent = __import__("greenlet._greenlet", fromlist=["getcurrent"]).getcurrent
    except (ImportError, AttributeError):
        return
    collector.concur_id_func = getcurrent  # each tracer takes it over when it is made, so this thread needs a new one
    enter_running_frames(cov, collector._start_tracer(), frame)
