"""The section in the terminal: who reached what, which servers delivered, and the verdict in the last line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverage.results import display_covered

from pytest_vmpilot_cov.figures import shown_path
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import TESTS_FILE, Delivery, Figures, Options, Row, Verdict

if TYPE_CHECKING:
    from pytest_vmpilot_cov.verdict import Outcome
    from server_hook.announce import Record

SHOWN_FILES = 3
COLUMNS = ("Origin", "Files", "Stmts", "Reached", "Cover", "Only here")


@dataclass(frozen=True)
class Line:
    """One line to print, and how it is meant."""

    text: str
    tone: str = ""
    """good, bad, warn, or empty."""


def section(outcome: Outcome, options: Options) -> Iterator[Line]:
    """Yield the lines of the section, the verdict last."""
    yield from _table(origin_cells(outcome.figures, options.precision))
    for block in outcome.text:
        if "\n" in block:
            yield Line("")
        yield from (Line(text) for text in block.splitlines())
    yield Line("")
    yield from (Line(text) for text in _pipeline(outcome, options))
    warnings = [*warnings_of(outcome, options), *outcome.verdict.warnings]
    yield from (Line(f"WARNING: {text}", "warn") for text in warnings)
    for check in outcome.verdict.checks:
        yield Line(check.text, "good" if check.passed else "bad") if check.text else Line(f"{check.name}: yes", "good")


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return the verdict as plain lines: the checks, or what there is to say without any."""
    return [check.text or f"{check.name}: yes" for check in verdict.checks] + list(verdict.warnings)


def origin_cells(figures: Figures, precision: int) -> list[tuple[str, ...]]:
    """Return the table of origins as cells, its head first, the combined row last."""

    def cells(row: Row) -> tuple[str, ...]:
        only = str(row.only_here) if row is not figures.total else ""
        covered = display_covered(row.percent, precision) + "%"
        return row.origin, str(row.files), str(row.statements), str(row.reached), covered, only

    return [COLUMNS, *(cells(row) for row in (*figures.rows, figures.total))]


def _table(rows: list[tuple[str, ...]]) -> Iterator[Line]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    for number, row in enumerate(rows):
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        if number in (1, len(rows) - 1):
            yield Line("-" * (sum(widths) + 3 * (len(widths) - 1)))
        yield Line("   ".join(cells).rstrip())


def _pipeline(outcome: Outcome, options: Options) -> Iterator[str]:
    """Say which servers delivered, how many processes they were and how old their data is."""
    servers = [each for each in outcome.collected.deliveries if each.record.origin == "pipeline"]
    live = [each for each in servers if each.life != "dead"]
    ended = [each for each in servers if each.life == "dead" and each.executed]
    if not (live or ended or outcome.combined.oldest.get("pipeline")):
        yield say("pipeline-none", config=options.settings.config_file or options.settings.folder)
    if live:
        processes = _count(len(live), "live process", "live processes")
        asked = any(each.asked for each in live)
        counted = (
            f"{sum(each.answered for each in live)} of {processes} delivered" if asked else f"{processes}, not asked"
        )
        yield f"Pipeline: {counted} ({_names(live)})"
    if ended:
        newest = max(each.newest for each in ended)
        yield f"Pipeline: {_count(len(ended), 'ended process', 'ended processes')}, last segment {age_of(newest)} ago"
    for file in outcome.collected.data_files:
        if not (servers and file.published):  # a publication of segments that were read says nothing new
            unverified = "" if file.published else ", unverified: it does not say which source it measured"
            path = shown_path(str(file.path), options.root)
            whose = "Tests" if file.path.name == TESTS_FILE else "Pipeline"
            yield f"{whose}: read {path}, written {age_of(file.written)} ago{unverified}"
    oldest = outcome.combined.oldest.get("pipeline")
    if oldest:
        yield f"Pipeline: the oldest data that counts is {age_of(oldest)} old"
    foreign = [shown_path(path, options.root) for path in outcome.combined.foreign]
    if foreign:
        names = ", ".join([*foreign[:SHOWN_FILES], *(["..."] if len(foreign) > SHOWN_FILES else [])])
        yield f"Not counted: {_count(len(foreign), 'measured file', 'measured files')} outside the project ({names})"


def warnings_of(outcome: Outcome, options: Options) -> Iterator[str]:
    """Yield everything that did not go as it should with the data, one sentence each."""
    yield from outcome.problems
    for each in outcome.collected.deliveries:
        if each.asked and (each.problem or not each.answered):
            yield say(
                "pipeline-silent",
                pid=each.record.pid,
                command=command_of(each.record),
                why=each.problem or "it was not asked",
                counted=f"what it wrote {age_of(each.newest)} ago" if each.newest else "nothing of it",
            )
    for left in outcome.combined.stale:
        path = shown_path(left.path, options.root)
        yield say("stale-source", lines=_count(left.lines, "line", "lines"), origin=left.origin, path=path)
    if "pipeline" not in outcome.combined.oldest:
        config = options.settings.config_file or options.settings.folder
        named = [place for place in options.places if place.where != "default" and not os.path.exists(place.value)]
        for place in named:
            yield say("pipeline-not-found", path=place.value, where=place.where, config=config)


def _names(deliveries: Iterable[Delivery]) -> str:
    return ", ".join(f"pid {each.record.pid}" for each in deliveries)


def command_of(record: Record) -> str:
    """Show the command line of a process, shortened."""
    words = [os.path.basename(word) if number == 0 else word for number, word in enumerate(record.command)]
    text = " ".join(words)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - half a terminal's width


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def age_of(moment: float) -> str:
    """Say how long ago a moment (seconds since the epoch) was."""
    seconds = max(0.0, time.time() - moment)
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.1f} {name}" if unit == 1 else f"{seconds / unit:.0f} {name}"
    return _count(round(seconds / 86400), "day", "days")
