"""A coverage data file -> parts, by the schema that coverage.py documents, in one pass and without unpacking a bitmap.

Opening a thousand files through ``CoverageData`` and asking it for one file after the other takes longer than all the
rest of combining. It reads what has another schema, and says what is wrong with what is none of coverage.py's.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import CoverageException

from pytest_vmpilot_cov.model import ORIGINS, TESTS_FILE
from server_hook import publish, segment
from server_hook.coverage_private import KNOWN_SCHEMA, close_data
from server_hook.segment import Label, Measured, Part

UNREADABLE = (CoverageException, sqlite3.Error, OSError, LookupError, TypeError, ValueError)
"""What reading a file raises that is no data file, or a damaged one."""
MAGIC = b"SQLite format 3\0"


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
    return _version(path) is not None


def read_data_file(path: Path, folder: str, origin: str = "") -> tuple[list[Part], bool]:
    """Read a data file; return its parts, and whether it is a publication of ours, which knows its fingerprints.

    Args:
        path: a file that nobody writes meanwhile.
        folder: what relative names of sources are read against.
        origin: whose data it is, if it does not say so itself; empty to tell by its name.

    Raises:
        UNREADABLE: when it is no data file.
    """
    marks = publish.read_fingerprints(path)
    if marks is None:
        parts = {"": Part(Label(origin or ("unit" if path.name == TESTS_FILE else "pipeline")))}
    else:
        parts = {name: Part(Label(name)) for name in ORIGINS if any(name == context for context, _ in marks)}
    read = _by_schema if path.stat().st_size and _version(path) == KNOWN_SCHEMA else _by_coverage
    for context, file, tracer, measured in read(path):
        part = parts.get("" if marks is None else context)
        if part is not None and measured:
            name = file if file.startswith("/") else os.path.join(folder, file)
            mark = marks.get((context, file), "") if marks else ""
            source = segment.intern_source(name, mark, tracer)
            known = part.files.get(source)
            part.files[source] = measured if known is None else segment.join(known, measured)  # no copy is needed
    return list(parts.values()), marks is not None


def _version(path: Path) -> int | None:
    """Return the version of a data file's schema; None where it has none."""
    try:
        with contextlib.closing(_opened(path)) as base:
            ((version,),) = base.execute("SELECT version FROM coverage_schema")
            return int(version)
    except (sqlite3.Error, ValueError, TypeError):
        return None


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _by_schema(path: Path) -> Iterator[tuple[str, str, str, Measured]]:
    """Yield context, file, its tracer and what was measured."""
    with contextlib.closing(_opened(path)) as base:
        contexts = dict(base.execute("SELECT id, context FROM context"))
        tracers = dict(base.execute("SELECT file_id, tracer FROM tracer"))
        files = {number: (name, tracers.get(number, "")) for number, name in base.execute("SELECT id, path FROM file")}
        for file, context, numbits in base.execute("SELECT file_id, context_id, numbits FROM line_bits"):
            yield contexts[context], *files[file], int.from_bytes(numbits, "little")
        for file, context in base.execute("SELECT DISTINCT file_id, context_id FROM arc").fetchall():
            arcs = base.execute("SELECT fromno, tono FROM arc WHERE file_id = ? AND context_id = ?", (file, context))
            yield contexts[context], *files[file], set(arcs)


def _by_coverage(path: Path) -> Iterator[tuple[str, str, str, Measured]]:
    """Yield the same through coverage.py's own reader, whatever schema it knows."""
    data = CoverageData(basename=str(path))
    try:
        data.read()
        for context in sorted(data.measured_contexts()):
            data.set_query_context(context)
            for file in sorted(data.measured_files()):
                arcs, lines = data.arcs(file), data.lines(file)
                measured = set(arcs) if arcs else segment.bitmap(lines or ())
                yield context, file, data.file_tracer(file) or "", measured
    finally:
        close_data(data)
