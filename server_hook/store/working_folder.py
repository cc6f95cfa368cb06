"""The working folder ``.vmpilot-cov``: made, listed, identified, locked."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from server_hook import clock
from server_hook.store import safe_files
from server_hook.store.safe_files import RefusedError
from server_hook.systems.systems import system

WORKING_FOLDER = ".vmpilot-cov"
IDENTITY, LOCK, IGNORE = "identity", "lock", ".gitignore"
RESETS = "resets"
"""Name of the file in a working folder that lists when its servers were reset, in seconds since the epoch."""
PUBLISHED = "published.json"
"""Name of the file in a working folder that says which folders the published file holds."""
LOCK_WAIT_S = 10.0
_MOST_DELETIONS = 3  # a tree is deleted in steps
_DIGITS = frozenset("0123456789abcdef")


def make_working_folder(data_folder: str) -> str:
    """Make the working folder of *data_folder*, which ignores itself in git; return its path.

    Raises:
        RefusedError: when a link is in its place, or somebody else's.
        OSError: when it cannot be made.
    """
    os.makedirs(data_folder, exist_ok=True)
    working = _make(os.path.join(data_folder, WORKING_FOLDER))
    ignore = os.path.join(working, IGNORE)
    safe_files.create(ignore, "# Made by pytest-vmpilot-cov: what each measured process has recorded.\n*\n")
    return working


def make_folder(data_folder: str, identifier: str) -> str:
    """Make the folder of one process below the working folder of *data_folder*; return its path.

    Raises:
        OSError: as ``make_working_folder``.
    """
    return _make(os.path.join(make_working_folder(data_folder), identifier))


def again_if_gone(write: Callable[[], object]) -> None:
    """Call what makes a folder and writes into it, and again where somebody deletes the folder at that moment.

    Raises:
        OSError: what it raises; FileNotFoundError when that does not end.
    """
    for _ in range(_MOST_DELETIONS):
        with contextlib.suppress(FileNotFoundError):
            write()
            return
    write()


def _make(folder: str) -> str:
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
    safe_files.check_folder(folder)
    return folder


def data_folder_of(process_folder: Path) -> Path:
    """Return the data folder that holds the folder of a process."""
    return process_folder.parent.parent


def process_folders(data_folder: Path, refuse: Callable[[OSError], object] = str) -> Iterator[Path]:
    """Walk the folders of all processes that were recorded beside *data_folder*.

    Args:
        data_folder: holds the working folder.
        refuse: hears of each thing in the working folder that is not used.
    """
    for path, _ in walk(data_folder, refuse):
        yield Path(path)


def walk(data_folder: Path, refuse: Callable[[OSError], object] = str) -> Iterator[tuple[str, os.stat_result]]:
    """Walk the same folders, as plain paths with what the system knows of them."""
    working = os.path.join(data_folder, WORKING_FOLDER)
    try:
        safe_files.check_folder(working)
        names = sorted(os.listdir(working))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        refuse(error)
        return
    for name in (name for name in names if not name.startswith(".")):  # those with a dot are still being made
        path = f"{working}{os.sep}{name}"
        try:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                safe_files.check_owner(path, status)
                yield path, status
            else:
                safe_files.check_regular(path, status)
        except FileNotFoundError:  # compacted or erased meanwhile
            continue
        except OSError as error:
            refuse(error)


def folder_identity(data_folder: str) -> str:
    """Return the name that the working folder of *data_folder* gave itself, made once.

    Raises:
        RefusedError: when something else lies in its place.
        OSError: as ``make_working_folder``.
    """
    path = os.path.join(make_working_folder(data_folder), IDENTITY)
    safe_files.create(path, os.urandom(8).hex())  # read back, because another process may have been first
    identity = safe_files.read(path, 16).decode("ascii", "replace")
    if len(identity) != 16 or not _DIGITS.issuperset(identity):  # noqa: PLR2004 - two digits an octet
        raise RefusedError(path, "it does not hold what vmpilot-cov has written; delete it")
    return identity


@contextlib.contextmanager
def lock(data_folder: str, wait_s: float = LOCK_WAIT_S) -> Iterator[bool]:
    """Hold the data folder's lock while publishing; say whether it is held. Renames are atomic even without it."""
    working = make_working_folder(data_folder)
    with safe_files.open_lock(os.path.join(working, LOCK)) as file:
        until, held = clock.steady() + wait_s, False
        while not held and clock.steady() < until:
            try:
                system.try_lock(file)  # it has no time limit of its own
                held = True
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # a file system without locks
                held = True
        yield held
