"""Whose work a test's lines are, in a published file: coverage.py keeps one set of lines under a test's name.

Our own table has a row for each test and origin: in which files the test ran for the origin what coverage.py's table
has, and what it ran in others, where that has more. Files are told by their numbers in coverage.py's tables.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from server_hook.environment import ORIGINS
from server_hook.rows import Row
from server_hook.store import segment
from server_hook.store.segment import ByLabel, Label, Measured

TABLE = "vmpilot_cov_test"


class Share(Row):
    """What one test ran for one origin."""

    origin: str
    files: int
    """A bitmap of the numbers of the files of which coverage.py's table has just what the test ran for this origin."""
    others: Mapping[int, Measured]
    """What it ran for this origin in files of which the table has more, because it ran more for another one."""


Shares: TypeAlias = Mapping[int, list[Share]]
"""By the number of the test's context."""


def write(base: sqlite3.Connection, tests: ByLabel) -> None:
    """Add the table to a data file that has the contexts of these tests."""
    base.execute(f"CREATE TABLE {TABLE} (context_id INTEGER, origin TEXT, files BLOB, others TEXT)")
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
        whole: dict[int, Measured] = {}
        for number, measured in (each for by_number in by_origin.values() for each in by_number.items()):
            segment.unite(whole, number, measured)
        for origin, by_number in by_origin.items():
            # mostly empty: few files run for two origins in one test
            others = {number: each for number, each in by_number.items() if each != whole[number]}
            same = segment.bitmap(by_number.keys() - others.keys())
            encoded = [[number, segment.encode_measured(each)] for number, each in others.items()]
            octets = same.to_bytes((same.bit_length() + 7) // 8, "little")
            yield contexts[context], origin, octets, json.dumps(encoded, separators=(",", ":")) if encoded else None


def read(rows: Iterable[tuple[int, str, bytes, str]]) -> Shares:
    """Take the rows of the table.

    Raises:
        ValueError: when they are not as ``write`` makes them.
    """
    shares: dict[int, list[Share]] = {}
    for context, origin, files, others in rows:
        if origin not in ORIGINS:
            raise ValueError(f"no origin: {origin!r}")
        by_number = {number: segment.decode_measured(text) for number, text in json.loads(others or "[]")}
        shares.setdefault(context, []).append(Share(origin, int.from_bytes(files, "little"), by_number))
    return shares


def labels_of(shares: Iterable[Share], context: str, file: int, measured: Measured) -> Iterator[tuple[Label, Measured]]:
    """Yield for which origins a test ran what coverage.py's table has of it in one file."""
    for each in shares:
        if file in each.others:
            yield segment.intern_label(each.origin, context), each.others[file]
        elif each.files >> file & 1:
            yield segment.intern_label(each.origin, context), measured
