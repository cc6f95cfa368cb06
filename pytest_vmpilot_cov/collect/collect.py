"""Announced processes and data files -> what was collected; live processes are asked first, with a time limit."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pytest_vmpilot_cov.collect.ask import ask_all
from pytest_vmpilot_cov.collect.processes import Scope, distinct, find_processes, folder_of, places_of, refused
from pytest_vmpilot_cov.collect.union import Union
from pytest_vmpilot_cov.collect.unrecorded import find_unrecorded
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Collected, DataFile, Delivery, Options, is_tests_file
from server_hook.problems import one_line
from server_hook.store import epochs, publication, publish, safe_files, segment, working_folder
from server_hook.store.segment import Part
from server_hook.store.working_folder import data_folder_of


def collect(options: Options, scope: Scope) -> Collected:
    """Ask the live processes, then read every segment and data file that belongs to the scope."""
    reading = _Reading(options, scope)
    deliveries = reading.processes()
    data_files = reading.data_files()
    if not scope.only:
        reading.problems += find_unrecorded(options, deliveries)
    return reading.collected(deliveries, data_files)


class _Reading:
    """One collection on its way: what was read so far, and what is wrong with it."""

    def __init__(self, options: Options, scope: Scope) -> None:
        """Sort the places to read into data files and data folders; nothing is read yet."""
        self.problems: list[str] = []
        self._options, self._scope = options, scope
        places = (*(scope.only or places_of(options)), *scope.extra)
        self._files = [place for place in places if os.path.isfile(place)]
        files = set(self._files)
        self._folders = distinct(folder_of(place) for place in places if not (scope.only and place in files))
        """Where processes are looked for: a file stands for its folder, unless the scope names the file itself."""
        self._whole = distinct(folder_of(place) for place in places if place not in files)
        """Those whose data files are read as well."""
        self._union = Union()
        self._measured_in: set[str] = set()

    @cached_property
    def _resets(self) -> Mapping[Path, float]:
        """When the servers of each folder were last reset."""
        # looked up only when needed: a reset may come while the processes are asked
        until = min(self._scope.until, time.time())
        return {folder: epochs.last_reset(str(folder), until, self._refuse) for folder in self._folders}

    def processes(self) -> list[Delivery]:
        """Find the processes, ask those that live, and read what all of them have written."""
        deliveries = list(self._find())
        if self._scope.ask:
            deliveries = ask_all(deliveries, "dump")
        self.problems += _future_resets(self._folders)
        return self._with_compacted([self._read_process(each) for each in deliveries])

    def data_files(self) -> list[DataFile]:
        """Read the data files that the places name, and those of whole folders."""
        paths = distinct([*self._files, *self._files_in_folders()])
        return [file for file in map(self._read_file, paths) if file is not None]

    def collected(self, deliveries: Sequence[Delivery], data_files: Sequence[DataFile]) -> Collected:
        """Return all that was read."""
        problems = tuple(dict.fromkeys(self.problems))
        reset_at = max(self._resets.values(), default=0.0)
        return Collected(
            tuple(self._union.take()),
            tuple(deliveries),
            tuple(data_files),
            problems,
            reset_at,
            frozenset(self._measured_in),
        )

    def _refuse(self, error: OSError) -> None:
        self.problems.append(refused(error, self._scope))

    def _find(self, passed: Container[Path] = ()) -> Iterator[Delivery]:
        return find_processes(self._folders, self._options, self._scope, passed, refuse=self._refuse)

    def _with_compacted(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Read what processes were compacted into while others were read: their own folders may have been empty.

        A compacted folder is renamed into place before the folders that it replaces are removed. So a second look
        finds what the first one missed, and what both of them read counts once.
        """
        later = self._find({each.folder for each in deliveries})
        compacted = [self._read_process(each) for each in later if each.record.folded > 1]
        return [*filter(_is_there, deliveries), *compacted] if compacted else deliveries

    def _read_process(self, delivery: Delivery) -> Delivery:
        """Read one process's segments; return its delivery with what they hold."""
        parts: list[Part] = []
        self._scope.tick(str(delivery.folder))
        for path, read in segment.read_folder(delivery.folder):
            if isinstance(read, segment.TornError):
                label = self._scope.place_of(path).label
                self.problems.append(say("segment-torn", path=label, process=delivery.record.id, why=read))
            else:
                parts += read
        if delivery.record.origin == "pipeline":
            reset_at = self._resets[data_folder_of(delivery.folder)]
            parts = list(epochs.counted(parts, delivery.alive_at, reset_at, self._scope.until))
        for part in parts:
            self._union.add(part)
        if delivery.record.origin == "pipeline" and parts:
            self._measured_in.add(self._scope.place_of(data_folder_of(delivery.folder)).label)
        # from what counts alone: data from before a reset must not make a process look up to date
        newest = max([0.0, *(part.ended for part in parts)])
        return replace(delivery, newest=newest, executed=any(part.files for part in parts))

    def _files_in_folders(self) -> Iterator[Path]:
        """List the data files of whole folders: publications, and the foreign ones that were kept aside."""
        for folder in self._whole:
            reset_at = self._resets[folder]
            for path in _candidates(folder):
                is_pipeline = path.name == publish.PIPELINE_FILE
                if not (is_pipeline or self._is_of_tests(path.name)) or (
                    is_pipeline and reset_at and _measured(path) < reset_at
                ):
                    continue
                # a session counts the segments themselves, not what was published from them; after a reset
                # only segments tell what came before it, while a publication may hold both
                by_segments = is_pipeline and (self._scope.session or reset_at)
                if by_segments and publication.is_published_here(str(path), str(folder)):
                    continue
                if _is_used(path, self._refuse, is_ours=path.parent != folder):
                    yield path

    def _is_of_tests(self, name: str) -> bool:
        """Tell whether a data file holds what tests reached, and should be read; a session counts its own segments."""
        if self._scope.session:
            return False
        return is_tests_file(name) if self._scope.all_runs else name == self._options.tests_file

    def _read_file(self, path: Path) -> DataFile | None:
        """Read a data file: ours with its fingerprints, any other one as unverified data; None if it is gone."""
        place = self._scope.place_of(path)
        from pytest_vmpilot_cov.collect.data_file import UNREADABLE, read_data_file  # most sessions have none to read

        self._scope.tick(place.label)
        written, label = _written(path), place.label if place.is_copy else ""
        if written is None:
            return None
        try:
            parts, published = read_data_file(place.path, self._options.settings.folder, place.origin)
        except UNREADABLE as error:
            if not os.path.exists(place.path):  # deleted meanwhile
                return None
            self.problems.append(say("data-unreadable", path=place.label, why=one_line(error)))
            return DataFile(place.path, written, label=label)
        if not any(part.files for part in parts):  # coverage.py combines such a file without a word
            self.problems.append(say("data-empty", path=place.label))
        measured = min((part.begun for part in parts if part.begun), default=0.0)
        for part in parts:
            # of unknown age: not younger than the file
            part.begun, part.ended = min(part.begun or written, written), written
            self._union.add(part)
        origins = frozenset(part.label.origin for part in parts if part.files)
        places = publication.read_places(place.path) if published else frozenset()
        if "pipeline" in origins:
            self._measured_in |= places or {place.label}
        is_derived = published and publication.is_published_here(str(place.path), str(place.path.parent))
        return DataFile(place.path, written, published, label, origins, measured, is_derived, places)


