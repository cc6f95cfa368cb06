"""Announced processes and data files -> what was collected; live processes are asked first, with a time limit."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import ORIGINS, TESTS_FILE, Collected, DataFile, Delivery, Options
from pytest_vmpilot_cov.ports import listening_at
from server_hook import announce, control, epochs, publish, segment
from server_hook.announce import Record
from server_hook.coverage_private import close_data
from server_hook.segment import Label, Part, Source

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


def collect(options: Options, scope: Scope) -> Collected:
    """Ask the live processes, then read every segment and data file that belongs to the scope."""
    places = (*(scope.only or places_of(options)), *scope.more)
    named = [place for place in places if os.path.isfile(place)]
    folders = _distinct(folder_of(place) for place in places if not (scope.only and os.path.isfile(place)))
    found = list(find_processes(folders, options, scope))
    if scope.ask:
        found = ask_all(found, "dump")
    parts: list[Part] = []
    problems: list[str] = []
    resets = {folder: epochs.last_reset(str(folder), scope.until) for folder in folders}
    deliveries = [
        _read_process(each, parts, problems, resets[each.folder.parent.parent], scope.until) for each in found
    ]
    whole = _distinct(folder_of(place) for place in places if place not in named)
    files = _distinct([*named, *_data_files({folder: resets[folder] for folder in whole}, scope)])
    tried = [_read_data_file(path, options.settings.folder, parts, problems) for path in files]
    read = tuple(each for each in tried if each is not None)
    return Collected(tuple(parts), tuple(deliveries), read, tuple(problems), max(resets.values(), default=0.0))


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
    return list(dict.fromkeys(path.resolve() for path in paths))


def folder_of(place: Path) -> Path:
    """Return the data folder of a place: the place itself, or where its data file lies or would lie."""
    if place.name == announce.WORKING_FOLDER:
        return place.parent
    return place if os.path.isdir(place) else place.parent


def find_processes(folders: Iterable[Path], options: Options, scope: Scope) -> Iterator[Delivery]:
    """Walk the announced processes of data folders that belong to the scope; nobody is asked yet."""
    own = options.data_folder.resolve()
    for place in (place for folder in folders for place in announce.process_folders(folder)):
        record = announce.read_record(place)
        if record is None:
            record = announce.Record(id=place.name, pid=0, origin="", ended=1.0)
        is_own = place.parent.parent == own and record.session == scope.session
        if record.origin not in ("pipeline", "") and scope.session and not is_own:
            continue
        life = announce.life_of(record, announce.heartbeat_age_s(place))
        if life == "dead" and record.socket:
            control.remove_dead(record.socket)
        yield Delivery(record, life, place, alive_at=announce.sign_of_life(place))


def ask_all(found: list[Delivery], do: str) -> list[Delivery]:
    """Ask every live process at the same time; who does not answer in time is noted, not waited for."""
    deadline = time.monotonic() + WAIT_S

    def is_asked(delivery: Delivery) -> bool:
        return delivery.life != "dead" and delivery.record.pid != os.getpid()

    def ask(delivery: Delivery) -> Delivery:
        return _ask(replace(delivery, asked=True), do, deadline) if is_asked(delivery) else delivery

    with ThreadPoolExecutor(1 + sum(map(is_asked, found))) as pool:  # nobody waits behind others who are silent
        return list(pool.map(ask, found))


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


def _read_process(
    delivery: Delivery, parts: list[Part], problems: list[str], reset_at: float, until: float
) -> Delivery:
    """Read one process's segments; return its delivery with what was found."""
    whole: list[Part] = []
    for path, read in segment.read_folder(delivery.folder):
        if isinstance(read, segment.TornError):
            problems.append(say("segment-torn", path=path, process=delivery.record.id, why=read))
            continue
        whole.extend(read)
    kept = whole
    if delivery.record.origin == "pipeline":
        kept = list(epochs.counted(whole, delivery.alive_at, reset_at, until))
    parts.extend(kept)
    newest = max([0.0, *(part.ended for part in kept)])
    return replace(delivery, newest=newest, executed=any(part.files for part in kept))


def _data_files(resets: Mapping[Path, float], scope: Scope) -> Iterator[Path]:
    """List the data files of whole folders: publications, and the foreign ones that were kept aside.

    After a reset the segments alone tell what came before it: a publication may hold both.
    """
    names = [publish.PIPELINE_FILE] if scope.session else [publish.PIPELINE_FILE, TESTS_FILE]
    for folder, reset_at in resets.items():
        kept = [path for place in announce.process_folders(folder) for path in sorted(place.glob(".coverage.*"))]
        for path in [*(folder / name for name in names), *(path for path in kept if path.name in names)]:
            is_before = path.name == publish.PIPELINE_FILE and reset_at and _is_before(path, folder, reset_at)
            if os.path.isfile(path) and not is_before:
                yield path


def _is_before(path: Path, folder: Path, reset_at: float) -> bool:
    written = _written(path) or 0.0
    return written < reset_at or publish.is_published_here(str(path), str(folder))


def _written(path: Path) -> float | None:
    """Return when a file was written; None where it is gone: coverage.py deletes what it combines, at any moment."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _read_data_file(path: Path, folder: str, parts: list[Part], problems: list[str]) -> DataFile | None:
    """Read a coverage data file: ours with its fingerprints, any other one as unverified data; None if it is gone.

    A copy is read: the file may be replaced or deleted at any moment, and coverage.py makes one that is not there.
    """
    written = _written(path)
    if written is None:
        return None
    marks: publish.Marks | None = None
    read: list[Part] = []
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-") as aside:
        copy = Path(aside, path.name)
        try:
            shutil.copyfile(path, copy)
            marks = publish.read_fingerprints(copy)
            read = _parts_of(copy, folder, marks) if copy.stat().st_size else []
        except FileNotFoundError:
            return None
        except (CoverageException, OSError) as error:
            why = " ".join(str(error).split()).removeprefix(f"Couldn't use data file '{copy}': ")
            problems.append(say("data-unreadable", path=path, why=why))
            return DataFile(path, written)
    if not any(part.files for part in read):
        problems.append(say("data-empty", path=path))
    for part in read:
        part.begun = part.ended = written
    parts.extend(read)
    return DataFile(path, written, published=marks is not None)


def _parts_of(path: Path, folder: str, marks: publish.Marks | None) -> list[Part]:
    """Turn a data file into parts: one for each origin where it is ours, else one for all that it holds."""
    data = CoverageData(basename=str(path))
    try:
        data.read()
        return _read_parts(path, folder, data, marks)
    finally:
        close_data(data)


def _read_parts(path: Path, folder: str, data: CoverageData, marks: publish.Marks | None) -> list[Part]:
    if marks is None:
        parts = [Part(Label("unit" if path.name == TESTS_FILE else "pipeline"))]
    else:
        parts = [Part(Label(origin)) for origin in ORIGINS if any(origin == context for context, _ in marks)]
    for part in parts:
        if marks is not None:
            data.set_query_context(part.label.origin)
        for file in sorted(data.measured_files()):
            arcs, lines = data.arcs(file), data.lines(file)
            measured = set(arcs) if arcs else segment.bitmap(lines or ())
            if measured:
                mark = (marks or {}).get((part.label.origin, file), "")
                source = Source(os.path.join(folder, file), mark, data.file_tracer(file) or "")
                part.add(source, measured)
    return parts
