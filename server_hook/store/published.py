"""Which folders of processes a published file holds: who ends adds what is new, and doesn't read all the others again.

A file in the working folder has the state of each such folder, and tells of which data file it speaks. One that is
another by now, as after coverage.py's ``combine``, is made anew; so is one that holds more than counts, as after a
reset.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from server_hook import clock
from server_hook.store import safe_files, working_folder

MOST_BYTES = 16 << 20
SETTLED_S = 2.0
"""A folder that changed less than this long ago may change again without another time stamp: it is read once more."""
_UNSETTLED = 0

States: TypeAlias = Mapping[str, int]
"""When each folder of a process changed last, in nanoseconds since the epoch, by the folder's name."""


def states(data_folder: Path) -> States:
    """Return the state of each process's folder."""
    return {path.rpartition(os.sep)[2]: status.st_mtime_ns for path, status in working_folder.walk(data_folder)}


def state(data_folder: Path, name: str) -> int:
    """Return the state of one of them, which may be gone by now."""
    try:
        return os.lstat(data_folder / working_folder.WORKING_FOLDER / name).st_mtime_ns
    except OSError:
        return _UNSETTLED


def read(data_folder: str, target: str, basis: object) -> tuple[States, float] | None:
    """Return which folders a published file holds, in which state, and since when it is not made anew but added to.

    Args:
        data_folder: holds the file and the working folder.
        target: the published file.
        basis: what decides what counts.

    Returns:
        None where the file has to be made anew: it is another one by now, or was made on another basis.
    """
    with suppress(OSError, ValueError, RecursionError, TypeError, LookupError, AttributeError):
        raw: dict[str, Any] = json.loads(safe_files.read(_path_in(data_folder), MOST_BYTES))
        folders, anew = raw["folders"], raw["anew"]
        if raw["file"] == _identity(target) and raw["basis"] == basis and clock.is_moment(anew):
            return {name: int(state) for name, state in folders.items()}, anew
    return None


def write(data_folder: str, target: str, basis: object, held: States, anew: float) -> None:
    """Write down which folders a published file holds; where that fails, the file is made anew the next time."""
    settled = (clock.now() - SETTLED_S) * 1e9
    folders = {name: state if state < settled else _UNSETTLED for name, state in held.items()}
    with suppress(OSError):
        made = {"file": _identity(target), "basis": basis, "folders": folders, "anew": anew}
        safe_files.replace(_path_in(data_folder), json.dumps(made).encode("ascii"))


def after_folding(held: States, before: States, now: States, folded: Mapping[str, Iterable[str]]) -> States:
    """Return what a file holds after folders were folded: a new one if it held all that went into it.

    Args:
        held: which folders it held, in which state.
        before: the states of all folders before any was folded.
        now: their states after that.
        folded: the new folders, and which ones each of them replaces.
    """
    left = dict(held)
    for name, replaced in folded.items():
        parts = [left.pop(each, _UNSETTLED) == before.get(each) for each in replaced]  # a list: each of them goes
        if all(parts):
            left[name] = now[name]
    return left


def _identity(target: str) -> list[int]:
    """Tell one file from all others that were ever in its place."""
    status = os.lstat(target)
    return [status.st_ino, status.st_mtime_ns, status.st_size]


def _path_in(data_folder: str) -> str:
    return os.path.join(data_folder, working_folder.WORKING_FOLDER, working_folder.PUBLISHED)
