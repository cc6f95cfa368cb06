"""What runs in this process where nothing measures it: in further interpreters, in threads that Python did not start.

Both come from programs in C that embed Python, such as Apache's mod_wsgi. Nothing can be wrapped there, but the program
is told.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from server_hook.record.thread import own_threads
from server_hook.record.tracing import check_tracing

if TYPE_CHECKING:
    from coverage import Coverage

    from server_hook.problems import Problems

_INTERPRETERS = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
"""Public only from Python 3.14 on, and in a module that imports much more."""
_MOD_WSGI = ["mod_wsgi"]
"""What mod_wsgi gives every interpreter for its arguments."""


def check_measured(cov: Coverage, core: str, problems: Problems) -> None:
    """Report what takes the trace function of a recorded process, or runs out of reach of its core."""
    check_tracing(cov, core, problems)
    further = _further_interpreters()
    if further:
        cure = "; set WSGIApplicationGroup %{GLOBAL}" if sys.argv[:1] == _MOD_WSGI else ""
        problems.report("interpreters-unmeasured", f"what its {further} further interpreters run isn't measured{cure}")
    if core == "ctrace" and (foreign := _foreign_threads()):
        text = f"what its threads that Python did not start ({foreign[0]}) run isn't measured by ctrace"
        problems.report("threads-unmeasured", text)


def _further_interpreters() -> int:
    """Count them; only where a program in C may have made some is the module that counts them imported for that."""
    module = sys.modules.get(_INTERPRETERS)
    if module is None and (not sys.orig_argv or sys.argv[:1] == _MOD_WSGI):
        with suppress(ImportError, OSError):  # the process may have given up the right to read it
            module = __import__(_INTERPRETERS)
    return len(module.list_all()) - 1 if module else 0


def _foreign_threads() -> list[str]:
    """Name the threads that asked which thread they are, and are none that Python started."""
    if "gevent" in sys.modules or "eventlet" in sys.modules:  # it calls each greenlet such a thread
        return []
    # not threading.enumerate: a child that was forked in C may find its lock held by a thread that isn't there
    threads = list(getattr(threading, "_active", {}).values())
    dummies = (each for each in threads if type(each).__name__ == "_DummyThread")
    return [each.name for each in dummies if each.ident not in own_threads]  # those become such when they log
