"""Publish: make the data files that others read out of the segments; made anew at any time, never the only copy."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from coverage import CoverageData
from coverage.exceptions import CoverageException

from server_hook import announce, clock, epochs, folding, safe_files, segment
from server_hook.arcs import Arcs
from server_hook.coverage_private import add_contexts, close_data, open_to_write
from server_hook.database import open_to_read
from server_hook.safe_files import RefusedError
from server_hook.segment import Label, Part, Source
from server_hook.startup import ORIGINS

PIPELINE_FILE = ".coverage.pipeline"
TABLE = "vmpilot_cov_source"
"""Our own table in a published file: origin, path, fingerprint, and the identity of the working folder that published
it. coverage.py reads past it, and drops it on combine."""

_IDENTITY = re.compile("[0-9a-f]{16}")
LOCK_WAIT_S = 10.0
ENDING_WAIT_S = 0.5
"""How long a process that ends waits for others that publish; they see its last segment before they are done."""

ByContext: TypeAlias = dict[str, dict[Source, segment.Measured]]
"""What was measured, by context (the origins are contexts, too) and source."""


Marks: TypeAlias = dict[tuple[str, str], str]
"""Fingerprints by context and path."""


def publish_pipeline(data_folder: str, relative_to: str = "") -> str:
    """Publish ``.coverage.pipeline`` as the union of all pipeline processes recorded beside it; return its path.

    Args:
        data_folder: where the segments lie, and the file goes.
        relative_to: the folder that sources are named relative to, for ``[run] relative_files``; empty for absolute.
    """
    target = os.path.join(data_folder, PIPELINE_FILE)
    if not any(announce.process_folders(Path(data_folder))):
        return target
    segments = Path(data_folder, announce.WORKING_FOLDER)
    until = clock.steady() + ENDING_WAIT_S
    with lock(data_folder, ENDING_WAIT_S) as held:
        if held:
            with contextlib.suppress(OSError):
                folding.fold(Path(data_folder))
        seen: set[Path] = set()
        while held and (found := set(segments.glob("*/*" + announce.SUFFIX))) > seen:
            if seen and clock.steady() > until:
                break  # others end all the time; this process must end, too
            seen = found  # who could not wait for the lock meanwhile has left its last segment here
            keep_foreign(target, data_folder)
            write_or_remove(target, relative(newest(read_parts(Path(data_folder))), relative_to))
    return target


def read_parts(data_folder: Path) -> Iterator[Part]:
    """Read what the pipeline processes of a data folder measured since the last reset.

    Torn segments are for ``collect`` to name.
    """
    reset_at = epochs.last_reset(str(data_folder))
    for folder in announce.process_folders(data_folder):
        whole = [parts for _, parts in segment.read_folder(folder) if not isinstance(parts, segment.TornError)]
        ours = [part for parts in whole for part in parts if part.label.origin == "pipeline"]
        yield from epochs.counted(ours, announce.sign_of_life(folder), reset_at)


def newest(parts: Iterable[Part]) -> ByContext:
    """Unite parts; where a file was measured in two states, keep the one measured last."""
    latest: dict[str, tuple[float, str]] = {}
    united: ByContext = {}
    for part in parts:
        for source, measured in part.files.items():
            latest[source.path] = max(latest.get(source.path, (0.0, "")), (part.begun, source.fingerprint))
            for context in contexts_of(part.label):
                segment.unite(united.setdefault(context, {}), source, measured)
    states = {
        context: {source: each for source, each in files.items() if source.fingerprint == latest[source.path][1]}
        for context, files in united.items()
    }
    return {context: files for context, files in states.items() if files}


def relative(united: ByContext, folder: str) -> ByContext:
    """Name sources relative to a folder, as coverage.py's ``relative_files`` does; without a folder, as they are."""
    if not folder:
        return united
    return {
        context: {source._replace(path=os.path.relpath(source.path, folder)): each for source, each in files.items()}
        for context, files in united.items()
    }


def contexts_of(label: Label) -> Iterable[str]:
    """Name the coverage contexts that a label's lines appear under: its origin, and its own context if it has one."""
    return dict.fromkeys((label.origin, label.context or label.origin))


def write_or_remove(target: str, united: ByContext, untouched: Iterable[str] = ()) -> None:
    """Write a data file as ``write_data_file`` does; where there is nothing to write, leave none."""
    if united or untouched:
        write_data_file(target, united, untouched)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)


def write_data_file(target: str, united: ByContext, untouched: Iterable[str] = ()) -> None:
    """Write a coverage data file aside and rename it into place, without sources whose names are no UTF-8.

    Args:
        target: the data file's path.
        united: what was measured; all arcs or all lines come out, arcs as soon as one file has them.
        untouched: paths of source files that never ran, so that reports count them.

    Raises:
        OSError: when the folder cannot be written.
    """
    working = announce.make_working_folder(os.path.dirname(target))
    aside = os.path.join(working, f"{announce.PUBLICATION}{os.getpid()}.tmp")
    united = {context: {each: files[each] for each in files if is_utf8(each.path)} for context, files in united.items()}
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)
        safe_files.create(aside, "")
        origins, tests = origins_of(united), {name: files for name, files in united.items() if name not in ORIGINS}
        _write_through(aside, origins, untouched)
        if tests and not add_contexts(aside, _in_rows(tests, branch=has_arcs(united))):
            _write_through(aside, united)
        _write_fingerprints(aside, united, folder_identity(os.path.dirname(target)))
        os.replace(aside, target)
    except (CoverageException, sqlite3.Error, UnicodeError) as error:
        raise OSError(errno.EIO, str(error), target) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(aside)


