"""The names of the files in a working folder that hold what reports have parsed of sources."""

from __future__ import annotations

from pathlib import Path

from server_hook.store.working_folder import WORKING_FOLDER

_PREFIX, _SUFFIX = "parsed-", ".json"


def name_of(digest: str) -> str:
    """Name the file of one way to parse, of which the digest tells."""
    return f"{_PREFIX}{digest[:8]}{_SUFFIX}"


def is_one(name: str) -> bool:
    """Return whether a file in a working folder has such a name, or that of one still being written."""
    return name.removeprefix(".").startswith(_PREFIX) and name.removesuffix(".tmp").endswith(_SUFFIX)


def oldest_first(data_folder: Path) -> list[Path]:
    """List them, that which was used longest ago first.

    Raises:
        OSError: when the working folder cannot be read.
    """
    paths = (data_folder / WORKING_FOLDER).glob(f"{_PREFIX}*{_SUFFIX}")
    return sorted(paths, key=lambda path: path.lstat().st_mtime)
