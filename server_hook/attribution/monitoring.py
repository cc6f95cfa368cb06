"""Tell tests apart by ``sys.monitoring``, beside coverage.py and without a change to what it measures.

Two tools of our own have events on the code objects of the source alone. ENTER says that a test's work begins to run a
code object; only then are its lines armed. A line is silent again as soon as every test that has entered the code
object has it, and so is ENTER once every test that is at work has been there. So each costs one event a test.

Callbacks run in every thread, between any two steps of another. What they read is replaced, never changed, and each
decides by a last look at whether it was replaced meanwhile: nothing can come between that look and what follows it.
"""

from __future__ import annotations

import _thread
import sys
from collections import deque
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeAlias

from server_hook.attribution.tags import TEST
from server_hook.store.segment import Measured, bitmap

_monitoring: Any = getattr(sys, "monitoring", None)
_TOOLS = (3, 4, 5)
"""Ids of tools that no convention gives to debuggers, coverage.py or profilers."""
_NAME = "vmpilot-cov"
_new_lock = _thread.RLock

Answer: TypeAlias = object
"""What a callback returns: ``sys.monitoring.DISABLE``, or None to be called again."""


class UnavailableError(Exception):
    """Tests cannot be told apart in this process; the text says why."""


class Work:
    """What one test has run here."""

    def __init__(self, test: str) -> None:
        """Begin with nothing."""
        self.test = test
        self.files: dict[str, set[int]] = {}
        self.drained: dict[str, int] = {}
        """How many lines of each file were drained."""
        self.bodies: list[Body] = []


class Body:
    """A code object of the source."""

    __slots__ = ("code", "path", "ran")

    def __init__(self, code: CodeType, path: str) -> None:
        """Begin with a code object that no test has entered."""
        self.code = code
        self.path = path
        self.ran: dict[str, set[int]] = {}
        """The lines of each test that has entered it; replaced, never changed."""


class ByMonitoring:
    """Tells tests apart from Python 3.12 on."""

    def __init__(self, path_of: Callable[[str, FrameType], str]) -> None:
        """Prepare; no tool is taken before the first test.

        Args:
            path_of: returns the path of a file that is measured, by its name and a frame of it; else an empty text.
        """
        self._path_of = path_of
        self._bodies: dict[int, Body] = {}
        """By the id of the code object: to hash one means to hash all of its constants."""
        self._working: dict[str, Work] = {}
        """The tests at work; replaced, never changed."""
        self._over: list[Work] = []
        self._silent: set[Body] = set()
        """Those whose ENTER every test at work has answered."""
        self._tools: tuple[int, ...] = ()
        self._lock = _new_lock()

    def begin(self, test: str) -> None:
        """Tell the work of a test apart from now on.

        Raises:
            UnavailableError: when it cannot be.
        """
        if test in self._working:
            return
        with self._lock:
            if not self._tools:
                self._take_tools()
            self._working = {**self._working, test: self._working.get(test) or Work(test)}
            silent, self._silent = self._silent, set()
            for body in silent:
                _arm(self._enter, body.code, self._enter_events)

    def end(self, test: str) -> None:
        """Count nothing more for a test."""
        with self._lock:
            work = self._working.get(test)
            if work is None:
                return
            self._working = {name: each for name, each in self._working.items() if name != test}
            self._over.append(work)
            for body in work.bodies:
                body.ran = {name: lines for name, lines in body.ran.items() if name != test}

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add what each test has run since the last drain."""
        over, self._over = self._over, []
        for work in (*self._working.values(), *over):
            for path, lines in work.files.copy().items():
                if len(lines) != work.drained.get(path):
                    ran = lines.copy()
                    add(work.test, path, bitmap(ran))
                    work.drained[path] = len(ran)

    def close(self) -> None:
        """Give the tools back."""
        self._working = {}
        for tool in self._tools:
            _monitoring.free_tool_id(tool)
        self._tools = ()

    def _take_tools(self) -> None:
        free = [tool for tool in _TOOLS if _monitoring.get_tool(tool) is None]
        if len(free) < 2:  # noqa: PLR2004
            raise UnavailableError("fewer than two ids of sys.monitoring are free")
        self._enter, self._line = self._tools = free[0], free[1]
        for tool in self._tools:
            _monitoring.use_tool_id(tool, _NAME)
        events = _monitoring.events
        self._enter_events = starts = events.PY_START | events.PY_RESUME
        for event in (events.PY_START, events.PY_RESUME):
            _monitoring.register_callback(self._enter, event, self._on_enter)
            _monitoring.register_callback(self._line, event, self._on_first)
        _monitoring.register_callback(self._enter, events.PY_THROW, self._on_throw)
        _monitoring.register_callback(self._line, events.LINE, self._on_line)
        _monitoring.set_events(self._enter, events.PY_THROW)
        _monitoring.set_events(self._line, starts)

    def _on_first(self, code: CodeType, _offset: int) -> Answer:
        """Meet a code object, which may have begun before the tools were there."""
        if id(code) not in self._bodies:
            path = self._path_of(code.co_filename, sys._getframe(1))
            if path:
                self._bodies[id(code)] = Body(code, path)
                _arm(self._enter, code, self._enter_events)
                self._on_enter(code, _offset)
        return _monitoring.DISABLE

    def _on_enter(self, code: CodeType, _offset: int) -> Answer:
        body = self._bodies[id(code)]
        test = TEST.get()
        working = self._working
        if test in working and test not in body.ran:
            self._arrive(body, test)
        ran = body.ran
        if not working.keys() <= ran.keys():
            return None
        self._silent.add(body)  # first: whoever begins a test after the last look arms it again
        if body.ran is ran and self._working is working:
            return _monitoring.DISABLE
        return None

    def _on_throw(self, code: CodeType, offset: int, _error: BaseException) -> None:
        if id(code) in self._bodies:
            self._on_enter(code, offset)  # what it answers is no answer to this event

    def _arrive(self, body: Body, test: str) -> None:
        with self._lock:
            work = self._working.get(test)
            if work is not None:
                lines = work.files.setdefault(body.path, set())
                work.bodies.append(body)
                body.ran = {**body.ran, test: lines}
                _arm(self._line, body.code, _monitoring.events.LINE)

    def _on_line(self, code: CodeType, number: int) -> Answer:
        body = self._bodies[id(code)]
        ran = body.ran
        mine = ran.get(TEST.get())
        if mine is not None:
            mine.add(number)
        for lines in ran.values():
            if number not in lines:
                return None
        if body.ran is ran:
            return _monitoring.DISABLE
        return None


def _arm(tool: int, code: CodeType, events: int) -> None:
    """Let all events of one code object come again, those that were disabled included.

    In one step, in C: an event of another thread between the two would be lost.
    """
    deque(map(_monitoring.set_local_events, (tool, tool), (code, code), (0, events)), maxlen=0)
