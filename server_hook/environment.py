"""What a process learns from its environment, and what it has to remember about itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server_hook.record.c_forks import CForks
    from server_hook.record.recorder import Recorder
    from server_hook.record.wakeups import Wakeup

VARIABLE = "VMPILOT_COV"
"""Path of the configuration, or of the project's folder: turns recording on."""
DATA_DIR_VARIABLE = "VMPILOT_COV_DATA_DIR"
"""Where a server keeps its data; default beside its configuration."""
ORIGIN_VARIABLE = "VMPILOT_COV_ORIGIN"
SESSION_VARIABLE = "VMPILOT_COV_SESSION"
"""Folder of the test session's own process; its record says how its children measure."""
CONTEXT_VARIABLE = "VMPILOT_COV_CONTEXT"
"""Name and phase of the test that starts a process; what that runs is the test's as long as the test runs."""
BOARD_VARIABLE = "VMPILOT_COV_BOARD"
"""Path of the page on which the test process says which test runs."""

FOREIGN_VARIABLES = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
ORIGINS = ("unit", "e2e", "pipeline")


OLDEST = (3, 11)
"""The first Python that this package runs on."""


def unsupported() -> str:
    """Say why nothing can be recorded on this system, or by this Python; empty where it can."""
    if sys.version_info < OLDEST:
        return "Python %d.%d is too old; use 3.11 or later (system-unsupported)" % sys.version_info[:2]  # noqa: UP031 - it is to read this
    if not hasattr(os, "fork") and sys.platform != "win32":
        return f"{sys.platform} is no POSIX system; use Linux, macOS or Windows (system-unsupported)"
    return ""


@contextmanager
def all_at_once() -> Iterator[None]:
    """Have modules import at once what they import, even where ``-X lazy_imports=all`` (Python 3.15) has them wait.

    What is ours must be there when a signal comes inside an import, or after the process has given up its rights.
    """
    mode = getattr(sys, "get_lazy_imports", str)()
    if mode == "all":
        sys.set_lazy_imports("normal")  # type: ignore[attr-defined,unused-ignore]
    try:
        yield
    finally:
        if mode == "all":
            sys.set_lazy_imports(mode)  # type: ignore[attr-defined,unused-ignore]


class ProcessState:
    """What happens once in a process's life, however often these modules are imported."""

    def __init__(self) -> None:
        """Begin as a process that nothing has happened to."""
        self.is_started = False
        """Whether the start-up line has run: in a venv whose lib64 is a link to lib it runs twice."""
        self.is_followed = False
        """Whether the process's ends, forks and signals are watched."""
        self.session = ""
        """The id of the test session that runs in this process; a session that starts meanwhile is inside it."""
        self.recorder: Recorder | None = None
        """What measures this process, or measured the parent of a fork."""
        self.wakeup: Wakeup | None = None
        """What notices signals that are caught."""
        self.c_forks: CForks | None = None
        """What hears of forks that Python is not told of."""
        self.test = ""
        """The test that a session runs in this process: a plain value, because tests have contexts of their own."""
        self.tagged_hosts: tuple[str, ...] = ()
        """The hosts whose requests name the test that sends them; empty while none does."""
        self.taken: dict[int, str] = {}
        """What has taken the trace function from us, and when, by the thread's number."""
        self.times_taken = 0
        """How many times it was taken."""


def process_state() -> ProcessState:
    """Return the state of this process; it is kept on ``sys``, which survives a second import of our modules."""
    try:  # at each request of a server
        return sys._vmpilot_cov  # type: ignore[attr-defined,no-any-return]
    except AttributeError:
        state = sys._vmpilot_cov = ProcessState()  # type: ignore[attr-defined]
        return state
