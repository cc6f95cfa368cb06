"""Clean up: remove only files with names that we give, one by one, never a tree and never through a link."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from server_hook import clock
from server_hook.store import parsed_files, records, safe_files, segment, working_folder

COMPACTING = ".folding-"
"""Prefix of a compacted folder that isn't in its place yet."""
PUBLISHING = "publish-"
"""Prefix of a data file that isn't in its place yet."""
REST_S = 60.0
"""What was left this long ago is no longer being worked on."""


def is_own_name(name: str) -> bool:
    """Return whether a file in a process's folder has a name that we give."""
    is_aside = name.startswith(".") and name.endswith(".tmp")  # of a process that was killed while it wrote
    return name in (records.RECORD, records.BOARD) or name.endswith(segment.SUFFIX) or is_aside


def remove_process(folder: Path) -> bool:
    """Remove what a process recorded, and its folder if nothing else is in it; return whether the folder is gone."""
    return safe_files.remove_folder(str(folder), is_own_name)


def remove_left_over(working: Path, rest_s: float = REST_S) -> None:
    """Remove what killed processes were still writing.

    Raises:
        OSError: when the working folder cannot be read.
    """
    for name in os.listdir(working):
        if name.startswith((COMPACTING, PUBLISHING)):
            with contextlib.suppress(OSError):
                _remove_aside(working / name, clock.now() - rest_s)


def _remove_aside(path: Path, before: float) -> None:
    if os.lstat(path).st_mtime > before:  # perhaps still being written
        return
    if path.name.startswith(COMPACTING):
        remove_process(path)
    elif _is_publication(path.name):
        path.unlink()


def remove_working_folder(data_folder: Path) -> None:
    """Remove the working folder of *data_folder*, unless it holds a process's folder or something foreign."""
    ours = (
        working_folder.IDENTITY,
        working_folder.LOCK,
        working_folder.IGNORE,
        working_folder.RESETS,
        working_folder.PUBLISHED,
        safe_files.aside_of(working_folder.PUBLISHED),  # of a process that was killed while it wrote
    )
    if not any(working_folder.process_folders(data_folder)):
        working = str(data_folder / working_folder.WORKING_FOLDER)
        safe_files.remove_folder(
            working, lambda name: name in ours or _is_publication(name) or parsed_files.is_one(name)
        )


def _is_publication(name: str) -> bool:
    return name.startswith(PUBLISHING) and name.endswith(".tmp")
