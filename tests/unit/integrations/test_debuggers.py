from __future__ import annotations

import argparse
import sys
from typing import Any

import pytest
from coverage import Coverage

from pytest_vmpilot_cov.integrations.debuggers import sign_of, trace_again
from server_hook.problems import Problems
from server_hook.record.tracing import check_tracing


class CTracer:
    """An instance as a trace function."""


def trace_dispatch() -> None:
    """Stand for a function as a trace function."""


@pytest.mark.parametrize(
    ("known", "modules", "tool", "trace", "expected"),
    [
        ({}, (), None, None, ""),
        ({"usepdb": False, "trace": False}, ("debugpy", "pdb", "bdb"), None, None, ""),
        ({"usepdb": True}, (), None, None, "--pdb"),
        ({"trace": True}, (), None, None, "--trace"),
        ({"usepdb": True}, ("pydevd",), "pydevd", CTracer(), "--pdb"),
        ({}, ("debugpy", "pydevd"), "pydevd", None, "pydevd is loaded"),
        ({}, (), "wing", None, "wing has the debugger's place in sys.monitoring"),
        ({}, (), None, trace_dispatch, "a trace function is set: trace_dispatch"),
        ({}, (), None, CTracer(), "a trace function is set: CTracer"),
    ],
)
def test_a_debugger_is_known_by_its_signs(
    known: dict[str, Any], modules: tuple[str, ...], tool: str | None, trace: object, expected: str
) -> None:
    """Options, pydevd, the place in ``sys.monitoring`` and a trace function are signs; debugpy alone is none."""
    assert expected == sign_of(argparse.Namespace(**known), modules, tool, trace)


def test_a_trace_function_that_was_taken_away_is_set_again() -> None:
    """The trace function is set again where there is none, and a debugger's is left alone."""
    before = sys.gettrace()
    ours, theirs = (lambda *_: None), (lambda *_: None)
    try:
        sys.settrace(None)
        trace_again(None)
        assert sys.gettrace() is None
        trace_again(ours)
        assert sys.gettrace() is ours
        sys.settrace(theirs)
        trace_again(ours)
        assert sys.gettrace() is theirs
    finally:
        sys.settrace(before)


@pytest.mark.parametrize(("core", "loaded"), [("ctrace", True), ("ctrace", False), ("sysmon", True)])
def test_a_debugger_that_comes_later_is_reported(monkeypatch: pytest.MonkeyPatch, core: str, *, loaded: bool) -> None:
    """A debugger that takes the recorder's trace function is reported; from Python 3.12 on it takes none."""
    if loaded:
        monkeypatch.setitem(sys.modules, "pydevd", sys)
    problems = Problems()
    check_tracing(Coverage(data_file=None), core, problems)
    expected = loaded and core == "ctrace" and sys.version_info < (3, 12)
    assert expected == problems.latest.endswith("(debugger-loaded)")
