"""Read data files that somebody else may have written: tables only, within limits of time and size."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from server_hook.clock import steady
from server_hook.store.safe_files import check_data_file

LEAST_READ_S = 30.0
READ_BYTES_PER_S = 1 << 20
"""Reading a file may take this many seconds plus one for each MiB, a hundred times as long as usual."""
MOST_VALUE_BYTES = 64 << 20
"""The size of the largest value, which is the list of a source file's arcs that the query makes."""
_STEPS = 100_000
"""The number of SQLite's steps between two looks at the clock."""
# a virtual table has root page 0
_NO_TABLES = "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR (type = 'table' AND NOT rootpage)"


@contextlib.contextmanager
def open_to_read(path: Path, more: str = "") -> Iterator[sqlite3.Connection]:
    """Open a data file without changing it; you see what it holds at one moment.

    Args:
        path: the data file.
        more: further parameters of SQLite's URI, such as ``&immutable=1`` to ignore locks.

    Raises:
        RefusedError: when it is no regular file, or too large.
        OSError: when it is gone, cannot be read, or takes too long.
        sqlite3.Error: when it cannot be opened, or has views or triggers, which can run any query.
    """
    until = steady() + LEAST_READ_S + check_data_file(str(path)) / READ_BYTES_PER_S
    with contextlib.closing(sqlite3.connect(f"{_uri_of(path)}?mode=ro{more}", uri=True)) as base:
        base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE_BYTES)
        base.set_progress_handler(lambda: steady() > until, _STEPS)  # true interrupts the query
        base.execute("PRAGMA trusted_schema = OFF")
        base.execute("BEGIN")  # all reads see one moment
        for (name,) in base.execute(_NO_TABLES):
            raise sqlite3.DatabaseError(f"{name} in it is no table, as all in a data file of coverage.py is")
        try:
            yield base
        except sqlite3.OperationalError as error:
            if steady() > until:
                raise TimeoutError("it takes too long to read") from error
            raise


def _uri_of(path: Path) -> str:
    """Return a file's URI; ``Path.as_uri`` would import urllib, and an import may be too late at a process's end."""
    name = os.path.realpath(path).replace(os.sep, "/")
    octets = os.fsencode(name if name.startswith("/") else f"/{name}")  # a drive of Windows comes second
    plain = (octet < 128 and (chr(octet).isalnum() or chr(octet) in "/._-") for octet in octets)  # noqa: PLR2004 - ASCII
    return "file://" + "".join(
        chr(octet) if is_plain else f"%{octet:02x}" for octet, is_plain in zip(octets, plain, strict=True)
    )
