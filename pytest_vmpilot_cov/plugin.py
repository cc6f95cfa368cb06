"""The pytest hooks, a few lines each; what they delegate to is imported only when it is needed."""

from __future__ import annotations

import copy
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vmpilot_cov import arguments

if TYPE_CHECKING:
    from pytest_vmpilot_cov.scripts import Scripts
    from pytest_vmpilot_cov.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()
SCRIPTS: pytest.StashKey[Scripts] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that are ours alone."""
    arguments.add_own_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Add what pytest-cov has not added, and start to measure before any conftest is imported."""
    known = early_config.known_args_namespace
    is_added = arguments.add_shared_options(parser, known)
    if is_added and any(arg.startswith(("--cov", "--vmpilot-cov")) for arg in args):  # else it costs, for nothing
        known = parser.parse_known_args(args, namespace=copy.copy(early_config.option))
        early_config.known_args_namespace = known
    if known.vmpilot_cov:
        from pytest_vmpilot_cov.steps import start_session

        session = start_session(early_config, known, parser)
        if session is not None:
            early_config.stash[SESSION] = session
            early_config.add_cleanup(session.close)
        known.cov_source = []  # ours measures: pytest-cov stays quiet
    elif "server_hook.recorder" in sys.modules:
        from pytest_vmpilot_cov.steps import stay_out

        stay_out()
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Describe our marker, and read which shell scripts are tests."""
    config.addinivalue_line("markers", "e2e: this test counts for the origin e2e (pytest-vmpilot-cov).")
    from pytest_vmpilot_cov.glance import may_name_scripts

    if SESSION in config.stash or may_name_scripts(config.rootpath, str(config.getoption("cov_config"))):
        from pytest_vmpilot_cov.scripts import find_scripts

        config.stash[SCRIPTS] = scripts = find_scripts(config)
        scripts.join_testpaths(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what measures, with which configuration, and against which threshold."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return []
    from pytest_vmpilot_cov.steps import header

    return header(session)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the E2E shell scripts."""
    scripts = parent.config.stash.get(SCRIPTS, None)
    return scripts.collect(file_path, parent) if scripts is not None else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Count what the import of a test file runs for the file's origin."""
    session = collector.config.stash.get(SESSION, None)
    if session is not None and isinstance(collector, pytest.Module):
        session.enter_path(collector.path)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Count what a test runs for its origin."""
    session = item.config.stash.get(SESSION, None)
    if session is None:
        return (yield)
    session.enter_item(item)
    try:
        return (yield)
    finally:
        session.leave()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Give the verdict as soon as the last test is done, also when the loop is left by an exception."""
    error: BaseException | None = None
    try:
        return (yield)
    except BaseException as left:
        error = left
        raise
    finally:
        ours = session.config.stash.get(SESSION, None)
        if ours is not None:
            from pytest_vmpilot_cov.steps import finish_session

            finish_session(ours, session, error)


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the section with the verdict, before other plugins' summaries hold it up."""
    session = config.stash.get(SESSION, None)
    if session is not None:
        from pytest_vmpilot_cov.steps import print_section

        print_section(session, terminalreporter)
