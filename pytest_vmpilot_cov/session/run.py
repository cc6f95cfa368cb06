"""One pytest session with ``--vmpilot-cov``: start it, say so in the header, finish it, print its section."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from itertools import groupby
from typing import TYPE_CHECKING

import coverage
import pytest
from coverage import Coverage

from pytest_vmpilot_cov.combine.combine import unused_contexts
from pytest_vmpilot_cov.hooks import builtin
from pytest_vmpilot_cov.hooks.ci import JUnitProperties
from pytest_vmpilot_cov.integrations.debuggers import sign_here
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.options.missing import missing_paths
from pytest_vmpilot_cov.options.options import resolve
from pytest_vmpilot_cov.report.terminal import section
from pytest_vmpilot_cov.session.child_environment import Environment
from pytest_vmpilot_cov.session.lead import Lead
from pytest_vmpilot_cov.session.nesting import has_own_verdict, outer_session
from pytest_vmpilot_cov.session.origins import rules_of
from pytest_vmpilot_cov.session.partial import enforced, ide_of, thresholds_in_words, unjudged
from pytest_vmpilot_cov.session.selection import Selection, TakenAway
from pytest_vmpilot_cov.session.session import Session, choose_measurement
from pytest_vmpilot_cov.session.xdist import Worker, Workers, is_worker, refuse_dynamic_context
from pytest_vmpilot_cov.stash import HEADER, RUN, SESSION, WARNING
from server_hook.config.settings import open_coverage
from server_hook.coverage_private import REFUSALS
from server_hook.environment import process_state
from server_hook.problems import HookError, one_line, printable
from server_hook.record import recorder

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Options, Outcome
    from pytest_vmpilot_cov.report.terminal import Line

SELECTION, TAKEN_AWAY = "vmpilot_cov_selection", "vmpilot_cov_taken_away"
JUNIT, CONTEXTS = "vmpilot_cov_junit", "vmpilot_cov_contexts"
WORKER, WORKERS = "vmpilot_cov_worker", "vmpilot_cov_workers"
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


class Run:
    """The leading process's header, verdict and section."""

    def __init__(self, session: Session, lead: Lead, selection: Selection) -> None:
        """Take over a session that has started.

        Args:
            session: tells the measurement which test runs.
            lead: gives the verdict.
            selection: knows which part of the tests runs.
        """
        self._options = session.options
        self._session = session
        self._lead = lead
        self._selection = selection
        self._outcome: Outcome | None = None
        self._problem = ""
        """Why there is no verdict; empty while all is well."""
        self._not_reported = ""
        """Why nothing is reported, if an option says so."""

    def header(self) -> list[str]:
        """Say what measures, which thresholds apply, and what of the options cannot be had."""
        config = self._options.settings.config_file
        shown = os.path.relpath(config, self._options.root) if config else "none"
        core = self._session.measurement.core
        return [
            f"vmpilot-cov: {version('pytest-vmpilot-cov')}, coverage {coverage.__version__}, core {core}",
            f"vmpilot-cov: configuration {shown}, {thresholds_in_words(self._options) or 'no threshold'}",
            *(f"vmpilot-cov: WARNING: {text}" for text in self._unmet()),
        ]

    def _unmet(self) -> Iterator[str]:
        yield from missing_paths(self._options)
        yield from unused_contexts(self._options, open_coverage(self._options.settings.config_file))

    def finish(self, session: pytest.Session, error: BaseException | None) -> None:
        """Reach the verdict; a failed one makes pytest exit with 1 although every test may have passed.

        Args:
            session: pytest's own.
            error: the exception that ended the test loop, if any.
        """
        try:
            part = self._selection.part(session, error)
            self._options = enforced(self._options, part, ide_of(sys.modules, sys.argv[0]))
            if self._options.no_cov_on_fail and session.testsfailed:
                self._not_reported, self._options = say("no-cov-on-fail"), unjudged(self._options)
            self._lead.note(*self._session.finish())  # from here on nothing is measured: the verdict doesn't count
            self._lead.note_origins(self._session.origins)
            self._outcome = self._lead.give_verdict(self._options)
            failed = not self._outcome.verdict.passed
        except Exception as why:  # noqa: BLE001 - whatever fails here, the tests' own outcome must be shown
            self._problem = f"no verdict: {type(why).__name__}: {one_line(why)} (no-verdict)"
            # what is required and could not be checked counts as missed
            failed = bool(thresholds_in_words(self._options) or self._options.require)
        if failed:
            session.testsfailed += 1

    def print_section(self, reporter: pytest.TerminalReporter) -> None:
        """Print the section, which ends with the verdict."""
        if self._problem:
            reporter.write_sep("=", "vmpilot-cov")
            reporter.write_line(f"WARNING: {printable(self._problem)}", yellow=True)
        elif self._outcome is not None:
            reporter.write_sep("=", "vmpilot-cov")
            if self._not_reported:
                reporter.write_line(printable(self._not_reported), yellow=True)
                return
            for tone, text in _blocks(section(self._outcome, self._options)):
                reporter.write_line(text, **_MARKUP[tone])


