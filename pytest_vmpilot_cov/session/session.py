"""Count what one process of a pytest session runs for the origin of the test that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_vmpilot_cov.integrations.debuggers import trace_again
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.session.child_environment import BETWEEN_TESTS, Environment, variables_for_servers
from pytest_vmpilot_cov.session.nesting import inner_id
from pytest_vmpilot_cov.session.recording import OUTSIDE, Recording
from pytest_vmpilot_cov.session.running_coverage import RunningCoverage
from pytest_vmpilot_cov.session.xdist import is_worker, read_leader, worker_recorder
from server_hook.environment import SESSION_VARIABLE, process_state
from server_hook.record import recorder
from server_hook.record.recorder import Recorder
from server_hook.store.segment import Label

if TYPE_CHECKING:
    import pytest
    from _typeshed import TraceFunction
    from coverage import Coverage

    from pytest_vmpilot_cov.model import Options
    from pytest_vmpilot_cov.session.origins import OriginRules

Measurement: TypeAlias = Recording | RunningCoverage
"""What measures this process: a recorder of ours, or the coverage.py that was there first."""


class Session:
    """Tell what measures this process, and the children, which test runs."""

    def __init__(
        self, options: Options, measurement: Measurement, environment: Environment, rules: OriginRules
    ) -> None:
        """Prepare; nothing is measured yet.

        Args:
            options: what was asked for.
            measurement: what measures this process.
            environment: what children inherit.
            rules: which tests are E2E tests.
        """
        self.options = options
        self.measurement = measurement
        self.server_variables: dict[str, str] = {}
        """What makes a server that a test starts record itself as the pipeline."""
        self._environment = environment
        self._outer = process_state().session
        self._rules = rules
        self._trace: TraceFunction | None = None
        self._origin = OUTSIDE
        """That of the test that runs."""

    @property
    def cov(self) -> Coverage:
        """The coverage.py that measures this process."""
        return self.measurement.cov

    def lead(self) -> None:
        """Tell children that they belong to the session that this process leads."""
        settings = self.options.settings
        self._environment.lead(settings.config_file or settings.folder, self.measurement.presence.folder)

    def start(self) -> None:
        """Start to measure.

        Raises:
            HookError: when coverage.py cannot measure here.
            OSError: when this process cannot write its record.
        """
        self.measurement.start()
        process_state().session = self.measurement.presence.session
        self._trace = sys.gettrace()
        self._environment.measure_children()
        self.server_variables = variables_for_servers(self.options)

    def close(self) -> None:
        """Say that this process is done with."""
        self.measurement.close()
        process_state().session = self._outer

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
        self._count_for(Label(self._rules.of_path(path), startup=True), children=BETWEEN_TESTS)

    @contextmanager
    def leaving_out(self) -> Iterator[None]:
        """Forget what this process runs meanwhile, and let the children that it starts record nothing."""
        label = self.measurement.label
        self.measurement.switch(label._replace(dropped=True))
        try:
            with self._environment.recording_no_children():
                yield
        finally:
            self.measurement.switch(label)

    def leave(self) -> None:
        """Count what children run from now on for no test."""
        self._environment.count_children_for(BETWEEN_TESTS)

    def _count_for(self, label: Label, children: str) -> None:
        self.measurement.switch(label)
        self._environment.count_children_for(children)


def choose_measurement(options: Options, running: Coverage | None, outer: str) -> tuple[Measurement | None, str]:
    """Return what can measure this process, or None and why nothing can.

    Args:
        options: the session's.
        running: a coverage.py, not ours, that measures this process already, if any.
        outer: the id of the session around this one; empty for none.

    Raises:
        UsageError: when a session in this process measures it otherwise.
    """
    if not is_worker():
        session = inner_id(outer) if outer else None
        if running is not None:
            return RunningCoverage(running, options, session), ""
        around = recorder.current()  # a recorder of the start-up line has ended by now
        if around is not None and around.settings != options.settings:
            raise UsageError(say("session-inside-differs", config=around.settings.config_file or "none"))
        own = Recorder(options.settings, str(options.data_folder), OUTSIDE, session)
        return Recording(own, around), ""
    leader = read_leader()
    if leader is None:  # it gives way to a debugger, or runs on another host
        return None, f"it is not told of its session (by {SESSION_VARIABLE} in its environment)"
    if running is not None:
        return None, say("already-collected", who=type(running).__module__.partition(".")[0])
    return Recording(worker_recorder(leader)), ""
