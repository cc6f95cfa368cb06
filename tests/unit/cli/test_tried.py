"""What an interpreter has that this version was never tried with."""

from __future__ import annotations

import sys

import coverage
import pytest

from pytest_vmpilot_cov.cli.tried import TRIED, untried

USUAL = {"python": "3.13.1", "coverage": "7.17.5", "pytest": "9.2.0", "kind": "cpython", "free": False}


@pytest.mark.parametrize(
    ("different", "said"),
    [
        ({}, []),
        ({"python": "3.16.0"}, ["Python 3.16.0 is newer than what this version was tried with (3.11 to 3.15)"]),
        ({"coverage": "8.0.0"}, ["coverage 8.0.0 is newer than what this version was tried with (7.10 to 7.17)"]),
        ({"coverage": "7.9.2"}, ["coverage 7.9.2 is older than what this version was tried with (7.10 to 7.17)"]),
        ({"pytest": "10.1.0.dev3"}, ["pytest 10.1.0.dev3 is newer than what this version was tried with (8.0 to 9.2)"]),
        ({"pytest": ""}, []),
        ({"coverage": "unknown"}, []),
        ({"kind": "pypy"}, ["Python of the kind pypy was tried in part"]),
        ({"free": True}, ["a Python without the global lock was never tried"]),
    ],
)
def test_what_is_unknown_is_said(different: dict[str, object], said: list[str]) -> None:
    """What is older or newer than what was tried, or of another kind, is one line each, and nothing else is."""
    lines = list(untried({**USUAL, **different}))
    assert [line.partition(": ")[0] for line in lines] == said


def test_what_runs_the_tests_is_known() -> None:
    """The interpreter, the coverage.py and the pytest of these tests are among those that were tried."""
    here = {"Python": sys.version_info[:2], "coverage": coverage.version_info[:2], "pytest": pytest.version_tuple[:2]}
    assert all(first <= here[name] <= last for name, (first, last) in TRIED.items())
