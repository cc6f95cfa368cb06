"""Tell tests apart below Python 3.12: coverage.py's C tracer fills live sets of a test's own while its work runs.

What a test has run is in its sets alone until the next cut, which counts it for the test and for all. So the sets of a
test that is over are kept until no frame can fill them any more.
"""

from __future__ import annotations

import inspect
import sys
from _thread import get_ident as _get_ident
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from itertools import repeat, starmap
from typing import TYPE_CHECKING, Any

from server_hook.attribution.tags import TEST
from server_hook.coverage_private import LiveSets, UnsupportedError

if TYPE_CHECKING:
    from types import FrameType

    from coverage import Coverage

    from server_hook.store.segment import Measured

_REHEARSAL = "\0"
"""What stands for no test in the place of one begins like this."""
_OF_TASKS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
_get_trace = getattr(sys.gettrace, "__wrapped__", sys.gettrace)  # the recorder shows the application another one
_UNUSED = 4
"""How many references there are to a set that no frame of the tracer's has: its file's, and those of who counts."""


class ByTracer:
    """Tells tests apart where coverage.py's core is ctrace."""

    def __init__(self, cov: Coverage, lock: Any) -> None:  # noqa: ANN401 - a _thread.RLock
        """Prepare; the tracer is left as it is before the first test, and after the last one.

        Args:
            cov: the Coverage that measures this process.
            lock: is held while tests begin and end.
        """
        self.lock = lock
        self._cov = cov
        self._collector: Any = cov._collector
        self._sets: dict[str, LiveSets] = {}
        self._over: list[LiveSets] = []
        self._last: list[tuple[str, LiveSets]] = []
        """What tests ran between the last cut and their end."""
        self._follow_all: Callable[[], None] = lambda: None
        self._end_swapping: Callable[[], None] | None = None

    def begin(self, test: str) -> None:
        """Tell the work of a test apart from now on.

        Raises:
            UnsupportedError: when this coverage.py does not allow it.
        """
        with self.lock:
            self._sets.setdefault(test, {})
            if self._end_swapping is None:
                self._follow_all, self._end_swapping = _swap_sets(self._cov, self._sets, TEST)
            self._follow_all()  # each time: a thread may have made its tracer while the first test began

    def end(self, test: str) -> None:
        """Count nothing more for a test."""
        with self.lock:
            sets = self._sets.pop(test, None)
            if sets:
                last = {path: recorded.copy() for path, recorded in sets.copy().items()}
                self._over.append(sets)
                self._last.append((test, last))
                for path, recorded in last.items():  # or each line would wait twice
                    sets[path].difference_update(recorded)
            if not self._tests() and self._end_swapping is not None:
                self._end_swapping()
                self._end_swapping = None

    def resume(self, _frame: FrameType | None) -> None:
        """Notice that the test has changed while frames run: put them on the tracer's stack anew, each with its sets.

        The tracer measures the lines where they stand by that; a rehearsal shows which that are, to take them out.
        """
        tracer: Any = _get_trace()
        if self._end_swapping is None or not any(tracer is each for each in self._collector.tracers):
            return
        frames = _frames_of_task(sys._getframe())
        events = [(_AT_YIELD.gi_frame, "return")] * len(frames)  # of a generator that yields: no arc leaves the file
        events += [(frame, event) for frame in frames for event in ("call", "line")]
        key, test = f"{_REHEARSAL}{_get_ident()}", TEST.get()
        rehearsed: LiveSets = self._sets.setdefault(key, {})
        TEST.set(key)
        deque(starmap(partial(tracer, arg=None), events), maxlen=0)  # in one step, in C, and in this very frame
        TEST.set(test)
        filled = self._sets.get(test, self._collector.data)
        new = [(path, recorded - filled.get(path, set())) for path, recorded in rehearsed.items()]
        deque(starmap(partial(tracer, arg=None), events), maxlen=0)
        for path, recorded in new:
            filled[path].difference_update(recorded)
        del self._sets[key]

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add nothing: it is all in the live sets."""

    def live_sets(self) -> list[tuple[str, LiveSets]]:
        """Return the live sets of each test, and nobody's: those of tests that are over."""
        with self.lock:
            self._over = [sets for sets in self._over if _may_be_filled(sets)]
            self._last = [(test, sets) for test, sets in self._last if any(sets.values())]
            now = [(test, self._sets[test]) for test in self._tests()]
            return [*now, *self._last, *(("", sets) for sets in self._over)]

    def see_all_again(self) -> None:
        """Do nothing: the tracer sees each line each time."""

    def forget_file(self, path: str) -> None:
        """Do nothing: the cut has emptied the sets."""

    def close(self) -> None:
        """Leave the tracer as it was."""
        for test in self._tests():
            self.end(test)

    def _tests(self) -> list[str]:
        return [test for test in self._sets.copy() if not test.startswith(_REHEARSAL)]


def _frames_of_task(frame: FrameType | None) -> list[FrameType]:
    """List the frames of the task, or else of the thread, that a frame belongs to; the outermost first."""
    frames: list[FrameType] = []
    in_task = False
    while frame is not None and not (in_task and not frame.f_code.co_flags & (_OF_TASKS | inspect.CO_GENERATOR)):
        in_task = in_task or bool(frame.f_code.co_flags & _OF_TASKS)
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def _yielding() -> Iterator[None]:
    yield


_AT_YIELD: Any = _yielding()
next(_AT_YIELD)


def _may_be_filled(sets: LiveSets) -> bool:
    """Tell whether there is something in live sets, or a frame of the tracer's has one of them."""
    return any(recorded or sys.getrefcount(recorded) > _UNUSED for recorded in list(sets.values()))


def _swap_sets(
    cov: Coverage, by_value: Mapping[str, LiveSets], variable: ContextVar[str]
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Have C tracers fill other live sets while a context variable has certain values.

    Returns what makes those that are there do so, and what ends it for all.

    It asks ``should_start_context`` before it looks for the set of a file, at each call and each resumption. What it
    asks here is all in C: no handler of a signal can run in it, which would leave the tracer's stack of frames wrong.

    Args:
        cov: a started Coverage with the C tracer.
        by_value: the live sets to fill, by value; they are read while it is filled.
        variable: decides, in the context of whatever is called.

    Raises:
        UnsupportedError: when this coverage.py has no such place, or its own contexts need it.
    """
    collector: Any = cov._collector
    start_tracer = collector._start_tracer
    if collector.should_start_context is not None or not all(hasattr(each, "data") for each in collector.tracers):
        raise UnsupportedError("this coverage.py switches contexts itself")

    def start_and_follow() -> Any:  # noqa: ANN401 - coverage's tracer
        tracer = start_tracer()
        _follow(tracer, collector.data, by_value, variable)
        return tracer

    def follow_all() -> None:
        for tracer in (each for each in list(collector.tracers) if each.should_start_context is None):
            _follow(tracer, collector.data, by_value, variable)

    def end() -> None:
        vars(collector).pop("_start_tracer", None)
        for tracer in list(collector.tracers):
            tracer.should_start_context = None
            tracer.data = collector.data

    vars(collector)["_start_tracer"] = start_and_follow  # over the method of the class
    return follow_all, end


def _follow(tracer: Any, data: LiveSets, by_value: Mapping[str, LiveSets], variable: ContextVar[str]) -> None:  # noqa: ANN401
    sets = map(by_value.get, map(variable.get, repeat("")), repeat(data))
    # each step returns None, which means that no context of coverage.py's begins
    tracer.should_start_context = partial(next, map(setattr, repeat(tracer), repeat("data"), sets))
