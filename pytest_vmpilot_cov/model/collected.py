"""What was collected: parts, deliveries of processes, data files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.model.value import Value

if TYPE_CHECKING:  # every pytest session of the environment imports this module, so it loads nothing else
    from server_hook.control.channel import Answer
    from server_hook.store.records import Life, Record
    from server_hook.store.segment import Part

TESTS_FILE = ".coverage.tests"


def is_tests_file(name: str) -> bool:
    """Tell by its name whether a data file holds what tests reached, of whichever run."""
    return name == TESTS_FILE or name.startswith(f"{TESTS_FILE}.")


def is_elsewhere(place: str, folder: Path) -> bool:
    """Tell whether a process that says it records in *place* records in another folder than this one."""
    try:
        return bool(place) and not os.path.samefile(place, folder)
    except OSError:  # the name may lead nowhere here, as that of a container does
        return False


class Delivery(Value):
    """What one announced process gave: its answer to a dump, or the fact that it gave none."""

    record: Record
    life: Life
    folder: Path
    """Where the process keeps its record and its segments."""
    asked: bool = False
    answered: bool = False
    problem: str = ""
    """Why a live process did not answer, or what it said is wrong."""
    executed: bool = False
    """Whether any line that it executed was found."""
    newest: float = 0.0
    """When its last segment ended, in seconds since the epoch; 0 where there is none."""
    alive_at: float = 0.0
    """When it last gave a sign of life; 0 where it never did."""
    answer: Answer | None = None
    """What it answered; None where it did not."""
    ports: tuple[str, ...] = ()
    """The TCP addresses at which it listens; filled in for orphans, and when the status was requested."""

    @property
    def is_copied(self) -> bool:
        """Whether the folder is a copy, or was moved, while the process records where it always did."""
        return self.life == "remote" and is_elsewhere(self.record.place, self.folder)


class Place(Value):
    """A data file or data folder to read, and what is known of it beyond its path."""

    path: Path
    label: str
    """What to call it: a copy is called after what it is a copy of."""
    origin: str = ""
    """Whose data a file is that does not say so itself; empty to tell by its name."""
    is_copy: bool = False
    """Whether it is a copy that only we read: no process behind it is asked, and none writes it meanwhile."""


class DataFile(Value):
    """A coverage data file that was read beside the segments."""

    path: Path
    written: float
    """When, in seconds since the epoch."""
    published: bool = False
    """Whether it is a publication of ours, which knows its fingerprints."""
    label: str = ""
    """What to call it, where it is a copy of something else; empty for its path."""
    origins: frozenset[str] = frozenset()
    """Whose data it holds; empty where it holds none."""
    measured: float = 0.0
    """When the oldest measurement in it began, in seconds since the epoch; 0 where it does not say so."""
    is_derived: bool = False
    """Whether it was made of the segments beside it, which are read as well."""
    places: frozenset[str] = frozenset()
    """Where servers recorded what it holds; empty where it does not say so."""


class Collected(Value):
    """All that was found: parts of every process, who delivered, and what could not be read."""

    parts: tuple[Part, ...]
    deliveries: tuple[Delivery, ...] = ()
    data_files: tuple[DataFile, ...] = ()
    problems: tuple[str, ...] = ()
    reset_at: float = 0.0
    """When the servers were last reset, in seconds since the epoch; 0 for never. What they measured before is out."""
    places: frozenset[str] = frozenset()
    """Where servers recorded what they gave: data folders, and files that say no more."""
