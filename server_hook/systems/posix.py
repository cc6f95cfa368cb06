"""Linux, macOS and other POSIX systems: clocks, files, locks, processes."""

import _thread
import fcntl
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

WALL, STEADY, CPU = time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_THREAD_CPUTIME_ID
# not by name: tests of the application replace these with mocks, gevent with its own
read_clock = time.clock_gettime
replace, user, real_user, signal_thread = os.replace, os.geteuid, os.getuid, signal.pthread_kill
_unlink, _kill = os.unlink, os.kill
_signal: Any = sys.modules["_signal"]  # what signal wraps; that makes an enumeration of each signal, each time
_start, _mask, _all_signals = _thread.start_new_thread, _signal.pthread_sigmask, _signal.valid_signals()

# O_NONBLOCK: to open a FIFO would wait for its other end
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
NO_LINK = os.O_NOFOLLOW
MAKE = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def may_be_of_others(status: os.stat_result) -> bool:
    """Tell whether somebody else owns a file or may write to it."""
    return status.st_uid != user() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def remove_files(folder: str, is_ours: Callable[[str], bool]) -> None:
    """Remove the files of a folder with names that are ours, then the folder if it is empty; follow no link.

    Raises:
        OSError: when it is no folder, or not empty.
    """
    with _opened(os.path.dirname(folder)) as around:
        with _opened(os.path.basename(folder), around) as here:
            for name in filter(is_ours, os.listdir(here)):
                with suppress(OSError):
                    _unlink(name, dir_fd=here)
        os.rmdir(os.path.basename(folder), dir_fd=around)


@contextmanager
def _opened(folder: str, around: int | None = None) -> Iterator[int]:
    """Open a folder, but not through a link, for as long as the block runs."""
    number = os.open(folder, _FOLDER, dir_fd=around)
    try:
        yield number
    finally:
        os.close(number)


def try_lock(file: BinaryIO) -> None:
    """Lock a file for as long as it is open.

    Raises:
        BlockingIOError: when somebody else holds the lock.
        OSError: when the file system has no locks.
    """
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def coming_back() -> Iterator[None]:
    """Come back to the working folder after the block, even if it has been removed."""
    # by descriptor: contextlib.chdir fails there; O_PATH needs no right to read
    before = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def start_thread(run: Callable[[], None]) -> None:
    """Start a thread that no signal is delivered to: what the application blocks must not come there.

    Raises:
        RuntimeError: when no thread can be had.
    """
    mask = _mask(signal.SIG_SETMASK, _all_signals)
    try:
        _start(run, ())
    finally:
        _mask(signal.SIG_SETMASK, mask)


def copy_to_number(number: int, least: int) -> int:
    """Copy a descriptor to a free number that is at least *least*; programs do not inherit it.

    Raises:
        OSError: when the process may not have as many.
    """
    return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, least)


def split_words(command: str) -> list[str]:
    """Split a command line into words as a shell does.

    Raises:
        ValueError: when a quote is not closed.
    """
    import shlex  # most processes split none

    return shlex.split(command)


def saves_at_console_events(_save: Callable[[], None]) -> bool:
    """Tell that a console sends signals here, and no events."""
    return False


def is_running(pid: int) -> bool:
    """Tell whether there is a process with this pid, of whichever user; it may be a zombie."""
    try:
        _kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # PermissionError: it lives, as another user's
        pass
    return True


def start_of(pid: int) -> int:
    """Return the kernel's start time of a process: field 22 of /proc/PID/stat; -1 for a zombie, 0 where unknown."""
    # the name stands in brackets, and may hold brackets and blanks itself
    after_name = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if not after_name:
        return 0
    return -1 if after_name[0] == "Z" else int(after_name[19])


def boot_id() -> str:
    """Return what tells this run of the system from all others; empty where it does not say so."""
    return _read("/proc/sys/kernel/random/boot_id").strip()


def pid_namespace() -> str:
    """Return the namespace in which pids mean what they do here; empty where there are none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
