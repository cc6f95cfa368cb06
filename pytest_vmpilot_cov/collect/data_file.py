"""A coverage data file -> parts, by the schema that coverage.py documents, in one pass and without unpacking a bitmap.

Opening a thousand files through ``CoverageData`` and asking it for one file after the other takes longer than all the
rest of combining. It is used for files of another schema, and to say what is wrong with files of other programs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from coverage import CoverageData
from coverage.exceptions import CoverageException

from pytest_vmpilot_cov.coverage_private import is_absolute
from pytest_vmpilot_cov.model import ORIGINS, is_tests_file
from server_hook.arcs import NUMBER_IN_SQL, Arcs
from server_hook.coverage_private import close_data
from server_hook.coverage_tables import KNOWN_SCHEMA
from server_hook.store import publication, segment, witnesses
from server_hook.store.database import open_to_read
from server_hook.store.safe_files import check_data_file
from server_hook.store.segment import (
    MOST_LINES,
    MOST_SOURCES,
    Label,
    Measured,
    Part,
    Source,
    intern_label,
    intern_source,
)

UNREADABLE = (
    CoverageException,
    sqlite3.Error,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
    AttributeError,
)
"""What reading raises if a file is damaged or no data file at all."""
MAGIC = b"SQLite format 3\0"
_Row: TypeAlias = tuple[Any, ...]


class _Content(NamedTuple):
    """What a data file holds. The keys are whatever its reader tells contexts and files apart by."""

    marks: publication.Marks | None
    oldest: publication.Moments
    contexts: Mapping[Any, str]
    files: Mapping[Any, str]
    tracers: Mapping[Any, str]
    """Of those files that have one."""
    rows: Iterable[tuple[Any, Any, Measured]]
    """Context, file and what was measured, each pair once."""
    shares: witnesses.Shares = MappingProxyType({})
    """What each test ran for each origin, in a publication of ours of the known schema; else its tests do not count."""

    def shares_of(self, context: int, file: int, measured: Measured) -> Iterable[tuple[Label, Measured]]:
        """Tell for which origins a test ran what was measured of one file."""
        return witnesses.labels_of(self.shares.get(context, ()), self.contexts[context], file, measured)


def is_data_file(path: Path) -> bool:
    """Tell by its content whether a file is a data file of coverage.py, whatever it is called.

    Raises:
        OSError: when it cannot be read.
    """
    if not os.path.isfile(path):
        return False
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
    with (
        contextlib.suppress(sqlite3.Error),
        open_to_read(path, "&immutable=1") as base,
    ):  # immutable: takes no lock and waits for none
        return _version_in(base) is not None
    return False


def read_data_file(path: Path, folder: str, origin: str = "") -> tuple[list[Part], bool]:
    """Read a data file; return its parts, and whether it is a publication of ours, which knows its fingerprints.

    Args:
        path: a data file; it is not changed.
        folder: what relative names of sources are read against.
        origin: whose data it is, if it does not say so itself; empty to tell by its name.

    Raises:
        UNREADABLE: when it is no data file, or gone.
    """
    whose = origin or ("unit" if is_tests_file(path.name) else "pipeline")
    size_bytes = check_data_file(str(path))
    # what SQLite cannot open where it lies (its path may be too long) or is not given in time may be read as a copy
    with contextlib.suppress(sqlite3.OperationalError), open_to_read(path) as base:
        if _version_in(base) == KNOWN_SCHEMA:
            return _parts_of(_by_schema(base, size_bytes), folder, whose)
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-") as aside:
        copy = shutil.copyfile(path, Path(aside, path.name))  # coverage.py would write into an empty one
        with open_to_read(copy) as base:
            if _version_in(base) == KNOWN_SCHEMA:
                return _parts_of(_by_schema(base, size_bytes), folder, whose)
        try:
            return _parts_of(_by_coverage(copy), folder, whose)
        except CoverageException as error:
            # the path of the copy means nothing to the user
            raise CoverageException(str(error).removeprefix(f"Couldn't use data file '{copy}': ")) from error


def _version_in(base: sqlite3.Connection) -> int | None:
    """Return the version of a data file's schema; None where it has none."""
    try:
        ((version,),) = base.execute("SELECT version FROM coverage_schema")
        return int(version)
    except (sqlite3.Error, ValueError, TypeError):
        return None


def _by_schema(base: sqlite3.Connection, size_bytes: int) -> _Content:
    """Read a file that may come from anywhere: its values may not take more room than the file itself."""

    def texts(what: str) -> dict[int, str]:
        return dict(_within(size_bytes, base.execute(f"SELECT {what}"), 1))

    return _Content(
        publication.fingerprints_in(base),
        publication.oldest_in(base),
        texts("id, context FROM context"),
        texts("id, path FROM file"),
        texts("file_id, tracer FROM tracer"),
        _rows_of(base, size_bytes),
        _shares_of(base, size_bytes),
    )


