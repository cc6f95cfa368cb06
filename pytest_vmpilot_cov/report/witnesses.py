"""Who ran what: the lines of each process, and of each test in it.

Collecting unites the parts of all processes as it reads them, so that its memory doesn't grow with them. What one
process wrote is read again for those who ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.collect.data_file import UNREADABLE, read_data_file
from pytest_vmpilot_cov.model import Collected, Combined, DataFile, Delivery
from pytest_vmpilot_cov.model.value import Value
from server_hook.store import epochs, segment
from server_hook.store.segment import Label, Lines, Part, Source
from server_hook.store.working_folder import data_folder_of

if TYPE_CHECKING:
    from pathlib import Path


class Witness(Value):
    """What one process, or what one data file holds of several, ran of one file for one label."""

    who: Delivery | DataFile
    label: Label
    path: str
    lines: Lines


def of_processes(collected: Collected, combined: Combined) -> Iterator[Witness]:
    """Yield what each process ran, as far as it counts."""
    place, resets = _placing(combined), cache(_last_reset)
    for delivery in collected.deliveries:
        for part in _parts_of(delivery, resets(data_folder_of(delivery.folder))):
            for source, measured in part.files.items():
                if path := place(source):
                    yield Witness(delivery, part.label._replace(startup=False), path, segment.to_lines(measured))


def of_data_files(collected: Collected, combined: Combined, folder: str) -> Iterator[Witness]:
    """Yield what each data file holds, as far as it counts, but nothing that was made of segments.

    Args:
        collected: what was read.
        combined: what counts of it.
        folder: what relative names of sources are read against.
    """
    place = _placing(combined)
    for file in collected.data_files:
        if file.is_derived and collected.deliveries:  # its lines are those of the processes
            continue
        origin = next(iter(file.origins)) if len(file.origins) == 1 else ""
        try:
            parts, _ = read_data_file(file.path, folder, origin)
        except UNREADABLE:  # a warning of the verdict
            continue
        for part in parts:
            for source, measured in part.files.items():
                if path := place(source):
                    yield Witness(file, part.label, path, segment.to_lines(measured))


def _placing(combined: Combined) -> Callable[[Source], str]:
    """Return what gives a measured source its path here; nothing if it doesn't count."""
    places = {each.measured: each.path for each in combined.mapped}
    counted = {source for files in combined.counted.values() for source in files}

    @cache  # each part of each process names the same sources
    def place(source: Source) -> str:
        here = source._replace(path=places.get(source.path, source.path))
        return here.path if here in counted else ""

    return place


def _last_reset(folder: Path) -> float:
    return epochs.last_reset(str(folder))


def _parts_of(delivery: Delivery, reset_at: float) -> Iterator[Part]:
    """Yield what counts of one process; what is torn is a warning of the verdict already."""
    if delivery.executed:
        parts = [part for _, read in segment.read_folder(delivery.folder) if isinstance(read, list) for part in read]
        is_server = delivery.record.origin == "pipeline"
        yield from epochs.counted(parts, delivery.alive_at, reset_at) if is_server else parts
