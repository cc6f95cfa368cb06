"""The working folder ``.vmpilot-cov``: made, listed, identified, locked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from server_hook import clock

WORKING_FOLDER = ".vmpilot-cov"
LOCK_WAIT_S = 10.0


def make_folder(data_folder: str, identifier: str) -> str:
    """Make the folder of one process below the working folder of *data_folder*; return its path."""
    working = os.path.join(data_folder, WORKING_FOLDER)
    folder = os.path.join(working, identifier)
    os.makedirs(folder, exist_ok=True)
    ignore = os.path.join(working, ".gitignore")
    if not os.path.exists(ignore):
        with open(ignore, "w", encoding="utf-8") as file:
            file.write("# Made by pytest-vmpilot-cov: what each measured process has recorded.\n*\n")
    return folder


def process_folders(data_folder: Path) -> Iterator[Path]:
    """Walk the folders of all processes that were recorded beside *data_folder*."""
    try:
        places = sorted((data_folder / WORKING_FOLDER).iterdir())
    except OSError:
        return
    yield from (place for place in places if os.path.isdir(place) and not place.name.startswith("."))


def folder_identity(data_folder: str) -> str:
    """Return the name that the working folder of *data_folder* gave itself, made once."""
    path = os.path.join(data_folder, WORKING_FOLDER, "identity")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with contextlib.suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
        file.write(os.urandom(8).hex())
    with open(path, encoding="utf-8") as file:
        return file.read()


@contextlib.contextmanager
def lock(data_folder: str, wait_s: float = LOCK_WAIT_S) -> Iterator[bool]:
    """Hold the data folder's lock while publishing; say whether it is held. Renames are atomic even without it."""
    working = os.path.join(data_folder, WORKING_FOLDER)
    os.makedirs(working, exist_ok=True)
    with _open_lock(os.path.join(working, "lock")) as file:
        until, held = clock.steady() + wait_s, False
        while not held and clock.steady() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # a file system without locks
                held = True
        yield held


def _open_lock(path: str) -> TextIO:
    """Open the file of a lock, made if need be; to lock another user's, reading it is enough."""
    try:
        return open(path, "a", encoding="utf-8")
    except PermissionError:
        return open(path, encoding="utf-8")
