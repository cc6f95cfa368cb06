"""Tell branches of tests apart where coverage.py takes them from ``sys.monitoring``: arcs are lines of another kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType
from typing import Any, TypeAlias

from server_hook.arcs import Arcs, number_of
from server_hook.attribution.joins import joins_of
from server_hook.attribution.monitoring import Answer, ByMonitoring
from server_hook.store.segment import MOST_LINES

_monitoring: Any = getattr(sys, "monitoring", None)
_JOIN = 1 << 64
"""Added to the number of an arc that no event tells of; such a number is no arc's yet."""

ArcOf: TypeAlias = Callable[..., "tuple[int, int] | None"]
"""Takes a code object, the name of coverage.py's callback for an event, and what the event says beside."""


class ByBranches(ByMonitoring):
    """Tells lines and branches of tests apart."""

    def __init__(self, path_of: Callable[[str, FrameType], str], arc_of: ArcOf, lock: Any) -> None:  # noqa: ANN401 - a _thread.RLock
        """Prepare; no tool is taken before the first test.

        Args:
            path_of: returns the path of a file that is measured, by its name and a frame of it; else an empty text.
            arc_of: returns the arc that an event means to coverage.py.
            lock: is held while something is armed.
        """
        super().__init__(path_of, lock)
        self._arc_of = arc_of
        self._arcs: dict[tuple[object, ...], int] = {}
        """The numbers of the arcs that events mean, by the code object's id and where it was; 0 for no arc."""
        self._lines: dict[int, dict[int, int]] = {}
        """What stands for some lines of a code object, by its id: they lead to a line that tells whether they did."""
        self._joins: dict[int, tuple[int, int]] = {}

    def pack(self, ran: set[int]) -> Arcs:
        """Turn lines, arcs and joins into arcs."""
        joins = {each: self._joins[each] for each in ran if each >= _JOIN >> 1}
        starts = ran.union(start for start, _ in joins.values())
        pairs = ((start, end if end in starts else start) for start, end in joins.values())
        lines = {number_of(each, each) if 0 < each < MOST_LINES else each for each in ran.difference(joins)}
        return Arcs.from_numbers(lines.union(number_of(*pair) for pair in pairs))

    def _watch_inside(self) -> int:
        events = _monitoring.events
        for event in (events.BRANCH_LEFT, events.BRANCH_RIGHT):
            _monitoring.register_callback(self._line, event, partial(self._on_arc, "sysmon_branch_either"))
        _monitoring.register_callback(self._line, events.PY_RETURN, self._on_return)
        _monitoring.register_callback(self._line, events.LINE, self._on_line_or_join)
        return int(events.LINE | events.BRANCH_LEFT | events.BRANCH_RIGHT | events.PY_RETURN)

    def _on_line_or_join(self, code: CodeType, number: int) -> Answer:
        lines = self._lines.get(id(code))
        if lines is None:
            if id(code) not in self._bodies:
                return _monitoring.DISABLE
            lines = self._lines[id(code)] = self._note_joins(code)
        return self._on_line(code, lines.get(number, number))

    def _note_joins(self, code: CodeType) -> dict[int, int]:
        try:
            joins = {number_of(*join) + _JOIN: join for join in joins_of(code).items()}
        except Exception:  # noqa: BLE001 - a function of the application runs; its branches are the less important part
            joins = {}
        self._joins.update(joins)
        return {start: number for number, (start, _) in joins.items()}

    def _on_arc(self, callback: str, code: CodeType, *places: object) -> Answer:
        """Take an arc for a line of its own kind: it waits for the same tests."""
        key = id(code), *places
        number = self._arcs.get(key)
        if number is None:
            if id(code) not in self._bodies:
                return _monitoring.DISABLE
            arc = self._arc_of(code, callback, *places)
            number = self._arcs[key] = number_of(*arc) if arc else 0
        return self._on_line(code, number) if number else _monitoring.DISABLE

    def _on_return(self, code: CodeType, offset: int, _value: object) -> Answer:
        return self._on_arc("sysmon_py_return", code, offset, None)  # the value would live as long as what is noted
