"""What the hooks do with a session: start it, say so in the header, finish it, print its section."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path

import coverage
import pytest

from pytest_vmpilot_cov.hooks import builtin
from pytest_vmpilot_cov.hooks.ci import JUnitProperties
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.options.options import listed, resolve
from pytest_vmpilot_cov.report.terminal import section
from pytest_vmpilot_cov.session.contexts import TestContexts
from pytest_vmpilot_cov.session.origins import OriginRules
from pytest_vmpilot_cov.session.partial import asked, enforced, ide_of, unjudged
from pytest_vmpilot_cov.session.running_coverage import GuestSession, is_guest
from pytest_vmpilot_cov.session.selection import Progress
from pytest_vmpilot_cov.session.session import Session
from pytest_vmpilot_cov.session.xdist import Workers, WorkerSession, is_worker
from server_hook.config.files import read_own_section
from server_hook.coverage_private import REFUSALS
from server_hook.problems import HookError, one_line, printable
from server_hook.record import recorder

PROGRESS, JUNIT, CONTEXTS = "vmpilot_cov_progress", "vmpilot_cov_junit", "vmpilot_cov_contexts"
WORKERS = "vmpilot_cov_workers"
_NO_TESTS = (
    *("help", "version", "collectonly", "showfixtures", "show_fixtures_per_test", "markers", "cacheshow"),
    *("setuponly", "setupplan"),
)
_MARKUP: dict[str, dict[str, bool]] = {
    "good": {"green": True},
    "bad": {"red": True, "bold": True},
    "warn": {"yellow": True},
    "": {},
}


def start_session(config: pytest.Config, known: argparse.Namespace, parser: pytest.Parser) -> Session | None:
    """Start to measure this session; None when pytest will run no test.

    Raises:
        pytest.UsageError: when something that the session was told cannot be used.
    """
    if any(getattr(known, name, None) for name in _NO_TESTS):
        return None
    try:
        options = resolve(config, known)
        own = read_own_section(options.settings.config_file)
        rules = OriginRules(Path(options.settings.folder), tuple(listed(own.get("e2e", ""))))
        kind = WorkerSession if is_worker() else GuestSession if is_guest() else Session
        session = kind(options, rules, config.pluginmanager)
        session.start(known)
    except (UsageError, HookError, *REFUSALS) as error:
        raise pytest.UsageError(one_line(error)) from None
    if not isinstance(session, WorkerSession):
        for plugin, name in (
            (Progress(parser), PROGRESS),
            (Workers(session), WORKERS),
            (builtin, builtin.NAME),
            (JUnitProperties(config.pluginmanager), JUNIT),
        ):
            config.pluginmanager.register(plugin, name)
    if options.context:
        config.pluginmanager.register(TestContexts(session), CONTEXTS)
    return session


def header(session: Session) -> list[str]:
    """Say what measures and what will be asked of the total."""
    options = session.options
    if session.problem:
        return [f"vmpilot-cov: {printable(session.problem)}"]
    config = options.settings.config_file
    shown = os.path.relpath(config, options.root) if config else "none"
    return [
        f"vmpilot-cov: {version('pytest-vmpilot-cov')}, coverage {coverage.__version__}, core {session.core}",
        f"vmpilot-cov: configuration {printable(shown)}, {asked(options) or 'no threshold'}",
    ]


def finish_session(ours: Session, session: pytest.Session, error: BaseException | None) -> None:
    """Reach the verdict; a failed one makes pytest exit with 1 although every test may have passed.

    Args:
        ours: what has measured this session.
        session: pytest's own.
        error: what left the loop over the tests, if anything did.
    """
    try:
        progress = session.config.pluginmanager.get_plugin(PROGRESS)
        if isinstance(progress, Progress):
            ours.options = enforced(ours.options, progress.part(session, error), ide_of(sys.modules, sys.argv[0]))
        if ours.options.no_cov_on_fail and session.testsfailed:
            ours.silence, ours.options = say("no-cov-on-fail"), unjudged(ours.options)
        outcome = ours.finish()
        failed = outcome is not None and not outcome.verdict.passed
    except Exception as why:  # noqa: BLE001 - whatever fails here, the tests' own outcome must be shown
        ours.problem = f"no verdict: {type(why).__name__}: {one_line(why)} (no-verdict)"
        failed = bool(asked(ours.options) or ours.options.require)
    if isinstance(ours, WorkerSession):
        ours.deliver(session.config.workeroutput)  # type: ignore[attr-defined]  # pytest-xdist's
    if failed:
        session.testsfailed += 1


def print_section(session: Session, reporter: pytest.TerminalReporter) -> None:
    """Print the section; the verdict is its last line."""
    if session.outcome is None and not session.problem:
        return
    reporter.write_sep("=", "vmpilot-cov")
    if session.problem:
        reporter.write_line(f"WARNING: {printable(session.problem)}", yellow=True)
    elif session.silence:
        reporter.write_line(printable(session.silence), yellow=True)
    elif session.outcome is not None:
        for line in section(session.outcome, session.options):
            reporter.write_line(line.text, **_MARKUP[line.tone])


def stay_out() -> None:
    """Without the flag nothing is measured: end what the start-up line may have begun in this process."""
    running = recorder.current()
    if running is not None and running.origin == "pipeline":
        running.stop()
        running.presence.remove()
