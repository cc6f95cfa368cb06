"""A published data file: written aside, with a table of fingerprints, and read back."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from coverage import CoverageData
from coverage.exceptions import CoverageException

from server_hook.arcs import Arcs
from server_hook.clock import is_moment
from server_hook.coverage_private import close_data
from server_hook.coverage_tables import add_contexts, open_to_write, writes_known_schema
from server_hook.store import safe_files, segment, working_folder
from server_hook.store.clean_up import PUBLISHING
from server_hook.store.database import open_to_read
from server_hook.store.segment import ByLabel, Label, Source
from server_hook.store.working_folder import folder_identity
from server_hook.systems.systems import system

TABLE = "vmpilot_cov_source"
"""Our own table in a published file: origin, path, fingerprint, the identity of the working folder that published it,
when the oldest measurement of the origin began, and where servers recorded it. coverage.py reads past it, and drops it
on combine."""

BLOCKS = "vmpilot_cov_block"
"""Our own table with what ``blocks.encode`` has made of the sources that tests ran."""
Marks: TypeAlias = dict[tuple[str, str], str]
"""Fingerprints by context and path."""
Moments: TypeAlias = Mapping[str, float]
"""When the oldest measurement of each origin began, in seconds since the epoch."""
UNKNOWN: Moments = MappingProxyType({})

Untouched: TypeAlias = Mapping[str, str]
"""Source files that never ran: path -> the coverage plugin that reports it, empty for Python."""
NO_FILES: Untouched = MappingProxyType({})
NOTHING: ByLabel = {}


def write_or_remove(  # noqa: PLR0913 - one keyword a table
    target: str,
    united: ByLabel,
    untouched: Untouched = NO_FILES,
    *,
    branch: bool = False,
    oldest: Moments = UNKNOWN,
    blocks: bytes = b"",
    places: Iterable[str] = (),
    outside: ByLabel = NOTHING,
) -> None:
    """Write a data file as ``write_data_file`` does; where there is nothing to write, leave none."""
    if united or untouched:
        write_data_file(
            target, united, untouched, branch=branch, oldest=oldest, blocks=blocks, places=places, outside=outside
        )
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)


def write_data_file(  # noqa: PLR0913 - one keyword a table
    target: str,
    united: ByLabel,
    untouched: Untouched = NO_FILES,
    *,
    branch: bool = False,
    oldest: Moments = UNKNOWN,
    blocks: bytes = b"",
    places: Iterable[str] = (),
    outside: ByLabel = NOTHING,
) -> None:
    """Write a coverage data file aside and rename it into place, without sources whose names are no UTF-8.

    Args:
        target: the data file's path.
        united: what was measured; all arcs or all lines come out, arcs as soon as one file has them.
        untouched: source files that never ran, so that reports count them.
        branch: whether arcs come out in any case: coverage.py combines no file of lines with one of arcs.
        oldest: when the oldest measurement of each origin began; those of others are unknown.
        blocks: what ``blocks.encode`` makes of the sources' blocks.
        places: where it was recorded; empty for its own folder.
        outside: what each origin ran outside its tests.

    Raises:
        OSError: when the folder cannot be written.
    """
    united, outside = in_utf8(united), in_utf8(outside)
    with aside_of(target) as aside:
        told_apart = _write_measured(aside, united, outside, untouched, branch=branch or has_arcs(united))
        with open_to_write(aside) as base:
            columns = "context TEXT, path TEXT, fingerprint TEXT, folder TEXT, places TEXT, begun REAL"
            base.execute(f"CREATE TABLE {TABLE} ({columns})")
            add_fingerprints(base, united, os.path.dirname(target), oldest, places)
            _write_blocks(base, blocks)
            if told_apart and len(origins_of(united)) > 1:  # else the origin is plain, as in every server
                _write_shares(base, told_apart)
        system.replace(aside, target)  # coverage.py combines a file that is being written without regard for locks


@contextlib.contextmanager
def aside_of(target: str) -> Iterator[str]:
    """Make an empty file to be written and renamed into place; it goes where that was not done.

    Raises:
        OSError: when the folder or the file cannot be written.
    """
    folder = working_folder.make_working_folder(os.path.dirname(target))
    aside = os.path.join(folder, f"{PUBLISHING}{os.getpid()}.tmp")
    with contextlib.suppress(FileNotFoundError):  # of an earlier process with this pid
        os.unlink(aside)
    safe_files.create(aside, "")  # SQLite would follow a link
    try:
        yield aside
    except (CoverageException, sqlite3.Error, UnicodeError) as error:
        raise OSError(errno.EIO, str(error), target) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(aside)


def _write_shares(base: sqlite3.Connection, told_apart: ByLabel) -> None:
    from server_hook.store import witnesses  # no server writes any, and each would pay for it

    witnesses.write(base, told_apart)


def in_utf8(united: ByLabel) -> ByLabel:
    """Leave out sources whose names are no UTF-8."""
    if all(is_utf8(each.path) for each in set().union(*united.values())):
        return united
    return {label: {each: files[each] for each in files if is_utf8(each.path)} for label, files in united.items()}


def _write_blocks(base: sqlite3.Connection, blocks: bytes) -> None:
    if blocks:
        base.execute(f"CREATE TABLE {BLOCKS} (blocks BLOB)")
        base.execute(f"INSERT INTO {BLOCKS} VALUES (?)", (blocks,))  # noqa: S608 - constant


def _write_measured(path: str, united: ByLabel, outside: ByLabel, untouched: Untouched, *, branch: bool) -> ByLabel:
    """Write what coverage.py keeps; return the tests of which each has a context with a number that we know."""
    tests = {label: files for label, files in united.items() if label.context}
    if not tests or not writes_known_schema():
        _write_through(path, united, untouched, branch=branch)
        return {}
    files = {source.path: source.tracer for each in united.values() for source in each}
    _write_through(path, {}, {**untouched, **files}, branch=branch)
    plain = origins_of(united)
    if outside and plain.keys() == {Label("unit")}:
        # nothing to tell apart by name: as pytest-cov has it
        contexts = [("", each) for _, each in by_context({Label("unit"): outside.get(Label("unit"), {})})]
        contexts += by_context(tests)
    else:
        contexts = list(by_context({**plain, **tests}))
    add_contexts(path, contexts, segment.to_arcs if branch else numbits)
    return tests


def _write_through(path: str, united: ByLabel, untouched: Untouched, *, branch: bool) -> None:
    data = CoverageData(basename=path)
    fill(data, united, untouched, branch=branch)
    data.write()
    close_data(data)


def origins_of(united: ByLabel) -> ByLabel:
    """Return what the origins reached, without the shares of single tests."""
    return {label: files for label, files in united.items() if not label.context}


def by_context(united: ByLabel) -> Iterator[tuple[str, dict[str, segment.Measured]]]:
    """Yield what was measured by the name of its context and by path: a test has one name over all origins."""
    labels: dict[str, list[Mapping[Source, segment.Measured]]] = {}
    for label, files in united.items():
        labels.setdefault(label.context or label.origin, []).append(files)
    for context, several in labels.items():
        by_path: dict[str, segment.Measured] = {}
        for each in several:
            for source, measured in each.items():
                segment.unite(by_path, source.path, measured)
        yield context, by_path


def numbits(measured: segment.Measured) -> bytes:
    """Turn what was measured into the octets of coverage.py's numbits."""
    lines = segment.to_lines(measured)
    return lines.to_bytes((lines.bit_length() + 7) // 8, "little")


def is_published_here(path: str, data_folder: str) -> bool:
    """Tell whether a data file was published out of the segments beside it, so that nothing is lost with it."""
    # not folder_identity: that would give the folder one
    own = os.path.join(data_folder, working_folder.WORKING_FOLDER, working_folder.IDENTITY)
    if not os.path.lexists(own):
        return False
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(Path(path)) as base:
        return base.execute(f"SELECT DISTINCT folder FROM {TABLE}").fetchall() == [(folder_identity(data_folder),)]  # noqa: S608 - constant
    return False


def read_fingerprints(path: Path) -> Marks | None:
    """Read our own table of a published file: (context, path) -> fingerprint; None when it has none."""
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(path) as base:
        return fingerprints_in(base)
    return None


def holds_arcs(path: str) -> bool:
    """Tell whether a data file holds arcs; one that cannot be read holds none."""
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(Path(path)) as base:
        return bool(base.execute("SELECT value FROM meta WHERE key = 'has_arcs'").fetchone() == ("1",))
    return False


def blocks_in(path: Path) -> bytes:
    """Read what ``blocks.encode`` has made of a data file's sources; empty where it has nothing of it."""
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(path) as base:
        octets = (base.execute(f"SELECT blocks FROM {BLOCKS}").fetchone() or (b"",))[0]  # noqa: S608 - constant
        return octets if isinstance(octets, bytes) else b""
    return b""


def fingerprints_in(base: sqlite3.Connection) -> Marks | None:
    """Read the same of an open file."""
    try:
        rows = base.execute(f"SELECT context, path, fingerprint FROM {TABLE}")  # noqa: S608 - constant
        return {(context, path): mark for context, path, mark in rows}
    except sqlite3.Error:
        return None


def is_utf8(path: str) -> bool:
    """Tell whether a path is UTF-8, as all text in a data file is; file systems have other names, too."""
    return path.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path)  # surrogateescape


