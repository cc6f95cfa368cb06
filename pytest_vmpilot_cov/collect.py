"""Announced processes and data files -> what was collected; live processes are asked first, with a time limit."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

from pytest_vmpilot_cov.data_file import UNREADABLE, read_data_file
from pytest_vmpilot_cov.fold import Fold
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import TESTS_FILE, Collected, DataFile, Delivery, Options, Place
from pytest_vmpilot_cov.ports import listening_at
from server_hook import announce, control, epochs, publish, safe_files, segment
from server_hook.announce import Record
from server_hook.problems import one_line
from server_hook.segment import Part

WAIT_S = 5.0
"""How long live processes may take, all together, to deliver."""
ENDING_S = 1.0
"""How long a process may take to end when its control channel is closed already."""


@dataclass(frozen=True)
class Scope:
    """What belongs to this collection."""

    session: str = ""
    """Count only this session's unit and E2E data; empty counts all that lies in the data folder."""
    ask: bool = True
    """Whether live processes are asked for a dump."""
    only: tuple[Path, ...] = ()
    """Data files and folders to read, and nothing else; empty means the places of the options."""
    more: tuple[Path, ...] = ()
    """Data files and folders that others contribute, beside those."""
    until: float = epochs.EVER
    """Count what was measured since the last reset before this moment; a reset that came later takes nothing away."""
    told: tuple[Place, ...] = ()
    """What is known of some data files and folders beyond their paths."""
    tick: Callable[[str], object] = field(default=str, compare=False)
    """Is told what is read next."""

    def place_of(self, path: Path) -> Place:
        """Return what is known of a path, or of the folder that it lies in; the rest of the path is kept."""
        parent = next((each for each in (path, *path.parents) if each in self._known), None) if self.told else None
        if parent is None:
            return Place(path, str(path))
        known = self._known[parent]
        return replace(known, path=path, named=str(path).replace(str(parent), known.named, 1))

    @cached_property
    def _known(self) -> dict[Path, Place]:
        return {place.path: place for place in self.told}


def collect(options: Options, scope: Scope) -> Collected:
    """Ask the live processes, then read every segment and data file that belongs to the scope."""
    places = (*(scope.only or places_of(options)), *scope.more)
    named = {place: None for place in places if os.path.isfile(place)}  # in their order
    folders = _distinct(folder_of(place) for place in places if not (scope.only and place in named))
    problems: list[str] = []

    def refuse(error: OSError) -> None:
        label = scope.place_of(Path(error.filename)).named
        problems.append(say("data-refused", path=label, why=error.strerror))

    found = list(find_processes(folders, options, scope, refuse=refuse))
    if scope.ask:
        found = ask_all(found, "dump")
    fold = Fold()
    resets = {folder: epochs.last_reset(str(folder), scope.until, refuse) for folder in folders}

    def read_all(some: Iterable[Delivery]) -> list[Delivery]:
        return [
            _read_process(each, fold, problems, resets[announce.data_folder_of(each.folder)], scope) for each in some
        ]

    deliveries = read_all(found)
    later = find_processes(folders, options, scope, known={each.folder for each in found}, refuse=refuse)
    if folded := read_all(each for each in later if each.record.folded > 1):  # meanwhile, of some that were found
        deliveries = [*filter(_is_there, deliveries), *folded]
    whole = _distinct(folder_of(place) for place in places if place not in named)
    files = _distinct([*named, *_data_files({folder: resets[folder] for folder in whole}, scope, refuse)])
    tried = [_read_file(scope, path, options.settings.folder, fold, problems) for path in files]
    read = tuple(each for each in tried if each is not None)
    said = tuple(dict.fromkeys(problems))
    return Collected(tuple(fold.take()), tuple(deliveries), read, said, max(resets.values(), default=0.0))


def _is_there(delivery: Delivery) -> bool:
    """Tell whether a process still has a folder of its own; a live one makes its own again."""
    return delivery.life != "dead" or os.path.exists(delivery.folder)


def places_of(options: Options) -> tuple[Path, ...]:
    """Return where data may lie: the session's own data folder, and the places of servers."""
    return (options.data_folder, *(place.value for place in options.places))


def ask_servers(options: Options, do: str, places: Sequence[Path] = ()) -> list[Delivery]:
    """Ask every process of the pipeline servers for a dump or a reset; say who answered and what.

    Raises:
        OSError: when a data folder cannot be written, and so not be reset.
    """
    folders = _distinct(folder_of(place) for place in places or places_of(options))
    found = [each for each in find_processes(folders, options, Scope()) if each.record.origin == "pipeline"]
    if do == "reset":
        for folder in folders:
            if any(announce.process_folders(folder)) or (folder / publish.PIPELINE_FILE).exists():
                epochs.note_reset(str(folder), time.time())
    return ask_all([each for each in found if each.life != "dead"], do)


def _distinct(paths: Iterable[Path]) -> list[Path]:
    resolved = cache(Path.resolve)  # of folders, each of which has many

    def real(path: Path) -> Path:
        return path.resolve() if os.path.islink(path) or path.name in ("", "..") else resolved(path.parent) / path.name

    return list(dict.fromkeys(map(real, paths)))


def folder_of(place: Path) -> Path:
    """Return the data folder of a place: the place itself, or where its data file lies or would lie."""
    if place.name == announce.WORKING_FOLDER:
        return place.parent
    return place if os.path.isdir(place) else place.parent


