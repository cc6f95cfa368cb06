"""Tell tests apart by ``sys.monitoring``, beside coverage.py and without a change to what it measures.

Two tools of our own have events on the code objects of the source alone. ENTER says that a test's work begins to run a
code object, or goes on with it; only then are its lines armed. A line is silent again as soon as every test that has
entered the code object has it, and so is ENTER once every test at work has been there. So each costs one event a test.

Callbacks run in every thread, between any two steps of another. What they read is replaced, never changed, and each
decides by a last look at whether it was replaced meanwhile: nothing can come between that look and what follows it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any, TypeAlias

from server_hook.attribution.bodies import PATIENCE, Body, Work, frames_of
from server_hook.attribution.tags import TEST
from server_hook.coverage_private import LiveSets
from server_hook.store.segment import Measured, bitmap

_monitoring: Any = getattr(sys, "monitoring", None)
_TOOLS = (3, 4, 5, 2, 0)
"""Ids to choose from; the last two are those of profilers and debuggers, which may come later."""
_NAME = "vmpilot-cov"
_test_now = TEST.get
OCTETS_AN_EVENT = 16
"""How many octets of bytecode are armed anew in the time of one event; whoever comes back has that done."""
MOST_COOLINGS = 4
"""How many times the patience doubles, where those who were elsewhere keep coming back."""

Answer: TypeAlias = object
"""What a callback returns: ``sys.monitoring.DISABLE``, or None to be called again."""


class UnavailableError(Exception):
    """Tests cannot be told apart in this process; the text says why."""


class ByMonitoring:
    """Tells tests apart from Python 3.12 on."""

    def __init__(self, path_of: Callable[[str, FrameType], str], lock: Any) -> None:  # noqa: ANN401 - a _thread.RLock
        """Prepare; no tool is taken before the first test.

        Args:
            path_of: returns the path of a file that is measured, by its name and a frame of it; else an empty text.
            lock: is held while something is armed.
        """
        self._path_of = path_of
        self._bodies: dict[int, Body] = {}
        """By the id of the code object: to hash one means to hash all of its constants."""
        self._working: dict[str, Work] = {}
        """The tests at work; replaced, never changed."""
        self._over: list[tuple[str, dict[str, Measured]]] = []
        """What ended tests have run since the last drain, packed: a set takes a hundred times as much."""
        self._settled: dict[str, set[int]] = {}
        """For each test, and for nobody's work, the ids of code objects whose next ENTER says nothing new."""
        self._silent: set[Body] = set()
        """Those whose ENTER every test at work has answered."""
        self._tools: tuple[int, ...] = ()
        self.lock = lock

    def begin(self, test: str) -> None:
        """Tell the work of a test apart from now on.

        Raises:
            UnavailableError: when it cannot be.
        """
        with self.lock:
            if not self._tools:
                self._take_tools()
            if test not in self._working:
                self._working = {**self._working, test: Work(test)}
                self._settled = {}  # after that, and read before it: what is noted here holds for the tests at work
                silent, self._silent = self._silent, set()
                for body in silent:
                    self._arm_enter(body)

    def end(self, test: str) -> None:
        """Count nothing more for a test."""
        with self.lock:
            work = self._working.get(test)
            if work is not None:
                new = work.new(self.pack)
                self._over.append((test, {path: measured for path, measured, _ in new}))
                self._working = {name: work for name, work in self._working.items() if name != test}
                self._settled = {}
                for body in list(self._bodies.values()):
                    while test in (ran := body.ran):
                        left = {name: lines for name, lines in ran.items() if name != test}
                        if body.ran is ran:
                            body.ran, body.lacking = left, None

    def resume(self, frame: FrameType | None) -> None:
        """Notice that the test has changed while these frames run: no event will tell.

        Args:
            frame: the innermost of them.
        """
        while frame is not None and TEST.get() in self._working:
            body = self._meet(frame.f_code, frame)
            if body is not None:
                self._arrive(body, TEST.get())
            frame = frame.f_back

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add what each test has run since the last drain."""
        over = self._over.copy()
        for test, files in over:
            for path, measured in files.items():
                add(test, path, measured)
        for work in self._working.values():
            for path, measured, number in work.new(self.pack):
                add(work.test, path, measured)
                work.drained[path] = number
        for each in over:
            with suppress(ValueError):  # a signal's handler may have drained it
                self._over.remove(each)

    def live_sets(self) -> list[tuple[str, LiveSets]]:
        """Return none: coverage.py fills its own."""
        return []

    def see_all_again(self) -> None:
        """Let every line be new again for each test."""
        with self.lock:
            for work in self._working.values():
                work.files, work.drained = {}, {}
            for body in list(self._bodies.values()):
                for test in body.ran:
                    self._arrive(body, test)

    def forget_file(self, path: str) -> None:
        """Leave out what tests have run of a file that is loaded again; what still runs of it is nobody's."""
        for work in self._working.values():
            work.files.pop(path, None)
            work.drained.pop(path, None)

    def close(self) -> None:
        """Give the tools back; without the lock, which a thread that was not forked along may hold."""
        self._working = {}
        tools, self._tools = self._tools, ()
        for tool in tools:
            _monitoring.set_events(tool, 0)
            for body in list(self._bodies.values()):
                _monitoring.set_local_events(tool, body.code, 0)
            _monitoring.free_tool_id(tool)

    def _take_tools(self) -> None:
        free = [tool for tool in _TOOLS if _monitoring.get_tool(tool) is None]
        if len(free) < 2:  # noqa: PLR2004 - ENTER and LINE
            raise UnavailableError("other tools use sys.monitoring: fewer than two of its ids are free")
        self._enter, self._line = free[:2]
        for tool in free[:2]:
            _monitoring.use_tool_id(tool, _NAME)
        self._tools = self._enter, self._line
        events = _monitoring.events
        for event in (events.PY_START, events.PY_RESUME):
            _monitoring.register_callback(self._enter, event, self._on_enter)
            _monitoring.register_callback(self._line, event, self._on_first)
        _monitoring.register_callback(self._enter, events.PY_THROW, self._on_throw)
        self._events_inside = self._watch_inside()
        _monitoring.set_events(self._enter, events.PY_THROW)
        _monitoring.set_events(self._line, events.PY_START | events.PY_RESUME)

    def _watch_inside(self) -> int:
        _monitoring.register_callback(self._line, _monitoring.events.LINE, self._on_line)
        return int(_monitoring.events.LINE)

    def pack(self, ran: set[int]) -> Measured:
        """Turn what a test has run of a file into what is stored."""
        return bitmap(ran)

    def _meet(self, code: CodeType, frame: FrameType) -> Body | None:
        """Return what is noted of a code object; None if it is not of the source."""
        body = self._bodies.get(id(code))
        if body is None and (path := self._path_of(code.co_filename, frame)):
            body = self._bodies.setdefault(id(code), Body(code, path))
            self._arm_enter(body)
            body.is_armed = True
        return body

    def _on_first(self, code: CodeType, offset: int) -> Answer:
        """Meet a code object, also in a generator that had begun before the tools were there."""
        body = self._meet(code, sys._getframe(1))
        if body is not None:
            self._on_enter(code, offset)  # what is armed during an event tells from the next one on
        # not before another thread has armed it, or an entry in between would make no event at all
        return _monitoring.DISABLE if body is None or body.is_armed else None

    def _on_enter(self, code: CodeType, _offset: int) -> Answer:
        try:
            if id(code) in self._settled[_test_now()]:  # most calls of what some tests call and others don't
                return None
        except KeyError:
            pass
        return self._settle(code)

    def _settle(self, code: CodeType) -> Answer:
        try:
            body = self._bodies[id(code)]
        except KeyError:  # armed before a fork, by the parent
            return _monitoring.DISABLE
        body.cooling = None
        settled = self._settled
        working, ran, test = self._working, body.ran, _test_now()
        if test not in ran and test in working:
            self._arrive(body, test)
            ran = body.ran
        if not working.keys() <= ran.keys():
            settled.setdefault(test, set()).add(id(code))
            return None
        self._silent.add(body)  # first: whoever begins a test after the last look arms it again
        if body.ran is ran and self._working is working:
            return _monitoring.DISABLE
        return None

    def _on_throw(self, code: CodeType, offset: int, _error: BaseException) -> None:
        if id(code) in self._bodies:
            self._on_enter(code, offset)  # what it answers is no answer to this event

    def _arrive(self, body: Body, test: str) -> None:
        with self.lock:
            work = self._working.get(test)
            if work is None:
                return
            body.cooling = None
            body.vain = 0
            body.patience = (PATIENCE + body.size * (len(body.ran) + 1) // OCTETS_AN_EVENT) << body.coolings
            lines = work.files.setdefault(body.path, set())
            if body.ran.get(test) is not lines:
                body.lacking = None
                body.ran = {**body.ran, test: lines}
                _arm(self._line, body.code, self._events_inside)

    def _on_line(self, code: CodeType, number: int) -> Answer:
        try:
            body = self._bodies[id(code)]
        except KeyError:
            return _monitoring.DISABLE
        ran, test = body.ran, _test_now()
        if test in ran and number not in ran[test]:
            ran[test].add(number)
        else:
            body.vain += 1
            if body.vain >= body.patience:
                self._cool(body)
        if (lacking := body.lacking) is not None and number not in lacking:  # as at an earlier event, most often
            return None
        for lines in ran.values():
            if number not in lines:
                if body.ran is ran:
                    body.lacking = lines
                return None
        return _monitoring.DISABLE if body.ran is ran else None

    def _cool(self, body: Body) -> None:
        """Wait no longer for the lines of tests that are elsewhere; ENTER tells when they are back.

        No frame may be inside that goes on without an event: of another thread, below in this one, or of a greenlet.
        """
        body.vain = 0
        body.coolings = min(body.coolings + 1, MOST_COOLINGS)
        with self.lock:
            ran, test = body.ran, TEST.get()
            here = {test: ran[test]} if test in ran else {}
            if len(here) == len(ran) or "greenlet" in sys.modules:
                return
            body.cooling = mark = object()
            self._unsettle(body)
            self._arm_enter(body)  # from here on, whoever enters takes the mark away
            if frames_of(body.code) > 1:
                return
            if body.cooling is mark and body.ran is ran:
                body.ran, body.lacking = here, None
                self._unsettle(body)  # for who was here before the mark, settled it after that, and has left

    def _unsettle(self, body: Body) -> None:
        for settled in list(self._settled.values()):
            settled.discard(id(body.code))

    def _arm_enter(self, body: Body) -> None:
        _arm(self._enter, body.code, _monitoring.events.PY_START | _monitoring.events.PY_RESUME)


def _arm(tool: int, code: CodeType, events: int) -> None:
    """Let all events of one code object come again, those that were disabled included.

    In one step, in C: an event of another thread between the two would be lost.
    """
    try:
        deque(map(_monitoring.set_local_events, (tool, tool), (code, code), (0, events)), maxlen=0)
    except ValueError:  # the tool was given back meanwhile
        return
