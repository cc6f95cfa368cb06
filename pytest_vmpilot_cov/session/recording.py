"""What measures this process when no other coverage.py does: a recorder of ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import say
from server_hook.environment import process_state
from server_hook.record import lifecycle, recorder
from server_hook.store.segment import Label

if TYPE_CHECKING:
    from server_hook.coverage_private import WatchedCoverage
    from server_hook.record.presence import Presence
    from server_hook.record.recorder import Recorder

SHOWN_FILES = 3
OUTSIDE = "unit"
"""The origin of what this process runs outside test files."""


class Recording:
    """Measure the leading process, or a worker of pytest-xdist."""

    data_file = ""
    """The data file that another coverage.py writes at the end of this process; here there is none."""
    measures_children = False
    """Whether another coverage.py measures the children."""

    def __init__(self, recorder: Recorder, outer: Recorder | None = None) -> None:
        """Prepare; nothing is measured yet.

        Args:
            recorder: what will measure.
            outer: the recorder of the session around this one; it stops meanwhile.
        """
        self._recorder = recorder
        self._outer = outer

    @property
    def presence(self) -> Presence:
        """How children and pytest-xdist workers find this process."""
        return self._recorder.presence

    @property
    def cov(self) -> WatchedCoverage:
        """The coverage.py that measures."""
        return self._recorder.cov

    @property
    def core(self) -> str:
        """The core in use, with the reason why it is that one."""
        return f"{self._recorder.core} ({self._recorder.settings.core_reason})"

    @property
    def label(self) -> Label:
        """What the lines that run now count for."""
        return self._recorder.drain.label

    def start(self) -> None:
        """Start measuring, then write this process's record, which tells children how to measure.

        Raises:
            HookError: when coverage.py cannot measure here; nothing has started then.
            OSError: when the record cannot be written; measurement has started.
        """
        if self._outer is not None:
            self._outer.flush()  # what has run so far is the outer session's
            self._outer.stop()
        lifecycle.begin(self._recorder)
        self.switch(Label(OUTSIDE, startup=True))
        self._recorder.announce()  # after the start, which settles the core that the record names

    def switch(self, label: Label) -> None:
        """Count the lines that run from now on for another label."""
        # pytest-forked runs each test in a fork, which has a recorder of its own
        forked = None if self._recorder.pid == os.getpid() else recorder.current()
        (forked or self._recorder).switch(label)

    def finish(self) -> str:
        """Write what was measured, and stop: the verdict is not measured.

        Returns what is missing of it, and why; empty for nothing.
        """
        self._recorder.flush()
        # what is still there after the flush could not be written
        waiting, left_out = self._recorder.drain.cut(), self._recorder.drain.left_out()
        self._recorder.stop()
        self._hand_back()
        if waiting:
            return self._recorder.problems.latest.partition(";")[0]
        return self._say_left_out(left_out) if left_out else ""

    def warnings(self) -> list[str]:
        """List what coverage.py warned of."""
        return self._recorder.cov.warnings()

    def close(self) -> None:
        """End this process's record, so that it is no longer asked for data."""
        if self.presence.record is not None:  # else it never began
            self._recorder.finish()
            self._recorder.stop()
        self._hand_back()

    def _say_left_out(self, paths: list[str]) -> str:
        names = [os.path.relpath(path, self._recorder.settings.folder) for path in sorted(paths)]
        more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        return say("coverage-on-top", files=", ".join(names[:SHOWN_FILES]) + more)

    def _hand_back(self) -> None:
        if self._outer is not None and process_state().recorder is None:  # stopped, and not started again yet
            lifecycle.begin_again(self._outer)
