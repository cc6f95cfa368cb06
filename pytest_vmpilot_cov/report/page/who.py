"""Which processes and which tests reached the lines of each file, as bitmaps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from pytest_vmpilot_cov.model import Combined, Outcome
from pytest_vmpilot_cov.report import witnesses
from server_hook.store import segment
from server_hook.store.segment import Label

By: TypeAlias = dict[str, dict[int, segment.Lines]]
"""Path -> the place of a process or of a test in its list -> the lines that it executed."""


def lines_by_process(outcome: Outcome) -> By:
    """Read again what each process wrote: its place among the deliveries -> lines, by file."""
    places = {id(each): place for place, each in enumerate(outcome.collected.deliveries)}
    by: By = {}
    for each in witnesses.of_processes(outcome.collected, outcome.combined):
        lines = by.setdefault(each.path, {})
        place = places[id(each.who)]
        lines[place] = lines.get(place, 0) | each.lines
    return by


def lines_by_test(combined: Combined) -> tuple[list[Label], By]:
    """Return the tests for which lines were recorded, once for each origin, and the lines of each by file."""
    tests = sorted(label for label in combined.counted if label.context)
    by: By = {}
    for place, label in enumerate(tests):
        for source, measured in combined.counted[label].items():
            lines = by.setdefault(source.path, {})
            lines[place] = lines.get(place, 0) | segment.to_lines(measured)
    return tests, by


def grouped(lines: Mapping[int, segment.Lines], reporter: Any) -> list[list[Any]]:  # noqa: ANN401 - coverage's FileReporter
    """Group those who executed the same lines of a file: bitmaps in hexadecimal, and whose each is.

    Bit *n* is line *n*. A statement of several lines is known by its first one, as in coverage.py's reports.
    """

    @lru_cache(None)
    def in_statements(executed: segment.Lines) -> segment.Lines:
        return segment.bitmap(reporter.translate_lines(segment.line_numbers(executed)))

    groups: dict[segment.Lines, list[int]] = {}
    for place, executed in lines.items():
        groups.setdefault(in_statements(executed), []).append(place)
    return [[f"{executed:x}", places] for executed, places in groups.items()]
