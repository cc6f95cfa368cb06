"""The one object that walks the whole way, from options to report, for one pytest session."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coverage import Coverage

from pytest_vmpilot_cov.collect import Scope, ask_servers
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import TESTS_FILE, Options
from pytest_vmpilot_cov.options import OptionError
from pytest_vmpilot_cov.origins import OriginRules
from pytest_vmpilot_cov.report.words import not_reset
from pytest_vmpilot_cov.verdict import Outcome, reach_verdict
from pytest_vmpilot_cov.working_folder import working_in
from server_hook import announce, lifecycle, publish, recorder
from server_hook.recorder import Recorder
from server_hook.segment import Label
from server_hook.startup import FOREIGN_VARIABLES, ORIGIN_VARIABLE, SESSION_VARIABLE, VARIABLE

if TYPE_CHECKING:
    import pytest

OUTSIDE = "unit"
"""The origin of what this process runs outside any test file."""


class Session:
    """Measure one pytest session, and judge it together with the pipeline servers."""

    def __init__(self, options: Options, rules: OriginRules) -> None:
        """Prepare; nothing is measured yet."""
        self.options = options
        self.outcome: Outcome | None = None
        self.problem = ""
        """Why nothing is measured, or no verdict given; empty while all is well."""
        self._rules = rules
        self._recorder = self._make_recorder()
        self._environment: dict[str, str | None] = {}
        self._until = 0.0
        self._troubles: list[str] = []

    def _make_recorder(self) -> Recorder:
        made = Recorder(self.options.settings, str(self.options.data_folder), OUTSIDE)
        made.session = made.id
        return made

    @property
    def id(self) -> str:
        """What its children, and the workers of pytest-xdist, know it by."""
        return self._recorder.session

    @property
    def core(self) -> str:
        """The core in use, with the reason why it is that one."""
        return f"{self._recorder.core} ({self._recorder.settings.core_reason})"

    def start(self) -> None:
        """Start to measure this process, and tell its children what they belong to."""
        if recorder.current() is not None:
            take_over()
        running = Coverage.current()
        if running is not None:
            self.problem = say("collector-running", who=type(running).__module__.partition(".")[0])
            return
        self._lead()
        self._recorder.cutter.label = Label(OUTSIDE, startup=True)
        lifecycle.begin(self._recorder)
        self._announce()
        self._set_environment(ORIGIN_VARIABLE, "e2e")
        for name in FOREIGN_VARIABLES:
            self._set_environment(name, None)

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
            announce.make_folder(str(self.options.data_folder), self._recorder.id)
        except OSError as error:
            raise OptionError(say("cannot-write", path=self._recorder.folder, why=error.strerror)) from None
        if self.options.reset:
            self._reset_servers()
        self._until = time.time()  # what others reset from now on is not this session's business
        self._set_environment(VARIABLE, self.options.settings.config_file or self.options.settings.folder)
        self._set_environment(SESSION_VARIABLE, self._recorder.folder)

    def _reset_servers(self) -> None:
        """Begin a new epoch in every server, so that the pipeline's row says what this session drove."""
        try:
            found = ask_servers(self.options, "reset")
        except OSError as error:
            raise OptionError(say("cannot-reset", path=error.filename, why=error.strerror)) from None
        self._troubles += [not_reset(each) for each in found if not each.answered]

    def enter_item(self, item: pytest.Item) -> None:
        """Count what a test runs, its children included, for the test's origin."""
        origin = self._rules.of_item(item)
        self._count_for(Label(origin), children=origin)

    def enter_path(self, path: Path) -> None:
        """Count what the import of a test file runs for the origin of the file's tests."""
        self._count_for(Label(self._rules.of_path(path), startup=True), children="e2e")

    def leave(self) -> None:
        """Count what children run from now on for no test: such are started by E2E set-ups."""
        if not self.problem:
            os.environ[ORIGIN_VARIABLE] = "e2e"

    def finish(self) -> Outcome | None:
        """Write the last segment; where this process gives the verdict, collect, combine and judge."""
        if not self.problem:
            self._recorder.flush()
            self._recorder.stop()  # the verdict is not measured
            self.outcome = self._judge()
        return self.outcome

    def _judge(self) -> Outcome | None:
        scope = Scope("" if self.options.append else self._recorder.id, until=self._until)
        with working_in(self.options.root):
            outcome = reach_verdict(self.options, scope)
        return replace(outcome, problems=(*self._troubles, *outcome.problems))

    def close(self) -> None:
        """Say that this process is done with, and give the environment back."""
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._recorder.record is not None:  # else it never began, or a session inside this one has taken over
            self._recorder.finish()
            self._recorder.stop()

    def _count_for(self, label: Label, children: str) -> None:
        if not self.problem:
            self._recorder.switch(label)
            os.environ[ORIGIN_VARIABLE] = children

    def _set_environment(self, name: str, value: str | None) -> None:
        self._environment.setdefault(name, os.environ.get(name))
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def take_over() -> None:
    """End a recorder that the start-up line began in this process: a test session never counts as a pipeline."""
    running = recorder.current()
    if running is not None:
        running.stop()
        running.discard()


def forget_earlier_sessions(data_folder: Path) -> None:
    """Remove what sessions that are over have measured: a session replaces the last one's data."""
    living = {
        record.session
        for folder in announce.process_folders(data_folder)
        if (record := announce.read_record(folder))
        and announce.life_of(record, announce.heartbeat_age_s(folder)) != "dead"
    }
    for folder in announce.process_folders(data_folder):
        record = announce.read_record(folder)
        if record and record.origin in ("unit", "e2e") and record.session not in living - {""}:
            alive = announce.life_of(record, announce.heartbeat_age_s(folder)) != "dead"
            if not alive:
                shutil.rmtree(folder, ignore_errors=True)
    published = data_folder / TESTS_FILE
    if published.exists() and publish.read_fingerprints(published) is not None:
        published.unlink(missing_ok=True)
