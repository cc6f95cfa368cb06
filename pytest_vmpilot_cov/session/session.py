"""The one object that walks the whole way, from options to report, for one pytest session."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coverage import Coverage

from pytest_vmpilot_cov.collect.ask import ask_servers
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.coverage_private import is_project_file
from pytest_vmpilot_cov.integrations.debuggers import sign_here, trace_again
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import Options, Outcome
from pytest_vmpilot_cov.report.words import not_reset
from pytest_vmpilot_cov.session.early_imports import below, early_imports
from pytest_vmpilot_cov.session.lead import forget_earlier_sessions
from pytest_vmpilot_cov.session.origins import OriginRules
from pytest_vmpilot_cov.verdict import reach_verdict
from server_hook.environment import DATA_DIR_VARIABLE, FOREIGN_VARIABLES, ORIGIN_VARIABLE, SESSION_VARIABLE, VARIABLE
from server_hook.record import lifecycle, recorder
from server_hook.record.recorder import Recorder
from server_hook.store import working_folder
from server_hook.store.segment import Label

if TYPE_CHECKING:
    import pytest
    from _typeshed import TraceFunction
    from pluggy import PluginManager


OUTSIDE = "unit"
"""The origin of what this process runs outside any test file."""


class Session:
    """Measure one pytest session, and judge it together with the pipeline servers."""

    def __init__(self, options: Options, rules: OriginRules, plugins: PluginManager) -> None:
        """Prepare; nothing is measured yet."""
        self.options = options
        self._plugins = plugins
        self.outcome: Outcome | None = None
        self.problem = ""
        """Why nothing is measured, or no verdict given; empty while all is well."""
        self.silence = ""
        """Why nothing is reported, if that was asked for."""
        self.left_alone = ""
        """A data file that somebody else writes at the end of this process; empty for none."""
        self._rules = rules
        self._recorder = self._make_recorder()
        self.server_variables: dict[str, str] = {}
        """What makes a server that a test starts record itself as the pipeline; empty while nothing is measured."""
        self._environment: dict[str, str | None] = {}
        self._trace: TraceFunction | None = None
        self._until = 0.0
        self._origin = OUTSIDE
        """That of the test that runs."""
        self._troubles: list[str] = []

    def _make_recorder(self) -> Recorder:
        return Recorder(self.options.settings, str(self.options.data_folder), OUTSIDE, None)

    @property
    def id(self) -> str:
        """What its children, and the workers of pytest-xdist, know it by."""
        return self._recorder.presence.session

    @property
    def core(self) -> str:
        """The core in use, with the reason why it is that one."""
        return f"{self._recorder.core} ({self._recorder.settings.core_reason})"

    @property
    def cov(self) -> Coverage | None:
        """The coverage.py that measures this process; None when nothing does."""
        return None if self.problem else self._recorder.cov

    def start(self, known: argparse.Namespace) -> None:
        """Start to measure this process, and tell its children what they belong to.

        Args:
            known: what was asked of pytest, which may be to debug.
        """
        self.problem = self._reason_to_stand_back(known)
        if self.problem:
            return
        self._lead()
        self._measure()
        self._set_environment(ORIGIN_VARIABLE, "e2e")
        for name in FOREIGN_VARIABLES:
            self._set_environment(name, None)
        self.server_variables = self._variables_for_servers()

    def _variables_for_servers(self) -> dict[str, str]:
        """Collect, in absolute terms, where servers find the configuration, this session, and the place of their data.

        A server is not the session's child, and its data not the session's: it only measures as the session does.
        """
        found = {name: os.environ[name] for name in (VARIABLE, SESSION_VARIABLE) if name in os.environ}
        places = {place.where: str(place.value) for place in self.options.places if place.where == DATA_DIR_VARIABLE}
        return {**found, **places, ORIGIN_VARIABLE: "pipeline"}

    def _reason_to_stand_back(self, known: argparse.Namespace) -> str:
        take_over()
        running = Coverage.current()
        if running is not None:
            return say("already-collected", who=type(running).__module__.partition(".")[0])
        return self._give_way_to_debugger(sign_here(known, sys.gettrace()))

    def _give_way_to_debugger(self, sign: str) -> str:
        if not sign:
            return ""
        for name in (VARIABLE, SESSION_VARIABLE, ORIGIN_VARIABLE):  # children are debugged as well
            self._set_environment(name, None)
        return say("debugger-attached", sign=sign)

    def _measure(self) -> None:
        loaded, source = dict(sys.modules), self.options.settings
        self._recorder.drain.label = Label(OUTSIDE, startup=True)
        lifecycle.begin(self._recorder)
        self._trace = sys.gettrace()
        self._announce()
        is_source = below((*source.source, *source.copies), lambda: is_project_file(self._recorder.cov))
        self._troubles += early_imports(loaded, self._plugins.get_plugins(), is_source, str(self.options.root))

    def _announce(self) -> None:
        self._recorder.announce()  # children read from its record how to measure

    def note(self, trouble: str) -> None:
        """Take something that went wrong, for the report."""
        self._troubles.append(trouble)

    def _lead(self) -> None:
        """Make room for this session's data, and tell its children what they belong to."""
        if not self.options.append:
            forget_earlier_sessions(self.options.data_folder)
        try:
            working_folder.make_folder(str(self.options.data_folder), self._recorder.presence.id)
        except OSError as error:
            raise UsageError(say("cannot-record", path=self._recorder.presence.folder, why=error.strerror)) from None
        if self.options.reset:
            self._reset_servers()
        self._until = time.time()  # what others reset from now on is not this session's business
        self._set_environment(VARIABLE, self.options.settings.config_file or self.options.settings.folder)
        self._set_environment(SESSION_VARIABLE, self._recorder.presence.folder)

    def _reset_servers(self) -> None:
        """Begin a new epoch in every server, so that the pipeline's row says what this session drove."""
        try:
            found = ask_servers(self.options, "reset")
        except OSError as error:
            raise UsageError(say("cannot-reset", path=error.filename, why=error.strerror)) from None
        self._troubles += [not_reset(each) for each in found if not each.answered]

    def enter_item(self, item: pytest.Item) -> None:
        """Count what a test runs, its children included, for the test's origin."""
        trace_again(self._trace)
        self._origin = self._rules.of_item(item)
        if not self.options.context:
            self._count_for(Label(self._origin), children=self._origin)

    def enter_phase(self, item: pytest.Item, phase: str) -> None:
        """Count what a phase of a test runs for the test and phase, too, by the name that pytest-cov gives it."""
        self._count_for(Label(self._origin, f"{item.nodeid}|{phase}"), children=self._origin)

    def enter_path(self, path: Path) -> None:
        """Count what the import of a test file runs for the origin of the file's tests."""
        self._count_for(Label(self._rules.of_path(path), startup=True), children="e2e")

    @contextmanager
    def leaving_out(self) -> Iterator[None]:
        """Forget what this process runs meanwhile, and let the children that it starts record nothing."""
        if self.problem:
            yield
            return
        label, variable = self._recorder.drain.label, os.environ.pop(VARIABLE, None)
        self._switch(label._replace(dropped=True))
        try:
            yield
        finally:
            self._switch(label)
            if variable is not None:
                os.environ[VARIABLE] = variable

    def leave(self) -> None:
        """Count what children run from now on for no test: such are started by E2E set-ups."""
        if not self.problem:
            os.environ[ORIGIN_VARIABLE] = "e2e"

    def finish(self) -> Outcome | None:
        """Write the last segment; where this process gives the verdict, collect, combine and judge."""
        if not self.problem:
            self._deliver()
            self.outcome = self._judge()
        return self.outcome

    def _deliver(self) -> None:
        self._recorder.flush()
        self._recorder.stop()  # the verdict is not measured

    def _judge(self) -> Outcome | None:
        scope = Scope("" if self.options.append else self._recorder.presence.id, until=self._until)
        outcome = reach_verdict(self.options, scope, self._plugins, leave=self.left_alone)
        return replace(outcome, problems=(*self._troubles, *outcome.problems))

    def close(self) -> None:
        """Say that this process is done with, and give the environment back."""
        self._give_back_environment()
        if self._recorder.presence.record is not None:  # else it never began, or an inner session took over
            self._recorder.finish()
            self._recorder.stop()

    def _count_for(self, label: Label, children: str) -> None:
        if not self.problem:
            self._switch(label)
            if os.environ.get(ORIGIN_VARIABLE) != children:
                os.environ[ORIGIN_VARIABLE] = children

    def _switch(self, label: Label) -> None:
        self._recorder.switch(label)

    def _set_environment(self, name: str, value: str | None) -> None:
        self._environment.setdefault(name, os.environ.get(name))
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

    def _give_back_environment(self) -> None:
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def take_over() -> None:
    """End a recorder that the start-up line began in this process: a test session never counts as a pipeline."""
    running = recorder.current()
    if running is not None:
        running.stop()
        running.presence.remove()
