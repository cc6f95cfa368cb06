"""The door to the data folder: somebody else may have put anything there.

We open regular files only, up to a limit of size, without following links and without waiting. If everybody may write
to a folder, we trust only what this user, root or the folder's owner put there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from server_hook.systems.systems import system

if TYPE_CHECKING:
    from pathlib import Path

MOST_RECORD_BYTES = 1 << 20
MOST_SEGMENT_BYTES = 64 << 20
MOST_RESETS_BYTES = 16 << 20
MOST_SOURCE_BYTES = 32 << 20
MOST_DATA_BYTES = 16 << 30
"""The most that a record, a segment, the list of resets, a source file and a data file may hold."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# not by name: tests of the application replace these with mocks
_open, _octets, _close, _file, _unlink = os.open, os.read, os.close, open, os.unlink


class RefusedError(OSError):
    """Something in a data folder that is not used; ``strerror`` says why, and what to do."""

    def __init__(self, path: str, why: str) -> None:
        """Refuse what lies at *path*."""
        super().__init__(errno.EPERM, why, path)


def read(path: str, most_bytes: int) -> bytes:
    """Read a file of a data folder.

    Raises:
        RefusedError: when it is no regular file, too large, or owned by a stranger.
        OSError: when it is gone or cannot be read.
    """
    status = os.lstat(path)
    check_owner(path, status)
    return _read(path, status, system.NO_LINK, most_bytes)


def read_own(path: str, most_bytes: int) -> bytes:
    """Read a file of a data folder that nobody else can have written, because figures depend on it unseen.

    Raises:
        RefusedError: as ``read``, and when anybody else owns the file or may write to it.
        OSError: when it is gone or cannot be read.
    """
    status = os.lstat(path)
    if system.may_be_of_others(status):
        raise RefusedError(path, "somebody else may have written it")
    return _read(path, status, system.NO_LINK, most_bytes)


def read_source(path: str) -> bytes:
    """Read a source file of any owner, through links as well.

    Raises:
        RefusedError: when it is no regular file, or too large.
        OSError: when it is gone or cannot be read.
    """
    return _read(path, os.stat(path), 0, MOST_SOURCE_BYTES)


def check_data_file(path: str) -> int:
    """Look at a data file before SQLite opens it, which would wait forever at a FIFO; return its size in bytes.

    Raises:
        RefusedError: when it is no regular file, or too large.
        OSError: when it is gone or cannot be read.
    """
    status = os.stat(path)
    check_regular(path, status)
    if status.st_size > MOST_DATA_BYTES:
        raise RefusedError(path, f"it is larger than {MOST_DATA_BYTES >> 30} GiB")
    os.close(_open(path, system.READ))  # SQLite would not say why it cannot be opened
    return status.st_size


def check_regular(path: str, status: os.stat_result) -> None:
    """Refuse everything but regular files."""
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError(path, f"it is {_kind_of(status)}, not a regular file; delete it")


def check_folder(path: str) -> None:
    """Check a folder of ours before we use anything in it.

    Raises:
        RefusedError: when it is a link, no folder, or owned by a stranger.
        OSError: when it is gone.
    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError(path, f"it is {_kind_of(status)}, not a folder; delete it")
    check_owner(path, status)


def check_owner(path: str, status: os.stat_result) -> None:
    """Refuse what a stranger put into a folder that everybody may write to."""
    if status.st_uid in (system.user(), 0):
        return
    around = os.stat(os.path.dirname(path) or ".")
    if around.st_mode & stat.S_IWOTH and status.st_uid != around.st_uid:
        raise RefusedError(
            path,
            f"it belongs to user {status.st_uid}, and everybody may write to its folder; "
            "delete it, or remove that permission (chmod o-w)",
        )


def replace(path: str, octets: bytes) -> None:
    """Write a file of a data folder aside and rename it into place.

    Raises:
        OSError: when the folder cannot be written.
    """
    aside = aside_of(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            _unlink(aside)  # of a process that was killed, or a trap
        with _file(_open(aside, system.MAKE | os.O_WRONLY | os.O_EXCL, 0o666), "wb") as file:
            file.write(octets)
        system.replace(aside, path)
    except BaseException:  # a signal handler of the application may raise into this
        with contextlib.suppress(OSError):
            _unlink(aside)
        raise


def aside_of(path: str) -> str:
    """Name the file that becomes the one at *path*."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.tmp")


def create(path: str, text: str) -> None:
    """Write a file of a data folder, unless there is something already.

    Raises:
        OSError: when the folder cannot be written.
    """
    try:
        number = _open(path, system.MAKE | os.O_WRONLY | os.O_EXCL, 0o666)
    except FileExistsError:
        return
    with _file(number, "w", encoding="utf-8") as file:
        file.write(text)


def append(path: str, text: str) -> None:
    """Append to a file of a data folder; create it if necessary.

    Raises:
        RefusedError: when it is no regular file, has a second name, or is owned by a stranger.
        OSError: when it cannot be written.
    """
    _check_own(path)
    with _file(_open(path, system.MAKE | os.O_WRONLY | os.O_APPEND, 0o666), "a", encoding="utf-8") as file:
        check_regular(path, os.fstat(file.fileno()))  # it may be another one by now
        file.write(text)


def open_lock(path: str) -> BinaryIO:
    """Open a lock file; create it if necessary. Reading is enough to lock another user's.

    Raises:
        RefusedError: as ``append``.
        OSError: when the folder cannot be written.
    """
    _check_own(path)
    try:
        return _file(_open(path, system.MAKE | os.O_RDWR, 0o666), "rb")
    except PermissionError:
        return _file(_open(path, system.READ | system.NO_LINK), "rb")


def remove_folder(folder: str, is_ours: Callable[[str], bool]) -> bool:
    """Remove a folder of ours: the files with names that we give, one by one, then the folder if it is empty.

    This enters no folder below and follows no link: each step starts from the folder that was opened.

    Returns:
        Whether the folder is gone.
    """
    with contextlib.suppress(OSError):
        system.remove_files(folder, is_ours)
    return not os.path.lexists(folder)


def _read(path: str, status: os.stat_result, flags: int, most_bytes: int) -> bytes:
    check_regular(path, status)
    number = _open(path, system.READ | flags)
    try:  # without a file object, which costs as much as all the rest: boards are read at each request
        status = os.fstat(number)  # it may be another one by now
        check_regular(path, status)
        if status.st_size > most_bytes:
            raise RefusedError(path, f"it is larger than {most_bytes >> 20} MiB, which none of ours is; delete it")
        return _octets(number, status.st_size)  # no more: it may grow forever
    finally:
        _close(number)


def _check_own(path: str) -> None:
    """Refuse to write to an existing file that may not be ours alone."""
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        check_regular(path, status)
        check_owner(path, status)
        if status.st_nlink > 1:
            raise RefusedError(path, "it has another name elsewhere; delete it")


def _kind_of(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "a file")


def names_in(folder: Path, suffix: str) -> list[str]:
    """List the files in a folder whose names end so; none where it cannot be read."""
    try:  # glob compiles a pattern, and every server that ends would pay for it
        return [name for name in os.listdir(folder) if name.endswith(suffix)]
    except OSError:
        return []
