"""Announced processes and data files -> what was collected; live processes are asked first, with a time limit."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_vmpilot_cov.collect.ask import ask_all
from pytest_vmpilot_cov.collect.data_file import UNREADABLE, read_data_file
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
    places = (*(scope.only or places_of(options)), *scope.more)
    named = {place: None for place in places if os.path.isfile(place)}  # in their order
    folders = distinct(folder_of(place) for place in places if not (scope.only and place in named))
    problems: list[str] = []

    def refuse(error: OSError) -> None:
        problems.append(refused(error, scope))

    found = list(find_processes(folders, options, scope, refuse=refuse))
    if scope.ask:
        found = ask_all(found, "dump")
    fold = Union()
    until = min(scope.until, time.time())
    resets = {folder: epochs.last_reset(str(folder), until, refuse) for folder in folders}
    problems += _future_resets(folders)

    def read_all(some: Iterable[Delivery]) -> list[Delivery]:
        return [_read_process(each, fold, problems, resets[data_folder_of(each.folder)], scope) for each in some]

    deliveries = read_all(found)
    later = find_processes(folders, options, scope, known={each.folder for each in found}, refuse=refuse)
    if folded := read_all(each for each in later if each.record.folded > 1):  # meanwhile, of some that were found
        deliveries = [*filter(_is_there, deliveries), *folded]
    if not scope.only:
        problems += find_unrecorded(options, deliveries)
    whole = distinct(folder_of(place) for place in places if place not in named)
    files = distinct([*named, *_data_files({folder: resets[folder] for folder in whole}, options, scope, refuse)])
    tried = [_read_file(scope, path, options.settings.folder, fold, problems) for path in files]
    read = tuple(each for each in tried if each is not None)
    said = tuple(dict.fromkeys(problems))
    return Collected(tuple(fold.take()), tuple(deliveries), read, said, max(resets.values(), default=0.0))


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


def _read_process(delivery: Delivery, fold: Union, problems: list[str], reset_at: float, scope: Scope) -> Delivery:
    """Read one process's segments; return its delivery with what was found."""
    whole: list[Part] = []
    scope.tick(str(delivery.folder))
    for path, read in segment.read_folder(delivery.folder):
        if isinstance(read, segment.TornError):
            named = scope.place_of(path).named
            problems.append(say("segment-torn", path=named, process=delivery.record.id, why=read))
            continue
        whole.extend(read)
    kept = whole
    if delivery.record.origin == "pipeline":
        kept = list(epochs.counted(whole, delivery.alive_at, reset_at, scope.until))
    for part in kept:
        fold.add(part)
    newest = max([0.0, *(part.ended for part in kept)])
    return replace(delivery, newest=newest, executed=any(part.files for part in kept))


def _data_files(
    resets: Mapping[Path, float], options: Options, scope: Scope, refuse: Callable[[OSError], object]
) -> Iterator[Path]:
    """List the data files of whole folders: publications, and the foreign ones that were kept aside.

    After a reset the segments alone tell what came before it: a publication may hold both. A session reads none that
    was made here: what it holds lies in segments, here or in another place, and counts no more where that is gone.
    """

    def counts(name: str) -> bool:
        is_tests = is_tests_file(name) if scope.all_runs else name == options.tests_file
        return name == publish.PIPELINE_FILE or (is_tests and not scope.session)

    for folder, reset_at in resets.items():
        places = [folder, *working_folder.process_folders(folder)]
        for path in (place / name for place in places for name in _names_in(place) if counts(name)):
            is_pipeline = path.name == publish.PIPELINE_FILE
            is_derived = (
                is_pipeline and (scope.session or reset_at) and publication.is_published_here(str(path), str(folder))
            )
            is_before = is_pipeline and reset_at and _measured(path) < reset_at
            if not (is_derived or is_before) and _is_used(path, refuse, is_ours=path.parent != folder):
                yield path


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:  # it is not there, or its working folder is refused for the same reason
        return []


def _is_used(path: Path, refuse: Callable[[OSError], object], *, is_ours: bool) -> bool:
    """Tell whether a data file is there and may be read; a link to one is its owner's affair, except among ours."""
    try:
        found = os.lstat(path)
        safe_files.check_owner(str(path), found)
        if is_ours or not stat.S_ISLNK(found.st_mode):
            safe_files.check_regular(str(path), found)
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
    """Return when a file was written; None where it is gone: coverage.py deletes what it combines, at any moment."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _read_file(scope: Scope, path: Path, folder: str, fold: Union, problems: list[str]) -> DataFile | None:
    """Read a coverage data file: ours with its fingerprints, any other one as unverified data; None if it is gone."""
    place = scope.place_of(path)
    scope.tick(place.named)
    written, named = _written(path), place.named if place.is_copy else ""
    if written is None:
        return None
    try:
        read, published = read_data_file(place.path, folder, place.origin)
    except UNREADABLE as error:
        if not os.path.exists(place.path):  # deleted meanwhile
            return None
        problems.append(say("data-unreadable", path=place.named, why=one_line(error)))
        return DataFile(place.path, written, named=named)
    if not any(part.files for part in read):
        problems.append(say("data-empty", path=place.named))
    measured = min((part.begun for part in read if part.begun), default=0.0)
    for part in read:
        part.begun, part.ended = min(part.begun or written, written), written
        fold.add(part)
    origins = frozenset(part.label.origin for part in read if part.files)
    is_derived = published and publication.is_published_here(str(place.path), str(place.path.parent))
    return DataFile(place.path, written, published, named, origins, measured, is_derived)
