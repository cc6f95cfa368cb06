"""Count what a process of a pytest session runs for the origin of the current test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, TypeAlias

from pytest_vmpilot_cov.integrations.debuggers import is_debugging, trace_again
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.session.child_environment import BETWEEN_TESTS, Environment, variables_for_servers
from pytest_vmpilot_cov.session.children import Children
from pytest_vmpilot_cov.session.nesting import inner_id
from pytest_vmpilot_cov.session.recording import OUTSIDE, Recording
from pytest_vmpilot_cov.session.xdist import is_worker, read_leader, worker_recorder
from server_hook.environment import SESSION_VARIABLE, process_state
from server_hook.problems import printable
from server_hook.record import recorder
from server_hook.record.recorder import Recorder
from server_hook.store.segment import Label

if TYPE_CHECKING:
    import pytest
    from _typeshed import TraceFunction
    from coverage import Coverage

    from pytest_vmpilot_cov.model import Options
    from pytest_vmpilot_cov.session.contexts import RunningTest
    from pytest_vmpilot_cov.session.origins import OriginRules
    from pytest_vmpilot_cov.session.running_coverage import RunningCoverage

SHOWN_TESTS = 3
Measurement: TypeAlias = "Recording | RunningCoverage"
"""What measures this process: a recorder of ours, or the coverage.py that was there first."""


class Session:
    """Tell the measurement, and children, which test is running."""

    def __init__(
        self, options: Options, measurement: Measurement, environment: Environment, rules: OriginRules
    ) -> None:
        """Prepare; nothing is measured yet.

        Args:
            options: the session's.
            measurement: what measures this process.
            environment: what children inherit.
            rules: which tests are E2E tests.
        """
        self.options = options
        self.measurement = measurement
        self.server_variables: dict[str, str] = {}
        """Environment variables that make a server record itself as the pipeline."""
        self.origins: set[str] = set()
        """The origins whose tests ran in this process."""
        self._environment = environment
        self._children = Children(options.root)
        self._running_test: RunningTest | None = None
        self._outer = process_state().session
        self._rules = rules
        self._trace: TraceFunction | None = None
        self._times_taken = 0
        self._took_trace: list[str] = []
        """The tests that took the trace function from us."""
        self._origin = OUTSIDE
        """The origin of the current test."""

    @property
    def cov(self) -> Coverage:
        """The coverage.py that measures this process."""
        return self.measurement.cov

    def lead(self) -> None:
        """Tell children that this process leads their session."""
        settings = self.options.settings
        self._environment.lead(settings.config_file or settings.folder, self.measurement.presence.folder)

    def start(self) -> None:
        """Start measuring.

        Raises:
            HookError: when coverage.py cannot measure here.
            OSError: when this process cannot write its record.
        """
        self.measurement.start()
        process_state().session = self.measurement.presence.session
        self._trace = sys.gettrace()  # the core's own by now; None under sysmon
        self._environment.measure_children()  # after the start: the record tells children how to measure
        self._children.watch()
        self.server_variables = variables_for_servers(self.options)
        if self.options.context:
            from pytest_vmpilot_cov.session.contexts import RunningTest

            folder, hosts = self.measurement.presence.folder, self.options.settings.tag_requests
            self._running_test = RunningTest(folder, self._environment, hosts)

    def close(self) -> None:
        """End the measurement of this process."""
        self._children.stop()
        if self._running_test is not None:
            self._running_test.close()
        self.measurement.close()
        process_state().session = self._outer

    def finish(self) -> list[str]:
        """Stop measuring; return what is missing of the data, and why."""
        tests = self._took_trace
        more = f" and {len(tests) - SHOWN_TESTS} more" if len(tests) > SHOWN_TESTS else ""
        taken = say("trace-taken", tests=", ".join(tests[:SHOWN_TESTS]) + more) if tests else ""
        return [each for each in (self.measurement.finish(), taken, self._children.unrecorded()) if each]

    def enter_item(self, item: pytest.Item) -> None:
        """Count what a test runs, its children included, for the test's origin."""
        trace_again(self._trace)  # ``breakpoint()`` in an earlier test may have taken it away
        self._times_taken = process_state().times_taken
        self._origin = self._rules.of_item(item)
        self.origins.add(self._origin)
        if not self.options.context:  # else enter_phase does it
            self._count_for(Label(self._origin), self._origin)

    def enter_phase(self, item: pytest.Item, phase: str) -> None:
        """Count what a phase of a test runs for the test and the phase, under the name that pytest-cov gives it."""
        test = printable(f"{item.nodeid}|{phase}")  # no variable of the environment may hold a NUL
        self._count_for(Label(self._origin, test), self._origin, test)

    def enter_path(self, path: Path) -> None:
        """Count what the import of a test file runs for the origin of the file's tests."""
        self._count_for(Label(self._rules.of_path(path), startup=True), BETWEEN_TESTS)

    @contextmanager
    def leaving_out(self) -> Iterator[None]:
        """Drop what this process runs meanwhile, and keep the children that it starts from recording."""
        label = self.measurement.label
        self.measurement.switch(label._replace(dropped=True))
        self._tell_others(self._origin)
        try:
            with self._environment.recording_no_children():
                yield
        finally:
            self.measurement.switch(label)

    def leave_item(self, item: pytest.Item) -> None:
        """Count children that start from now on for no test, and take back a trace function that the test took."""
        self._tell_others(BETWEEN_TESTS)
        if process_state().times_taken != self._times_taken:
            self._took_trace.append(item.nodeid)
            # a trace function belongs to one thread: only this one's can be taken back here
            if get_ident() in process_state().taken and not is_debugging(sys.gettrace()):
                sys.settrace(None)  # ours comes back where nobody else traces

    def _count_for(self, label: Label, origin: str, test: str = "") -> None:
        """Count what runs from now on here for a label, and what runs elsewhere for an origin and a test."""
        self.measurement.switch(label)
        self._tell_others(origin, test)

    def _tell_others(self, origin: str, test: str = "") -> None:
        self._environment.count_children_for(origin, test)
        if self._running_test is not None:
            self._running_test.show(test)


def choose_measurement(options: Options, running: Coverage | None, outer: str) -> tuple[Measurement | None, str]:
    """Return what can measure this process, or None and the reason why nothing can.

    Args:
        options: the session's.
        running: another coverage.py that already measures this process, if any.
        outer: the id of the session around this one; empty for none.

    Raises:
        UsageError: when a session in this process measures it with other settings.
    """
    if not is_worker():
        session = inner_id(outer) if outer else None
        if running is not None:
            from pytest_vmpilot_cov.session.running_coverage import RunningCoverage

            return RunningCoverage(running, options, session), ""
        around = recorder.current()  # of a session in this process; that of the start-up line has ended
        if around is not None and around.settings != options.settings:
            raise UsageError(say("session-inside-differs", config=around.settings.config_file or "none"))
        own = Recorder(options.settings, str(options.data_folder), OUTSIDE, session)
        return Recording(own, around), ""
    leader = read_leader()
    if leader is None:  # the leader gives way to a debugger, or runs on another host
        return None, f"it is not told of its session (by {SESSION_VARIABLE} in its environment)"
    if running is not None:
        return None, say("already-collected", who=type(running).__module__.partition(".")[0])
    return Recording(worker_recorder(leader)), ""