def _candidates(folder: Path) -> list[Path]:
    """List what may be a data file in a data folder, or a foreign one that was moved among its processes."""
    places = (folder, *working_folder.process_folders(folder))
    return [place / name for place in places for name in _names_in(place) if name.startswith(".coverage.")]


def _future_resets(folders: Iterable[Path]) -> Iterator[str]:
    """Name each folder whose servers were reset by a clock that is ahead of this one."""
    for folder in folders:
        reset_at = epochs.last_reset(str(folder))
        if reset_at > time.time() + 1:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(reset_at))
            yield say("reset-in-future", folder=folder, when=when)


def _is_there(delivery: Delivery) -> bool:
    """Tell whether a process still has a folder of its own; a live one makes its own again."""
    return delivery.life != "dead" or os.path.exists(delivery.folder)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:  # it is not there, or its working folder is refused for the same reason
        return []


def _is_used(path: Path, refuse: Callable[[OSError], object], *, is_ours: bool) -> bool:
    """Tell whether a data file is there and may be read; links are followed, except among our own files."""
    try:
        status = os.lstat(path)
        safe_files.check_owner(str(path), status)
        if is_ours or not stat.S_ISLNK(status.st_mode):
            safe_files.check_regular(str(path), status)
    except FileNotFoundError:
        return False
    except OSError as error:
        refuse(error)
        return False
    return True


def _measured(path: Path) -> float:
    """Return when the oldest measurement in a data file began; at the latest when the file was written."""
    return min([_written(path) or 0.0, *publication.read_oldest(path).values()])


def _written(path: Path) -> float | None:
    """Return when a file was written; None if it is gone: coverage.py deletes what it combines, at any moment."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None
