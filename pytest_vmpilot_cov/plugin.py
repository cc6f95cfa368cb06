"""The pytest hooks, a few lines each; what they delegate to is imported only when it is needed."""

from __future__ import annotations

import copy
import importlib
import os
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vmpilot_cov.integrations import pytest_cov, vscode
from pytest_vmpilot_cov.options import flags
from pytest_vmpilot_cov.stash import HEADER, RUN, SCRIPTS, SESSION, WARNING

if TYPE_CHECKING:
    import argparse

    from pytest_vmpilot_cov.fixtures import PipelineServers
    from pytest_vmpilot_cov.model import Options


def __dir__() -> list[str]:
    """List the hooks and fixtures alone: pytest looks for both at every name that a plugin lists."""
    fixtures = type(vmpilot_cov_env)
    return [name for name, each in globals().items() if name.startswith("pytest_") or isinstance(each, fixtures)]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer our hooks."""
    from pytest_vmpilot_cov.hooks import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options that are ours alone."""
    flags.add_own_options(parser)
    pluginmanager.register(pytest_cov.OwnReports(parser))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Add what pytest-cov has not added, and start to measure before any conftest is imported.

    This comes before the same hook of other plugins: VS Code's looks for pytest-cov in it, and pytest-cov starts in it.
    """
    manager = early_config.pluginmanager
    typed = early_config.known_args_namespace
    # even without our flag: --help lists these options, and pytest_configure reads --cov-config
    added = flags.add_shared_options(parser, typed)
    if not flags.ask_for_anything(args):  # the rest costs, for nothing
        pytest_cov.lend_fixtures(manager)
        _stay_out(early_config)
        return (yield)
    button = typed.vmpilot_cov and manager.hasplugin(vscode.PLUGIN) and vscode.take_back_button(args)
    if added or button:  # pytest parsed the words before these options existed, or with the button's among them
        typed = parser.parse_known_args(args, namespace=copy.copy(early_config.option))
        # pytest has settled it in between; without it, folders above the project would be collected, conftests included
        typed.confcutdir = early_config.known_args_namespace.confcutdir
        early_config.known_args_namespace = typed
    # before the yield: in this hook VS Code's plugin refuses --cov options unless pytest-cov is registered
    vscode.stand_in_for_pytest_cov(manager, typed)
    pytest_cov.stand_in(early_config, typed, args)
    if typed.vmpilot_cov and not typed.no_cov and not _is_unsupported(early_config):
        options = _start(early_config, typed, parser)
        if button and options is not None and options.settings.branch:
            args.append("--cov-branch")  # VS Code's view shows branches where it sees this
    else:
        _stay_out(early_config)
    pytest_cov.silence(typed)  # last: until here ``--cov`` says what to measure
    return (yield)


def _is_unsupported(config: pytest.Config) -> bool:
    """Tell whether nothing can be measured here; the header and the section say so then."""
    from server_hook.environment import unsupported

    reason = unsupported() or _what_coverage_lacks()
    if reason:
        config.stash[HEADER], config.stash[WARNING] = (
            [f"vmpilot-cov: not measured: {reason}"],
            f"not measured: {reason}",
        )
    return bool(reason)


def _what_coverage_lacks() -> str:
    """Import whatever uses a part of coverage.py that it may lack: at the end of the session it would be too late."""
    try:
        for module in ("coverage_private", "judge.judge", "judge.figures", "report.report", "session.run"):
            importlib.import_module(f"pytest_vmpilot_cov.{module}")
    except ImportError as error:
        from pytest_vmpilot_cov.cli.tried import lacks

        reason = lacks(error)
        if not reason:
            raise
        return reason
    return ""


def _start(config: pytest.Config, typed: argparse.Namespace, parser: pytest.Parser) -> Options | None:
    from pytest_vmpilot_cov.session.run import start_session

    try:
        return start_session(config, typed, parser)
    except (AttributeError, TypeError) as error:
        from pytest_vmpilot_cov.cli.tried import lacks

        if reason := lacks(error):
            raise pytest.UsageError(reason) from None
        raise


def _stay_out(config: pytest.Config) -> None:
    """End what the start-up line may have begun: neither this process nor its children are a pipeline."""
    if os.environ.get("VMPILOT_COV"):
        from pytest_vmpilot_cov.integrations.shell import withhold_variable

        withhold_variable(config)
    # not imported means not started, and importing it would load coverage.py for nothing
    if "server_hook.record.recorder" in sys.modules:
        from pytest_vmpilot_cov.session.run import end_startup_recorder

        end_startup_recorder(only_pipeline=True)


def pytest_configure(config: pytest.Config) -> None:
    """Describe our markers, and read which shell scripts are tests."""
    config.addinivalue_line("markers", "e2e: this test counts for the origin e2e (pytest-vmpilot-cov).")
    if not pytest_cov.is_here(config.pluginmanager):  # else it describes its marker itself
        config.addinivalue_line("markers", "no_cover: what this test runs is not measured (pytest-vmpilot-cov).")
    from server_hook.config.files import may_name_scripts

    # most projects have none: look before reading the configuration
    if may_name_scripts(config.rootpath, str(config.getoption("cov_config"))):
        from pytest_vmpilot_cov.session.scripts import find_scripts

        config.stash[SCRIPTS] = scripts = find_scripts(config)
        scripts.join_testpaths(config)


@pytest.fixture(scope="session")
def vmpilot_cov_env(pytestconfig: pytest.Config) -> dict[str, str]:
    """Environment variables for a server that a test starts itself: it counts as pipeline.

    Empty if the session does not measure.
    """
    session = pytestconfig.stash.get(SESSION, None)
    return dict(session.server_variables) if session is not None else {}


@pytest.fixture(scope="session")
def pipeline_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, vmpilot_cov_env: dict[str, str]
) -> Generator[PipelineServers, None, None]:
    """Start pipeline servers: call it with a command, in which {port} becomes a free port.

    The server that it returns answers at its url; it is stopped at the end of the session.
    """
    from pytest_vmpilot_cov.fixtures import PipelineServers

    with closing(PipelineServers(pytestconfig, tmp_path_factory.mktemp("pipeline_server"), vmpilot_cov_env)) as servers:
        yield servers


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what measures, with which configuration, and against which threshold."""
    # HEADER says why there is no run
    return config.stash[RUN].header() if RUN in config.stash else config.stash.get(HEADER, [])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the E2E shell scripts."""
    scripts = parent.config.stash.get(SCRIPTS, None)
    return scripts.collect(file_path, parent) if scripts is not None else None


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Count what the import of a test file runs for the file's origin."""
    session = collector.config.stash.get(SESSION, None)
    if session is not None and isinstance(collector, pytest.Module):  # collecting a module imports it
        session.enter_path(collector.path)
    return (yield)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let VS Code's discovery define what all tests are."""
    vscode.keep_discovered(session)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: what other plugins run for a test counts as well
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Count what a test runs for its origin."""
    session = item.config.stash.get(SESSION, None)
    if session is None:
        return (yield)
    session.enter_item(item)
    try:
        return (yield)
    finally:
        session.leave_item(item)


@pytest.hookimpl(wrapper=True)  # the call alone: as with pytest-cov, set-up and tear-down still count
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Leave out what a test runs if it has pytest-cov's marker or fixture ``no_cover``."""
    session = item.config.stash.get(SESSION, None)
    no_cover = item.get_closest_marker("no_cover") or "no_cover" in getattr(item, "fixturenames", ())
    if session is None or not no_cover:
        return (yield)
    with session.leaving_out():
        return (yield)


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
        # here, because pytest turns session.testsfailed into the exit code right after this hook
        if RUN in session.config.stash:
            session.config.stash[RUN].finish(session, error)


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the section with the verdict, before other plugins' summaries hold it up."""
    if RUN in config.stash:
        config.stash[RUN].print_section(terminalreporter)
    elif WARNING in config.stash:
        terminalreporter.write_sep("=", "vmpilot-cov")
        terminalreporter.write_line(f"WARNING: {config.stash[WARNING]}", red=True, bold=True)
