"""Whose work a test's lines are, in a published file: coverage.py keeps one set of lines under a test's name.

Our own table has a row for each test and origin: the files in which the test ran something for the origin, and of files
in which it did so for several origins the lines of each. Files are told by their numbers in coverage.py's tables.
"""

# No annotations from __future__ here: NamedTuple would compile each of its fields' at the start of every process.
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from server_hook.environment import ORIGINS
from server_hook.store import segment
from server_hook.store.segment import ByLabel, Label, Measured

TABLE = "vmpilot_cov_test"


class Share(NamedTuple):
    """What one test ran for one origin."""

    origin: str
    files: int
    """A bitmap of the numbers of the files that it ran for this origin alone."""
    shared: Mapping[int, Measured]
    """What it ran for this origin in files that it ran for others, too."""


Shares: TypeAlias = Mapping[int, list[Share]]
"""By the number of the test's context."""


def write(base: sqlite3.Connection, tests: ByLabel) -> None:
    """Add the table to a data file that has the contexts of these tests."""
    base.execute(f"CREATE TABLE {TABLE} (context_id INTEGER, origin TEXT, files BLOB, shared TEXT)")
    contexts, files = (dict(base.execute(f"SELECT {name}, id FROM {table}")) for name, table in _NUMBERED)  # noqa: S608
    base.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?)", _rows(tests, contexts, files))  # noqa: S608 - constant


_NUMBERED = (("context", "context"), ("path", "file"))


def _rows(
    tests: ByLabel, contexts: Mapping[str, int], numbers: Mapping[str, int]
) -> Iterator[tuple[int, str, bytes, str | None]]:
    by_test: dict[str, dict[str, dict[int, Measured]]] = {}
    for label, files in tests.items():
        by_number = by_test.setdefault(label.context, {}).setdefault(label.origin, {})
        for source, measured in files.items():
            segment.unite(by_number, numbers[source.path], measured)
    for context, by_origin in by_test.items():
        for origin, by_number in by_origin.items():
            others = [each for name, each in by_origin.items() if name != origin]
            shared = [number for number in by_number if any(number in each for each in others)]
            alone = segment.bitmap(by_number.keys() - set(shared))
            encoded = [[number, segment.encode_measured(by_number[number])] for number in shared]
            octets = alone.to_bytes((alone.bit_length() + 7) // 8, "little")
            yield contexts[context], origin, octets, json.dumps(encoded, separators=(",", ":")) if encoded else None


def read(rows: Iterable[tuple[int, str, bytes, str]]) -> Shares:
    """Take the rows of the table.

    Raises:
        ValueError: when they are not as ``write`` makes them.
    """
    shares: dict[int, list[Share]] = {}
    for context, origin, files, shared in rows:
        if origin not in ORIGINS:
            raise ValueError(f"no origin: {origin!r}")
        by_number = {number: segment.decode_measured(text) for number, text in json.loads(shared or "[]")}
        shares.setdefault(context, []).append(Share(origin, int.from_bytes(files, "little"), by_number))
    return shares


def labels_of(shares: Iterable[Share], context: str, file: int, measured: Measured) -> Iterator[tuple[Label, Measured]]:
    """Yield for which origins a test ran what coverage.py's table has of it in one file."""
    for each in shares:
        if file in each.shared:
            yield segment.intern_label(each.origin, context), each.shared[file]
        elif each.files >> file & 1:
            yield segment.intern_label(each.origin, context), measured
