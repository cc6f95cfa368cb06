"""The peers that we are compared with, and how each of them runs a suite or a program."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from functools import cache

from shared.pairs import AGAIN, BASE

COVERAGE, PYTEST_COV, SLIPCOVER, OURS = "coverage.py", "pytest-cov", "SlipCover", "vmpilot-cov"
NO_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""The environment of a session that has no plugin but the peer's: what else is installed says nothing about a peer."""
_PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
_QUIET = ["-W", "ignore::pytest.PytestUnknownMarkWarning"]
"""The mark ``e2e`` is ours."""


@cache
def why_no_slipcover() -> str:
    """Return why SlipCover can't run here; empty if it can."""
    if not importlib.util.find_spec("slipcover"):
        return "it isn't installed (`pip install slipcover`)"
    tried = subprocess.run(
        [sys.executable, "-m", "slipcover", "-m", "this"], capture_output=True, text=True, check=False, timeout=60
    )
    last = (tried.stderr.strip().splitlines() or ["it says nothing"])[-1]
    return f"it doesn't run on this Python: {last}" if tried.returncode else ""


def sessions(*more: str) -> dict[str, list[str]]:
    """Return how each side runs the tests of its working folder and reports what they reached of ``app``.

    Args:
        more: options of pytest-cov and of ours; where there are any, the sides that don't have them are left out.
    """
    bare = [*_PYTEST, *_QUIET]
    sides = {
        BASE: bare,
        AGAIN: bare,
        PYTEST_COV: [*bare, "-p", "pytest_cov", "--cov=app", *more],
        OURS: [*_PYTEST, "-p", "vmpilot_cov", "--vmpilot-cov", *more],
    }
    if not more:
        python, *rest = bare
        report = 'set -e; "$0" -m coverage run "$@"; exec "$0" -m coverage report'
        sides[COVERAGE] = ["sh", "-c", report, python, *rest]
        if not why_no_slipcover():
            sides[SLIPCOVER] = [python, "-m", "slipcover", "--source", "app", *rest]
    return sides
