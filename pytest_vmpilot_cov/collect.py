"""Announced processes and data files -> what was collected; live processes are asked first, with a time limit."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import ORIGINS, TESTS_FILE, Collected, DataFile, Delivery, Options
from server_hook import announce, control, publish, segment
from server_hook.coverage_private import close_data
from server_hook.segment import Label, Part, Source

WAIT_S = 5.0
"""How long live processes may take, all together, to deliver."""


@dataclass(frozen=True)
class Scope:
    """What belongs to this collection."""

    session: str = ""
    """Count only this session's unit and E2E data; empty counts all that lies in the data folder."""
    ask: bool = True
    """Whether live processes are asked for a dump."""
    only: tuple[Path, ...] = ()
    """Data files and folders to read, and nothing else; empty means the places of the options."""


def collect(options: Options, scope: Scope) -> Collected:
    """Ask the live processes, then read every segment and data file that belongs to the scope."""
    places = scope.only or (options.data_folder, *(place.value for place in options.places))
    named = [place for place in places if os.path.isfile(place)]
    folders = [folder_of(place) for place in places if not (scope.only and os.path.isfile(place))]
    found = [each for folder in _distinct(folders) for each in _announced(folder, options, scope)]
    if scope.ask:
        found = _ask_all(found)
    parts: list[Part] = []
    problems: list[str] = []
    deliveries = [_read_process(delivery, parts, problems) for delivery in found]
    whole = [folder_of(place) for place in places if place not in named]
    files = _distinct([*named, *_data_files(whole, scope)])
    read = [_read_data_file(path, options.settings.folder, parts, problems) for path in files]
    return Collected(tuple(parts), tuple(deliveries), tuple(read), tuple(problems))


def _distinct(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(path.resolve() for path in paths))


def folder_of(place: Path) -> Path:
    """Return the data folder of a place: the place itself, or where its data file lies or would lie."""
    if place.name == announce.WORKING_FOLDER:
        return place.parent
    return place if os.path.isdir(place) else place.parent


def _announced(folder: Path, options: Options, scope: Scope) -> Iterator[Delivery]:
    """Walk the announced processes of one data folder that belong to the scope."""
    own = folder == options.data_folder.resolve()
    for place in announce.process_folders(folder):
        record = announce.read_record(place)
        if record is None:
            record = announce.Record(id=place.name, pid=0, origin="", ended=1.0)
        elif record.origin != "pipeline" and scope.session and not (own and record.session == scope.session):
            continue
        yield Delivery(record, announce.life_of(record, announce.heartbeat_age_s(place)), place)


def _ask_all(found: list[Delivery]) -> list[Delivery]:
    """Ask every live process for a dump at the same time; who does not answer in time is noted, not waited for."""
    deadline = time.monotonic() + WAIT_S

    def ask(delivery: Delivery) -> Delivery:
        is_other = delivery.life != "dead" and delivery.record.pid != os.getpid()
        return _ask(replace(delivery, asked=True), deadline) if is_other else delivery

    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(ask, found))


def _ask(delivery: Delivery, deadline: float) -> Delivery:
    if delivery.life == "remote":
        return replace(delivery, problem="it runs on another host or in another pid namespace and cannot be asked")
    if not delivery.record.socket:
        return replace(delivery, problem=delivery.record.problem or "it has no control channel")
    try:
        answer = control.ask(delivery.record.socket, "dump", deadline)
    except TimeoutError:
        return replace(delivery, problem=f"no answer within {WAIT_S:g} s")
    except OSError as error:
        return replace(delivery, problem=f"its control channel failed ({error.strerror or error})")
    problem = str(answer.get("error") or answer.get("problem") or "")
    return replace(delivery, answered=bool(answer.get("ok")), problem=problem)


def _read_process(delivery: Delivery, parts: list[Part], problems: list[str]) -> Delivery:
    """Read one process's segments; return its delivery with what was found."""
    newest, executed = 0.0, False
    for path, read in segment.read_folder(delivery.folder):
        if isinstance(read, segment.TornError):
            problems.append(say("segment-torn", path=path, process=delivery.record.id, why=read))
            continue
        parts.extend(read)
        newest = max([newest, *(part.ended for part in read)])
        executed = executed or any(part.files for part in read)
    return replace(delivery, newest=newest, executed=executed)


def _data_files(folders: Iterable[Path], scope: Scope) -> Iterator[Path]:
    """List the data files of whole folders: publications, and the foreign ones that were kept aside."""
    names = [publish.PIPELINE_FILE] if scope.session else [publish.PIPELINE_FILE, TESTS_FILE]
    for folder in _distinct(folders):
        yield from (folder / name for name in names if os.path.isfile(folder / name))
        for kept in announce.process_folders(folder):
            yield from (path for path in sorted(kept.glob(".coverage.*")) if path.name in names)


def _read_data_file(path: Path, folder: str, parts: list[Part], problems: list[str]) -> DataFile:
    """Read a coverage data file: ours with its fingerprints, any other one as unverified data."""
    written = path.stat().st_mtime
    marks = publish.read_fingerprints(path)
    try:
        read = _parts_of(path, folder, marks) if path.stat().st_size else []
    except (CoverageException, OSError) as error:
        why = " ".join(str(error).split()).removeprefix(f"Couldn't use data file '{path}': ")
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