def _write_through(path: str, united: ByContext, untouched: Iterable[str] = ()) -> None:
    data = CoverageData(basename=path)
    fill(data, united, untouched)
    data.write()
    close_data(data)


def origins_of(united: ByContext) -> ByContext:
    """Return the contexts that are origins; they hold all that the contexts of single tests hold."""
    return {name: files for name, files in united.items() if name in ORIGINS}


def _in_rows(united: ByContext, *, branch: bool) -> Iterator[tuple[str, Iterator[tuple[str, bytes | Arcs]]]]:
    """Yield what was measured by context and path, as a data file keeps it."""
    kept = segment.to_arcs if branch else _numbits
    for context, files in united.items():
        yield context, ((path, kept(measured)) for path, measured in _by_path(files).items())


def _numbits(measured: segment.Measured) -> bytes:
    lines = segment.to_lines(measured)
    return lines.to_bytes((lines.bit_length() + 7) // 8, "little")


def folder_identity(data_folder: str) -> str:
    """Return the name that the working folder of *data_folder* gave itself, made once."""
    path = os.path.join(announce.make_working_folder(data_folder), announce.IDENTITY)
    safe_files.create(path, os.urandom(8).hex())
    identity = safe_files.read(path, 16).decode("ascii", "replace")
    if not _IDENTITY.fullmatch(identity):
        raise RefusedError(path, "it does not hold what vmpilot-cov has written; delete it")
    return identity


def is_published_here(path: str, data_folder: str) -> bool:
    """Tell whether a data file was published out of the segments beside it, so that nothing is lost with it."""
    own = os.path.join(data_folder, announce.WORKING_FOLDER, announce.IDENTITY)
    if not os.path.exists(own):
        return False
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(Path(path)) as base:
        return base.execute(f"SELECT DISTINCT folder FROM {TABLE}").fetchall() == [(folder_identity(data_folder),)]  # noqa: S608 - constant
    return False


def read_fingerprints(path: Path) -> Marks | None:
    """Read our own table of a published file: (context, path) -> fingerprint; None when it has none."""
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(path) as base:
        return fingerprints_in(base)
    return None


def fingerprints_in(base: sqlite3.Connection) -> Marks | None:
    """Read the same of an open file."""
    try:
        rows = base.execute(f"SELECT context, path, fingerprint FROM {TABLE}")  # noqa: S608 - constant
        return {(context, path): mark for context, path, mark in rows}
    except sqlite3.Error:
        return None


def keep_foreign(target: str, data_folder: str) -> None:
    """Take a data file that was not published here (but copied, or made by coverage.py) among the segments.

    It is about to be published over, and may be the only copy.
    """
    folder_identity(data_folder)  # first of all: without it nothing is known to be ours
    if not os.path.lexists(target) or is_published_here(target, data_folder):
        return
    kept = ""
    try:
        kept = announce.make_folder(data_folder, f"kept-{int(os.lstat(target).st_mtime_ns):x}")
        os.replace(target, os.path.join(kept, os.path.basename(target)))
    except FileNotFoundError:  # coverage.py deletes what it combines, at any moment
        with contextlib.suppress(OSError):
            os.rmdir(kept)


@contextlib.contextmanager
def lock(data_folder: str, wait_s: float = LOCK_WAIT_S) -> Iterator[bool]:
    """Hold the data folder's lock while publishing; say whether it is held. Renames are atomic even without it."""
    working = announce.make_working_folder(data_folder)
    with safe_files.open_lock(os.path.join(working, announce.LOCK)) as file:
        until, held = clock.steady() + wait_s, False
        while not held and clock.steady() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # a file system without locks
                held = True
        yield held


def is_utf8(path: str) -> bool:
    """Tell whether a path is text in UTF-8, as all of a data file is; file systems have other names, too."""
    return path.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path)


def fill(data: CoverageData, united: ByContext, untouched: Iterable[str] = ()) -> None:
    """Put what was measured into a CoverageData, each context under its name."""
    branch = has_arcs(united)
    tracers = {source.path: source.tracer for files in united.values() for source in files if source.tracer}
    for context, files in united.items():
        by_path = _by_path(files)
        data.set_context(context)
        if branch:
            data.add_arcs({path: segment.to_arcs(each) for path, each in by_path.items()})
        else:
            data.add_lines({path: segment.line_numbers(segment.to_lines(each)) for path, each in by_path.items()})
        data.add_file_tracers({path: tracers[path] for path in tracers.keys() & by_path})
    data.set_context("")
    if united:
        data.touch_files(list(untouched))
    else:  # coverage.py touches no file before it knows whether lines or arcs are kept
        data.add_lines(dict.fromkeys(untouched, ()))


def has_arcs(united: ByContext) -> bool:
    """Tell whether any file was measured with branches: then a data file holds arcs of all of them."""
    return any(isinstance(measured, Arcs) for files in united.values() for measured in files.values())


def _by_path(files: Mapping[Source, segment.Measured]) -> dict[str, segment.Measured]:
    united: dict[str, segment.Measured] = {}
    for source, measured in files.items():
        segment.unite(united, source.path, measured)
    return united


def _write_fingerprints(path: str, united: ByContext, folder: str) -> None:
    by_origin = origins_of(united).items()
    rows = [(context, each.path, each.fingerprint, folder) for context, files in by_origin for each in files]
    with open_to_write(path) as base:
        base.execute(f"CREATE TABLE {TABLE} (context TEXT, path TEXT, fingerprint TEXT, folder TEXT)")
        base.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?)", rows)  # noqa: S608 - constant
