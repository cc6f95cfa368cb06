"""Is a debugger at work in this process? The signs of one, as a pure rule."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_OPTIONS = {"usepdb": "--pdb", "trace": "--trace"}
"""Options of pytest that ask for its own debugger, by destination."""


def sign_here(typed: argparse.Namespace, trace: object) -> str:
    """Name the sign of a debugger in this process; empty where there is none.

    Args:
        typed: the options of this session.
        trace: the trace function that is set; None if we know whose it is.
    """
    tool = None
    if sys.version_info >= (3, 12):
        # a debugger may trace by sys.monitoring alone, and then no trace function shows it
        tool = sys.monitoring.get_tool(sys.monitoring.DEBUGGER_ID)
    return sign_of(typed, sys.modules, tool, trace)


def sign_of(typed: argparse.Namespace, modules: Container[str], tool: str | None, trace: object) -> str:
    """Name the sign of a debugger; empty where there is none.

    debugpy alone is no sign: it may be imported and not used. Once it debugs, it has loaded pydevd.

    Args:
        typed: the options of this session.
        modules: the modules that are loaded.
        tool: who has the debugger's slot in ``sys.monitoring``.
        trace: the trace function that is set.
    """
    for name, flag in _OPTIONS.items():
        if getattr(typed, name, False):
            return flag
    if "pydevd" in modules:
        return "pydevd is loaded"
    if tool is not None:
        return f"{tool} has the debugger's place in sys.monitoring"
    if trace is not None:
        return f"a trace function is set: {getattr(trace, '__qualname__', type(trace).__qualname__)}"
    return ""


def is_debugging(trace: object) -> bool:
    """Tell whether a trace function is a debugger's, which may have breakpoints in tests that come later."""
    return "pydevd" in sys.modules or getattr(trace, "__module__", "") in ("bdb", "pdb", "_pytest.debugging")


def trace_again(trace: TraceFunction | None) -> None:
    """Set a trace function again that ``breakpoint()`` has taken away: pdb clears it for good when it is left."""
    if sys.gettrace() is None and trace is not None:  # one that is set by now is left to its owner
        sys.settrace(trace)