def find_processes(
    folders: Iterable[Path],
    options: Options,
    scope: Scope,
    known: Container[Path] = (),
    refuse: Callable[[OSError], object] = str,
) -> Iterator[Delivery]:
    """Walk the announced processes of data folders that belong to the scope; nobody is asked yet.

    Args:
        folders: the data folders.
        options: whose data folder is the session's own.
        scope: what belongs to this collection.
        known: folders of processes that are passed over.
        refuse: hears of what is not used.
    """
    own, settings = options.data_folder.resolve(), announce.NO_SETTINGS
    places = (place for folder in folders for place in announce.process_folders(folder, refuse))
    for place in (place for place in places if place not in known):
        record = _record_in(place, refuse)
        if record.settings == settings:  # most of a record, and the same in a thousand processes
            record = record._replace(settings=settings)
        settings = record.settings
        is_own = announce.data_folder_of(place) == own and record.session == scope.session
        if record.origin not in ("pipeline", "") and scope.session and not is_own:
            continue
        life = announce.life_of(record, announce.heartbeat_age_s(place))
        if scope.place_of(place).is_copy:  # nobody to be asked stands behind a copy
            life = "dead" if life == "dead" else "remote"
        elif life == "dead" and record.socket:
            control.remove_dead(record.socket)
        yield Delivery(record, life, place, alive_at=announce.sign_of_life(place))


def _record_in(folder: Path, refuse: Callable[[OSError], object]) -> Record:
    """Read the record in a process's folder; without one that can be understood nobody knows whose its segments are."""
    try:
        return announce.load_record(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        refuse(error)
    return Record(id=folder.name, pid=0, origin="", ended=1.0)


def ask_all(found: list[Delivery], do: str) -> list[Delivery]:
    """Ask every live process at the same time; who does not answer in time is noted, not waited for."""
    deadline = time.monotonic() + WAIT_S

    def is_asked(delivery: Delivery) -> bool:
        return delivery.life != "dead" and delivery.record.pid != os.getpid()

    answers = list(found)

    def ask(place: int) -> None:
        answers[place] = replace(found[place], asked=True, problem="it could not be asked")  # unless it can
        answers[place] = _ask(replace(found[place], asked=True), do, deadline)

    asking = [threading.Thread(target=ask, args=(place,)) for place, each in enumerate(found) if is_asked(each)]
    for thread in asking:  # one for each: nobody waits behind others who are silent
        thread.start()
    for thread in asking:
        thread.join()
    return answers


def _ask(delivery: Delivery, do: str, deadline: float) -> Delivery:
    unreachable = _why_unreachable(delivery)
    if unreachable:
        return replace(delivery, problem=unreachable)
    try:
        answer = control.ask(delivery.record.socket, do, deadline)
    except TimeoutError:
        return replace(delivery, problem=f"no answer within {WAIT_S:g} s")
    except OSError as error:
        record = _last_record(delivery, min(deadline, time.monotonic() + ENDING_S))
        if record is not None:  # it ends, as workers do
            return replace(delivery, record=record, life="dead", asked=False)
        return replace(delivery, problem=f"its control channel failed ({error.strerror or error})")
    if answer.get("ok") and answer.get("id") != delivery.record.id:
        return replace(delivery, problem=f"process {answer.get('pid')} answered in its place")
    problem = str(answer.get("error") or answer.get("problem") or "")
    is_shown = do == "status" or answer.get("orphan")  # on a busy machine the kernel's table of sockets is long
    ports = tuple(listening_at(delivery.record.pid)) if is_shown else ()
    return replace(delivery, answered=bool(answer.get("ok")), problem=problem, answer=answer, ports=ports)


def _last_record(delivery: Delivery, until: float) -> Record | None:
    """Return the record of a process that has ended; its channel is gone a moment earlier than it is."""
    while True:
        record = announce.read_record(delivery.folder)
        if record is None:
            return delivery.record
        if announce.life_of(record, 0.0) == "dead":
            return record
        if time.monotonic() > until:
            return None
        time.sleep(0.01)


def _why_unreachable(delivery: Delivery) -> str:
    if delivery.life == "remote":
        return "it runs on another host or in another pid namespace and cannot be asked"
    return "" if delivery.record.socket else delivery.record.problem or "it has no control channel"


def _read_process(delivery: Delivery, fold: Fold, problems: list[str], reset_at: float, scope: Scope) -> Delivery:
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


def _data_files(resets: Mapping[Path, float], scope: Scope, refuse: Callable[[OSError], object]) -> Iterator[Path]:
    """List the data files of whole folders: publications, and the foreign ones that were kept aside.

    After a reset the segments alone tell what came before it: a publication may hold both.
    """
    names = [publish.PIPELINE_FILE] if scope.session else [publish.PIPELINE_FILE, TESTS_FILE]
    for folder, reset_at in resets.items():
        kept = [path for place in announce.process_folders(folder) for path in sorted(place.glob(".coverage.*"))]
        for path in [*(folder / name for name in names), *(path for path in kept if path.name in names)]:
            is_before = path.name == publish.PIPELINE_FILE and reset_at and _is_before(path, folder, reset_at)
            if not is_before and _is_used(path, refuse, is_ours=path.parent != folder):
                yield path


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


def _is_before(path: Path, folder: Path, reset_at: float) -> bool:
    written = _written(path) or 0.0
    return written < reset_at or publish.is_published_here(str(path), str(folder))


def _written(path: Path) -> float | None:
    """Return when a file was written; None where it is gone: coverage.py deletes what it combines, at any moment."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _read_file(scope: Scope, path: Path, folder: str, fold: Fold, problems: list[str]) -> DataFile | None:
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
    for part in read:
        part.begun = part.ended = written
        fold.add(part)
    origins = frozenset(part.label.origin for part in read if part.files)
    return DataFile(place.path, written, published, named, origins)
