"""A stand-in for the pytest plugin of VS Code's Python extension, as far as coverage is concerned.

It has the same hooks in the same order, refuses the same arguments, and reads the same data file at the same moment.
What the extension sends to the editor is written to the file ``TEST_RUN_PIPE``, one message a line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage
from coverage.exceptions import NoSource

seen: set[str] = set()
"""Which of the arguments that it looks for it has seen."""


class VSCodePytestError(Exception):
    """What the extension shows in place of tests."""


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Refuse coverage without pytest-cov, and note what is asked for."""
    manager = early_config.pluginmanager
    has_pytest_cov = manager.hasplugin("pytest_cov") or manager.hasplugin("pytest_cov.plugin")
    if any("--cov" in arg for arg in args) and not has_pytest_cov:
        raise VSCodePytestError("pytest-cov is not installed")
    seen.update({"--cov-branch", "--collect-only"} & set(args))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> Iterator[Any]:
    """Show how a test ended."""
    if report.when == "call":
        send(test=report.nodeid, outcome=report.outcome)
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Show which tests there are, or what was reached."""
    if "--collect-only" in seen:
        send(tests=[item.nodeid for item in session.items])
    elif os.environ.get("COVERAGE_ENABLED") == "True":
        send(coverage=read_view())


def read_view() -> dict[str, dict[str, Any]]:
    """Read what the coverage view would show, from the data file of the working folder."""
    cov = Coverage()
    cov.load()
    view = {}
    for path in cov.get_data().measured_files():
        try:
            _, executable, _, missed, _ = cov.analysis2(path)
            stats = cov.branch_stats(path).values() if "--cov-branch" in seen else ()
        except NoSource:
            continue
        view[Path(path).name] = {
            "covered": sorted(set(executable) - set(missed)),
            "missed": sorted(missed),
            "branches": [sum(taken for _, taken in stats), sum(total for total, _ in stats) if stats else -1],
        }
    return view


def send(**message: object) -> None:
    """Send a message to the editor."""
    with Path(os.environ["TEST_RUN_PIPE"]).open("a") as pipe:
        print(json.dumps(message), file=pipe)