def oldest_in(base: sqlite3.Connection) -> Moments:
    """Read when the oldest measurement of each origin in an open file began; empty where it does not say so."""
    try:
        rows = base.execute(f"SELECT context, MIN(begun) FROM {TABLE} WHERE typeof(begun) = 'real' GROUP BY context")  # noqa: S608 - constant
        return {context: moment for context, moment in rows if is_moment(moment)}
    except sqlite3.Error:  # it is of coverage.py, or of an earlier version of ours
        return {}


def read_oldest(path: Path) -> Moments:
    """Read the same of a file."""
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(path) as base:
        return oldest_in(base)
    return {}


def read_places(path: Path) -> frozenset[str]:
    """Read where servers recorded what a file holds; empty where it does not say so."""
    with contextlib.suppress(sqlite3.Error, OSError), open_to_read(path) as base:
        rows = base.execute(f"SELECT DISTINCT places FROM {TABLE} WHERE typeof(places) = 'text'")  # noqa: S608 - constant
        return frozenset(place for (places,) in rows for place in places.split("\n") if place)
    return frozenset()


def fill(data: CoverageData, united: ByLabel, untouched: Untouched = NO_FILES, *, branch: bool = False) -> None:
    """Put what was measured into a CoverageData, each context under its name; as arcs where *branch* asks for it."""
    branch = branch or has_arcs(united)
    tracers = {source.path: source.tracer for files in united.values() for source in files if source.tracer}
    for context, by_path in by_context(united):
        data.set_context(context)
        if branch:
            data.add_arcs({path: segment.to_arcs(each) for path, each in by_path.items()})
        else:
            data.add_lines({path: segment.line_numbers(segment.to_lines(each)) for path, each in by_path.items()})
        data.add_file_tracers({path: tracers[path] for path in tracers.keys() & by_path})
    data.set_context("")
    (data.add_arcs if branch else data.add_lines)({})  # coverage.py touches no file before it knows lines or arcs
    for plugin in set(untouched.values()):
        data.touch_files([path for path, its in untouched.items() if its == plugin], plugin)


def has_arcs(united: ByLabel) -> bool:
    """Tell whether any file was measured with branches: then a data file holds arcs of all of them."""
    return any(isinstance(measured, Arcs) for files in united.values() for measured in files.values())


def add_fingerprints(
    base: sqlite3.Connection, united: ByLabel, folder: str, oldest: Moments, places: Iterable[str] = ()
) -> None:
    """Write down of each source what it was when each origin ran it, where, and since when the origin was measured."""
    whence = folder_identity(folder), "\n".join(sorted(each for each in places or [folder] if is_utf8(each)))
    rows = [
        (label.origin, each.path, each.fingerprint, *whence, oldest.get(label.origin))
        for label, files in origins_of(united).items()
        for each in files
    ]
    base.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?)", rows)  # noqa: S608 - constant
