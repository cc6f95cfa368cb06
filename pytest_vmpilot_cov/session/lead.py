"""What only the leading process of a session does: make room, reset the servers, give the verdict."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.collect.ask import ask_servers
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.coverage_private import is_project_file
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import Options, Outcome
from pytest_vmpilot_cov.report.words import not_reset
from pytest_vmpilot_cov.session.early_imports import below, early_imports
from pytest_vmpilot_cov.session.retention import forget_earlier_sessions
from pytest_vmpilot_cov.verdict import reach_verdict
from server_hook.config.settings import apply_settings, open_coverage
from server_hook.store import working_folder

if TYPE_CHECKING:
    from pluggy import PluginManager

    from pytest_vmpilot_cov.session.session import Measurement


class Lead:
    """The leading process of one session."""

    def __init__(self, measurement: Measurement, options: Options, plugins: PluginManager) -> None:
        """Prepare.

        Args:
            measurement: what measures this process.
            options: the session's.
            plugins: the plugins whose hooks add to the verdict.
        """
        self.session = measurement.presence.session
        """The session's id, as pytest-xdist workers know it."""
        self._measurement = measurement
        self._options = options
        self._plugins = plugins
        self._until = 0.0
        self._problems: list[str] = []
        self._origins: set[str] = set()
        """The origins whose tests ran."""

    def note(self, *problems: str) -> None:
        """Collect problems for the report."""
        self._problems += filter(None, problems)

    def note_origins(self, origins: Iterable[str]) -> None:
        """Note whose tests ran: an origin that reached nothing has its row, too."""
        self._origins.update(origins)

    def make_room(self) -> None:
        """Remove what earlier sessions measured, make this process's folder, and reset the servers if requested.

        Raises:
            UsageError: when a folder cannot be written.
        """
        options = self._options
        if not options.append:
            forget_earlier_sessions(options)
        folder = self._measurement.presence.folder
        try:
            working_folder.make_folder(str(options.data_folder), os.path.basename(folder))
        except OSError as error:
            raise UsageError(say("cannot-record", path=folder, why=error.strerror)) from None
        if options.reset:
            self.note(*_reset_servers(options))
        # after our own reset, which counts; a later one by somebody else doesn't take this session's data away
        self._until = time.time()

    def note_early_imports(self) -> None:
        """Name the source modules that have been imported; call it before measurement begins, which slows it down."""
        settings = self._options.settings

        def rules() -> Callable[[str], bool]:
            cov = open_coverage(settings.config_file)
            apply_settings(cov, settings, to_measure=True)
            return is_project_file(cov)

        is_source = below((*settings.source, *settings.copies), rules)
        self.note(*early_imports(dict(sys.modules), self._plugins.get_plugins(), is_source, str(self._options.root)))

    def give_verdict(self, options: Options) -> Outcome:
        """Collect, combine, judge and report what this session and the servers measured.

        Args:
            options: the session's, without thresholds that aren't enforced.

        Raises:
            UsageError: when the configuration cannot be used.
        """
        # with --cov-append, what earlier sessions measured counts, too
        scope = Scope("" if options.append else self.session, until=self._until, origins=frozenset(self._origins))
        self.note(*self._measurement.warnings())
        outcome = reach_verdict(options, scope, self._plugins, leave=self._measurement.data_file)
        return replace(outcome, problems=(*self._problems, *outcome.problems))


def _reset_servers(options: Options) -> list[str]:
    """Start a new epoch in every server, so that the pipeline row shows what this session drove."""
    try:
        deliveries = ask_servers(options, "reset")
    except OSError as error:
        raise UsageError(say("cannot-reset", path=error.filename, why=error.strerror)) from None
    return [not_reset(each) for each in deliveries if not each.answered]
