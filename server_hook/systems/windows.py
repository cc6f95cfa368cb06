"""Windows: the same names as ``posix``, as far as Windows has what they do.

What does not work: ``os.kill(pid, 0)``, which is Ctrl-C for the process, any other number ends it; a handler for
SIGBREAK, which Python calls only when ``time.sleep`` has returned; to rename over, or to delete, what somebody reads.
"""

import sys

# ruff: noqa: E402 - the imports follow the line by which mypy reads the rest for Windows alone
assert sys.platform == "win32"

import _thread
import ctypes
import msvcrt
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ctypes import wintypes
from typing import BinaryIO

_clocks = time.time, time.monotonic, time.thread_time
WALL, STEADY, CPU = range(3)

READ = os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT
NO_LINK = 0
MAKE = os.O_CREAT | os.O_BINARY | os.O_NOINHERIT

_PATIENCE_S, _PAUSE_S = 2.0, 0.01
"""How long it is tried again to rename over a file that somebody reads."""
_QUERY, _STILL_ACTIVE, _ACCESS_DENIED = 0x1000, 259, 5
_CTRL_C, _CTRL_BREAK = 0, 1

_sleep, _replace, _unlink, _start = time.sleep, os.replace, os.unlink, _thread.start_new_thread
_get_handler = signal.getsignal
_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel.OpenProcess.restype = wintypes.HANDLE
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
_kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4)
_Handler = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)
_handlers: list[Callable[[int], int]] = []
"""What Windows calls must live as long as the process."""


def read_clock(clock: int) -> float:
    """Return the seconds that one of the clocks shows."""
    return _clocks[clock]()


def user() -> int:
    """Return the number that ``os.stat`` gives for every owner: rights lie in lists here, which we leave to Windows."""
    return 0


real_user = user


def may_be_of_others(_status: os.stat_result) -> bool:
    """Leave it to Windows who may write to a file."""
    return False


def replace(source: str, target: str) -> None:
    """Rename over a file; try again for a while if somebody reads it.

    Raises:
        OSError: as ``os.replace``.
    """
    until = read_clock(STEADY) + _PATIENCE_S
    while True:
        try:
            return _replace(source, target)
        except PermissionError:
            if read_clock(STEADY) > until:
                raise
        _sleep(_PAUSE_S)


def remove_files(folder: str, is_ours: Callable[[str], bool]) -> None:
    """Remove the files of a folder with names that are ours, then the folder if it is empty.

    Raises:
        OSError: when it is no folder, or not empty.
    """
    for name in filter(is_ours, os.listdir(folder)):
        with suppress(OSError):
            _unlink(os.path.join(folder, name))
    os.rmdir(folder)


def try_lock(file: BinaryIO) -> None:
    """Lock a file for as long as it is open.

    Raises:
        BlockingIOError: when somebody else holds the lock.
    """
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # from its first byte on, which need not be there
    except OSError:  # PermissionError; Wine gives no number
        raise BlockingIOError from None


@contextmanager
def coming_back() -> Iterator[None]:
    """Come back to the working folder after the block; nobody can have removed it."""
    before = os.getcwd()
    try:
        yield
    finally:
        os.chdir(before)


def start_thread(run: Callable[[], None]) -> None:
    """Start a thread.

    Raises:
        RuntimeError: when no thread can be had.
    """
    _start(run, ())


def split_words(command: str) -> list[str]:
    """Split a command line into words by blanks and quotes; a backslash is part of a path.

    Raises:
        ValueError: when a quote is not closed.
    """
    import shlex  # most processes split none

    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    return list(lexer)


def saves_at_console_events(save: Callable[[], None]) -> bool:
    """Call *save* before Ctrl-Break, or the end of the console or of its user's session, ends this process.

    Windows calls it in a thread of its own, whatever the main thread does. Ctrl-C is Python's KeyboardInterrupt.
    """

    def handle(event: int) -> bool:
        is_handled = event == _CTRL_BREAK and _get_handler(signal.SIGBREAK) is not signal.SIG_DFL
        if event != _CTRL_C and not is_handled:
            save()
        return False  # what comes next is as without us

    _handlers.append(_Handler(handle))
    _kernel.SetConsoleCtrlHandler(_handlers[-1], 1)
    return True


def is_running(pid: int) -> bool:
    """Tell whether there is a process with this pid, of whichever user."""
    return start_of(pid) != -1


def start_of(pid: int) -> int:
    """Return when a process was created, in units of Windows; -1 if it has ended, 0 where it isn't told."""
    handle = _kernel.OpenProcess(_QUERY, 0, pid)
    if not handle:
        return 0 if ctypes.get_last_error() == _ACCESS_DENIED else -1
    try:
        code, times = wintypes.DWORD(), [wintypes.FILETIME() for _ in range(4)]
        if _kernel.GetExitCodeProcess(handle, code) and code.value != _STILL_ACTIVE:
            return -1
        if not _kernel.GetProcessTimes(handle, *times):
            return 0
        return (times[0].dwHighDateTime << 32) + times[0].dwLowDateTime
    finally:
        _kernel.CloseHandle(handle)


def boot_id() -> str:
    """Return nothing: a creation time tells processes of several runs of the system apart."""
    return ""


def pid_namespace() -> str:
    """Return nothing: there is one for each machine."""
    return ""
