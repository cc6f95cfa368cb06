"""The same of the tables in coverage.py's data files: what is written to them directly."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import TypeAlias

from coverage.sqldata import SCHEMA_VERSION

from server_hook.arcs import Arcs

KNOWN_SCHEMA = 7
"""The schema of coverage.py's data files that is read and written directly (its documentation: "Coverage.py database
schema"); files of another one are written through its own calls."""

Measured: TypeAlias = int | Arcs
Encode: TypeAlias = Callable[[Measured], bytes | Arcs]


@contextlib.contextmanager
def open_to_write(path: str) -> Iterator[sqlite3.Connection]:
    """Open a data file that has no readers yet, and commit at the end; like coverage.py, without waiting for disks."""
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("PRAGMA journal_mode = OFF")
        base.execute("PRAGMA synchronous = OFF")
        base.execute("PRAGMA cache_size = -256")  # KiB; a file that is written from end to end needs no more
        yield base


def add_measured(
    base: sqlite3.Connection, contexts: Iterable[tuple[str, Mapping[str, Measured]]], encode: Encode
) -> None:
    """Add what was measured to an open data file of the schema that is known here, beside what it holds already.

    Args:
        base: the file.
        contexts: context, and for each of its files the path and what was measured.
        encode: as for ``add_contexts``; of the kind that the file holds.
    """
    ids = dict(base.execute("SELECT path, id FROM file"))
    new: list[tuple[int, int, bytes | Arcs]] = []
    old: set[int] = set()
    for context, files in contexts:
        is_new = base.execute("INSERT OR IGNORE INTO context (context) VALUES (?)", (context,)).rowcount == 1
        ((number,),) = base.execute("SELECT id FROM context WHERE context = ?", (context,))
        old.update(() if is_new else (number,))
        for path, measured in files.items():
            if path not in ids:
                ids[path] = base.execute("INSERT INTO file (path) VALUES (?)", (path,)).lastrowid
            new.append((ids[path], number, encode(measured)))
    new.sort(key=itemgetter(0, 1))  # in the order of the indices: else each row reads, and writes, another page of them
    arcs = ((*row, *arc) for *row, encoded in new if not isinstance(encoded, bytes) for arc in encoded)
    base.executemany("INSERT OR IGNORE INTO arc VALUES (?, ?, ?, ?)", arcs)
    rows: list[tuple[int, int, bytes]] = []
    for place, number, lines in new:
        if isinstance(lines, bytes):
            where = "FROM line_bits WHERE file_id = ? AND context_id = ?"
            held = base.execute(f"SELECT numbits {where}", (place, number)).fetchone() if number in old else None
            whole = _union(held[0], lines) if held else lines
            if not held or whole != held[0]:
                rows.append((place, number, whole))
    base.executemany("INSERT OR REPLACE INTO line_bits VALUES (?, ?, ?)", rows)


def _union(one: bytes, other: bytes) -> bytes:
    """Unite two numbits; coverage.py's own function does it octet by octet."""
    lines = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return lines.to_bytes(max(len(one), len(other)), "little")


def writes_known_schema() -> bool:
    """Tell whether this coverage.py writes the schema that is known here."""
    return SCHEMA_VERSION == KNOWN_SCHEMA


def add_contexts(path: str, contexts: Iterable[tuple[str, Mapping[str, Measured]]], encode: Encode) -> None:
    """Add what was measured in many contexts to a data file in one go.

    ``CoverageData`` needs a round trip for each context: with thousands, most of a session's end.

    Args:
        path: a data file of the schema that is known here; it knows all the files already, and holds nothing of them.
        contexts: context, and for each of its files the path and what was measured.
        encode: makes of this lines (as numbits) or arcs.
    """
    with open_to_write(path) as base:
        ids = dict(base.execute("SELECT path, id FROM file"))
        rows: dict[int, list[tuple[int, Measured]]] = {}
        for context, files in contexts:
            number = base.execute("INSERT INTO context (context) VALUES (?)", (context,)).lastrowid or 0
            for file, measured in files.items():
                rows.setdefault(ids[file], []).append((number, measured))
        # in the order of the tables' indices, which are smaller if they grow at their end alone
        for place in sorted(rows):
            for number, each in rows[place]:
                encoded = encode(each)
                if isinstance(encoded, bytes):
                    base.execute("INSERT INTO line_bits VALUES (?, ?, ?)", (place, number, encoded))
                else:
                    base.executemany("INSERT INTO arc VALUES (?, ?, ?, ?)", ((place, number, *arc) for arc in encoded))
        base.execute("PRAGMA temp_store = MEMORY")  # sorting needs no folder that may be written
        base.execute("REINDEX line_bits")  # a tenth smaller; what is added to the file next takes the room