def _blocks(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Join neighboring lines without a tone: pytest flushes its output after each text that it writes."""
    # pytest escapes what the terminal's encoding lacks, line breaks of the same text included
    for (tone, joins), each in groupby(lines, lambda line: (line.tone, not line.tone and line.text.isascii())):
        texts = [line.text for line in each]
        yield from ((tone, text) for text in (["\n".join(texts)] if joins else texts))


def start_session(config: pytest.Config, typed: argparse.Namespace, parser: pytest.Parser) -> Options | None:
    """Start to measure this session; return its options, or None when nothing is measured.

    Args:
        config: pytest's own.
        typed: the options of the command line and of addopts.
        parser: pytest's own.

    Raises:
        pytest.UsageError: when an option or a setting cannot be used.
    """
    if any(getattr(typed, name, None) for name in _NO_TESTS):
        return None
    outer = outer_session()
    if outer and not has_own_verdict(config):
        config.stash[HEADER] = [f"vmpilot-cov: {say('session-inside')}"]
        return None
    try:
        options = resolve(config, typed)
        refuse_dynamic_context(options, typed)
        session, why = _prepare(config, options, typed, outer)
        if is_worker():
            taken = TakenAway()
            config.pluginmanager.register(taken, TAKEN_AWAY)
            config.pluginmanager.register(Worker(session, why, taken), WORKER)
        elif session is not None:
            _lead(config, session, parser)
        else:
            config.stash[HEADER], config.stash[WARNING] = [f"vmpilot-cov: {printable(why)}"], printable(why)
    except (UsageError, HookError, *REFUSALS) as error:
        raise pytest.UsageError(one_line(error)) from None
    if session is None:
        return None
    config.stash[SESSION] = session
    if session.options.context:
        from pytest_vmpilot_cov.session.contexts import TestContexts

        config.pluginmanager.register(TestContexts(session), CONTEXTS)
    return session.options


def _prepare(
    config: pytest.Config, options: Options, typed: argparse.Namespace, outer: str
) -> tuple[Session | None, str]:
    """Prepare to measure; return None and the reason where nothing can or should."""
    end_startup_recorder()
    # an outer session's recorder has a Coverage as well, but that one is ours
    running = None if recorder.current() else Coverage.current()
    if running is not None:
        from pytest_vmpilot_cov.session.running_coverage import beside

        options = beside(running, options)
    measurement, why = choose_measurement(options, running, outer)
    environment = Environment(hands_off=measurement is not None and measurement.measures_children)
    config.add_cleanup(environment.give_back)  # before the first change, so that an error undoes that as well
    if measurement is None:
        return None, why
    sign = sign_here(typed, sys.gettrace() if Coverage.current() is None else None)  # else it is coverage.py's own
    if sign:
        environment.leave_children_alone()
        return None, say("debugger-attached", sign=sign)
    session = Session(options, measurement, environment, rules_of(options))
    config.add_cleanup(session.close)
    return session, ""


def _lead(config: pytest.Config, session: Session, parser: pytest.Parser) -> None:
    """Start as the process that gives the verdict."""
    if session.options.change is not None:
        from pytest_vmpilot_cov.changes.changes import check_base

        check_base(session.options)
    lead = Lead(session.measurement, session.options, config.pluginmanager)
    lead.make_room()
    if not session.measurement.data_file:  # else the coverage.py that was there first measured the imports
        lead.note_early_imports()
    taken = TakenAway()
    selection = Selection(parser, taken)
    for plugin, name in (
        (taken, TAKEN_AWAY),
        (selection, SELECTION),
        (Workers(lead, selection, session.options.data_folder), WORKERS),
        (builtin, builtin.NAME),
        (JUnitProperties(config.pluginmanager), JUNIT),
    ):
        config.pluginmanager.register(plugin, name)
    session.lead()  # before the start, which derives the servers' variables from the children's
    try:
        session.start()  # last: from here on everything is traced, and slower
    except OSError as error:
        raise UsageError(say("cannot-record", path=error.filename, why=error.strerror)) from None
    config.stash[RUN] = Run(session, lead, selection)


def end_startup_recorder(*, only_pipeline: bool = False) -> None:
    """End a recorder that the start-up line started in this process: a test session is never a pipeline.

    Args:
        only_pipeline: whether a session's recorder goes on: without the flag, this process is just its child.
    """
    running = None if process_state().session else recorder.current()  # an outer session's goes on
    if running is None:
        return
    if running.origin == "pipeline" or not (only_pipeline or running.presence.session):
        running.stop()
        running.presence.remove()
    elif not only_pipeline:  # its data belongs to the session that started this process
        running.finish()
        running.stop()
