"""The SQLite database behind memory, notes and usage."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from assistant.errors import MemoryStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS conversations (
    user TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY (user, id));
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL, conversation TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes (
    user TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, number));
CREATE TABLE IF NOT EXISTS usage (
    user TEXT NOT NULL, model TEXT NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL);
"""


class Database:
    """One connection that the threads of a server share, one transaction at a time."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the database; without a path it lives in memory until it is closed."""
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise MemoryStoreError(f"{path} cannot be opened: {error}") from error
        self._lock = threading.Lock()
        with self.transaction() as connection:
            connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread; commit at the end, roll back after an exception."""
        with self._lock, self._connection:
            yield self._connection

    def close(self) -> None:
        """Close the connection; what lived in memory is gone."""
        self._connection.close()
