"""Which processes and which tests reached the lines of each file, as bitmaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_vmpilot_cov.model import Combined, Delivery, Outcome
from server_hook.store import epochs, segment
from server_hook.store.fingerprint import UNVERIFIED, fingerprint
from server_hook.store.segment import Label, Part
from server_hook.store.working_folder import data_folder_of

if TYPE_CHECKING:
    from pathlib import Path

By: TypeAlias = dict[str, dict[int, segment.Lines]]
"""Path -> the place of a process or of a test in its list -> the lines that it executed."""


def lines_by_process(outcome: Outcome) -> By:
    """Read again what each process wrote: its place among the deliveries -> lines, by file.

    Collecting unites the parts of all processes as it reads them, so that its memory does not grow with them.
    """
    places = {each.measured: each.path for each in outcome.combined.mapped}
    kept = {left.path for left in outcome.combined.stale if left.kept}
    now, resets = cache(fingerprint), cache(_last_reset)
    by: By = {}
    for place, delivery in enumerate(outcome.collected.deliveries):
        for part in _parts_of(delivery, resets(data_folder_of(delivery.folder))):
            for source, measured in part.files.items():
                path = places.get(source.path, source.path)
                if source.fingerprint in ("", UNVERIFIED, now(path)) or path in kept:
                    lines = by.setdefault(path, {})
                    lines[place] = lines.get(place, 0) | segment.to_lines(measured)
    return by


def _last_reset(folder: Path) -> float:
    return epochs.last_reset(str(folder))


def _parts_of(delivery: Delivery, reset_at: float) -> Iterator[Part]:
    """Yield what counts of one process; what is torn is a warning of the verdict already."""
    if delivery.executed:
        parts = [part for _, read in segment.read_folder(delivery.folder) if isinstance(read, list) for part in read]
        is_server = delivery.record.origin == "pipeline"
        yield from epochs.counted(parts, delivery.alive_at, reset_at) if is_server else parts


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
