"""Find the processes that announced themselves, and decide which belong to a collection."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import field, replace
from functools import cache, cached_property
from pathlib import Path

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Delivery, Options, Place, is_elsewhere
from pytest_vmpilot_cov.model.value import Value
from server_hook.control import client
from server_hook.store import epochs, records, working_folder
from server_hook.store.records import Record
from server_hook.systems.systems import system


class Scope(Value):
    """What belongs to this collection."""

    session: str = ""
    """Count only this session's unit and E2E data; empty counts all that lies in the data folder."""
    ask: bool = True
    """Whether to ask live processes for a dump."""
    only: tuple[Path, ...] = ()
    """Data files and folders to read, and nothing else; empty means the places of the options."""
    extra: tuple[Path, ...] = ()
    """Data files and folders that others contribute, beside those."""
    all_runs: bool = False
    """Whether what tests reached counts whichever COVERAGE_FILE their run had, or that of this run alone."""
    until: float = epochs.EVER
    """Count what was measured since the last reset before this moment; a reset that came later takes nothing away."""
    known_places: tuple[Place, ...] = ()
    """Data files and folders with a label other than their path, or with an origin."""
    origins: frozenset[str] = frozenset()
    """Origins whose tests ran in this session."""
    tick: Callable[[str], object] = field(default=str, compare=False)
    """Called with what is read next."""

    def place_of(self, path: Path) -> Place:
        """Return the place of a path, or one in the place of the nearest folder above it."""
        if not self.known_places:
            return Place(path, str(path))
        parent = next((each for each in (path, *path.parents) if each in self._by_path), None)
        if parent is None:
            return Place(path, str(path))
        place = self._by_path[parent]
        return replace(place, path=path, label=str(path).replace(str(parent), place.label, 1))

    @cached_property
    def _by_path(self) -> dict[Path, Place]:
        return {place.path: place for place in self.known_places}


def places_of(options: Options) -> tuple[Path, ...]:
    """Return where data may lie: the session's own data folder, and the places of servers."""
    return (options.data_folder, *(place.value for place in options.data_places))


def distinct(paths: Iterable[Path]) -> list[Path]:
    """Resolve paths, and drop those that lead to the same place; the order stays."""
    resolved = cache(Path.resolve)  # of folders, each of which holds many of the paths

    def real(path: Path) -> Path:
        return path.resolve() if os.path.islink(path) or path.name in ("", "..") else resolved(path.parent) / path.name

    return list(dict.fromkeys(map(real, paths)))


def folder_of(place: Path) -> Path:
    """Return the data folder of a place: the place itself, or where its data file lies or would lie."""
    if place.name == working_folder.WORKING_FOLDER:
        return place.parent
    return place if os.path.isdir(place) else place.parent


def is_of_run(record: Record, options: Options) -> bool:
    """Tell whether a process of tests belongs to the runs of this ``.coverage``: COVERAGE_FILE tells runs apart."""
    data_file = record.settings.get("data_file")
    return data_file is None or os.path.basename(str(data_file)) == os.path.basename(options.settings.data_file)


def find_processes(
    folders: Iterable[Path],
    options: Options,
    scope: Scope,
    passed: Container[Path] = (),
    refuse: Callable[[OSError], object] = str,
) -> Iterator[Delivery]:
    """Walk the announced processes of data folders that belong to the scope, without asking any of them.

    Args:
        folders: the data folders.
        options: whose data folder is the session's own.
        scope: what belongs to this collection.
        passed: folders of processes that are passed over.
        refuse: is called for each thing that is not used.
    """
    own, settings = options.data_folder.resolve(), records.NO_SETTINGS
    places = (place for folder in folders for place in working_folder.process_folders(folder, refuse))
    for place in (place for place in places if place not in passed):
        record = _record_in(place, refuse)
        if record.settings == settings:  # most of a record, and the same in a thousand processes
            record = record._replace(settings=settings)
        settings = record.settings
        if record.origin not in ("pipeline", ""):
            is_own = working_folder.data_folder_of(place) == own and records.is_of(record.session, scope.session)
            if (scope.session and not is_own) or not (scope.all_runs or is_of_run(record, options)):
                continue
        life = life_in(place, record)
        # a copy has no process to ask
        if scope.place_of(place).is_copy or (life == "live" and is_elsewhere(record.place, place)):
            life = "dead" if life == "dead" else "remote"
        elif life == "dead" and record.socket:
            client.remove_dead(record.socket)  # a killed process leaves its socket behind
        yield Delivery(record, life, place, alive_at=records.sign_of_life(place))


def life_in(place: Path, record: records.Record) -> records.Life:
    """Judge whether the process that records in a folder lives; without /proc its pid alone tells little of that.

    Args:
        place: that folder.
        record: that of the process.
    """
    life = records.life_of(record, records.heartbeat_age_s(place))
    if life != "live" or not record.socket or system.start_of(record.pid):
        return life
    return "dead" if client.is_dead(record.socket, record.id, records.owner_of(place)) else "live"


def refused(error: OSError, scope: Scope) -> str:
    """Say what lies in a data folder and is not used, and why."""
    return say("data-refused", path=scope.place_of(Path(error.filename)).label, why=error.strerror)


def _record_in(folder: Path, refuse: Callable[[OSError], object]) -> records.Record:
    """Read the record in a process's folder; without a readable one it is unknown whose its segments are."""
    try:
        return records.load_record(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        refuse(error)
    return records.Record(id=folder.name, pid=0, origin="", ended=1.0)  # ended, so that it is never asked
