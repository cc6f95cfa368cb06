"""Look after the database: ``python -m assistant.maintenance check|compact|backup FILE``."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, MemoryStoreError, SettingsError
from assistant.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def check(connection: sqlite3.Connection) -> str:
    """Return "ok", or what is wrong with the database."""
    rows = connection.execute("PRAGMA integrity_check").fetchall()
    return "\n".join(text for (text,) in rows)


def compact(connection: sqlite3.Connection) -> str:
    """Give the space of what was pruned back to the disk."""
    before = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute("VACUUM")
    after = connection.execute("PRAGMA page_count").fetchone()[0]
    return f"{before} pages before, {after} now"


def backup(connection: sqlite3.Connection, path: Path) -> str:
    """Copy the database, even while it is in use.

    Raises:
        MemoryStoreError: the file exists already.
    """
    if path.exists():
        raise MemoryStoreError(f"{path} exists already; choose another file")
    with closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)
    return f"saved as {path}"


def main(argv: Sequence[str]) -> int:
    """Run one of the commands and return the exit status."""
    try:
        database = load_settings().database
        if database is None or not database.is_file():
            raise SettingsError("there is no database; set ASSISTANT_HOME to the folder that has one")
        with closing(sqlite3.connect(database)) as connection:
            match argv:
                case ["check"]:
                    print(check(connection))
                case ["compact"]:
                    print(compact(connection))
                case ["backup", name]:
                    print(backup(connection, Path(name)))
                case _:
                    raise SettingsError("use one of: check, compact, backup FILE")
    except AssistantError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