def _shares_of(base: sqlite3.Connection, size_bytes: int) -> witnesses.Shares:
    there = base.execute("SELECT name FROM sqlite_master WHERE name = ?", (witnesses.TABLE,)).fetchone()
    query = f"SELECT context_id, origin, files, COALESCE(others, '') FROM {witnesses.TABLE}"  # noqa: S608 - constant
    return witnesses.read(_within(size_bytes, _within(size_bytes, base.execute(query), 2), 3)) if there else {}


def _within(size_bytes: int, rows: Iterable[_Row], place: int) -> Iterator[_Row]:
    """Pass rows on for as long as the values at one place are, all together, no larger than their file.

    Raises:
        ValueError: when they are.
    """
    for row in rows:
        size_bytes -= len(row[place])
        if size_bytes < 0:
            raise ValueError("its values are larger than the file itself")
        yield row


def _rows_of(base: sqlite3.Connection, size_bytes: int) -> Iterator[tuple[int, int, Measured]]:
    rows = base.execute("SELECT context_id, file_id, numbits FROM line_bits")
    for context, file, numbits in _within(size_bytes, rows, 2):
        if len(numbits) > MOST_LINES // 8 + 1:
            raise ValueError(f"a file in it has more than {MOST_LINES} lines")
        yield context, file, int.from_bytes(numbits, "little")  # a bitmap of lines already: nothing to unpack
    numbers = f"SELECT context_id, file_id, group_concat({NUMBER_IN_SQL}) FROM arc GROUP BY file_id, context_id"  # noqa: S608 - constant
    for context, file, listed in base.execute(numbers):
        arcs = Arcs.from_numbers(json.loads(f"[{listed}]"))
        if not arcs.is_within(MOST_LINES):
            raise ValueError(f"a file in it has more than {MOST_LINES} lines")
        yield context, file, arcs


def _by_coverage(path: Path) -> _Content:
    """Read the same through coverage.py's own reader, whatever schema it knows."""
    data = CoverageData(basename=str(path))
    try:
        data.read()
        contexts, files = sorted(data.measured_contexts()), sorted(data.measured_files())
        rows: list[tuple[str, str, Measured]] = []
        for context in contexts:
            data.set_query_context(context)  # applies to all queries that follow
            for file in files:
                arcs, lines = data.arcs(file), data.lines(file)
                rows.append((context, file, Arcs(arcs) if arcs else segment.bitmap(lines or ())))
        tracers = {file: data.file_tracer(file) or "" for file in files}
        marks, oldest = publication.read_fingerprints(path), publication.read_oldest(path)
        return _Content(marks, oldest, {each: each for each in contexts}, {each: each for each in files}, tracers, rows)
    finally:
        close_data(data)


def _parts_of(content: _Content, folder: str, origin: str) -> tuple[list[Part], bool]:
    """Make parts: those that a publication was made of, and else those of *origin* and of its contexts."""
    marks, is_published = content.marks or {}, content.marks is not None
    published = {context for context, _ in marks}
    origins = [name for name in ORIGINS if name in published] if is_published else [origin]
    parts = {Label(name): Part(Label(name), content.oldest.get(name, 0.0)) for name in origins}
    labels = _labels_in(content, origins)
    for context, file, measured in content.rows:
        if not measured or context not in content.contexts:
            continue
        path, shares = content.files[file], [(labels[context], measured)] if context in labels else ()
        for label, share in shares or content.shares_of(context, file, measured):
            if label.origin in origins:
                source = _source(folder, path, marks.get((label.origin, path), ""), content.tracers.get(file, ""))
                _part_of(label, parts).add(source, share)
    return list(parts.values()), is_published


def _part_of(label: Label, parts: dict[Label, Part]) -> Part:
    if label not in parts:
        parts[label] = Part(label, parts[Label(label.origin)].begun)
    return parts[label]


def _labels_in(content: _Content, origins: Sequence[str]) -> dict[Any, Label]:
    """Tell what each context counts for; a test that may count for several origins isn't there."""
    is_published = content.marks is not None
    labels = {
        key: Label(name if is_published else origins[0]) for key, name in content.contexts.items() if name in ORIGINS
    }
    tests = content.contexts.items() if len(origins) == 1 else ()
    return labels | {key: intern_label(origins[0], name) for key, name in tests if key not in labels}


@lru_cache(MOST_SOURCES)  # the files of a thousand processes have the same sources
def _source(folder: str, path: str, mark: str, tracer: str) -> Source:
    return intern_source(path if is_absolute(path) else os.path.join(folder, path), mark, tracer)
