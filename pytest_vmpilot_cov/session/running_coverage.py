"""What measures this process when a coverage.py was there first: PyCharm's "Run with Coverage", ``coverage run``.

Two collectors in one process take the tracer from each other. The one that was there first goes on undisturbed and
writes its own file; the verdict reads what it has measured. Servers and children are recorded as always.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.session.recording import OUTSIDE
from server_hook.arcs import Arcs
from server_hook.clock import now
from server_hook.environment import FOREIGN_VARIABLES
from server_hook.problems import Problems
from server_hook.record.presence import Presence
from server_hook.store import segment
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Label, Part, Source

if TYPE_CHECKING:
    from coverage import Coverage

    from pytest_vmpilot_cov.model import Options


class RunningCoverage:
    """Use what a coverage.py that already runs measures; it doesn't tell tests apart."""

    core = "of the coverage.py that runs already"

    def __init__(self, cov: Coverage, options: Options, session: str | None) -> None:
        """Prepare beside it.

        Args:
            cov: the coverage.py that runs.
            options: the session's, by ``beside``.
            session: the session's id; None makes one.
        """
        self.cov = cov
        self.data_file = _data_file_of(cov)
        """The data file that it writes at the end of this process."""
        name = f"{os.getpid()}-{os.urandom(4).hex()}"
        self.presence = Presence(str(options.data_folder), name, session, Problems())
        """How children and pytest-xdist workers find this process."""
        self.label = Label(OUTSIDE, startup=True)
        """What the lines that run now would count for."""
        self.measures_children = any(name in os.environ for name in FOREIGN_VARIABLES)
        """Whether it measures the children, too, through its own environment variables."""
        self._options = options
        self._origins: set[str] = set()
        self._began = now()

    def start(self) -> None:
        """Write this process's record, which tells children how to measure; it opens no control channel.

        Raises:
            OSError: when the record cannot be written.
        """
        self.presence.announce(OUTSIDE, "", self._options.settings)

    def switch(self, label: Label) -> None:
        """Note the origin of the current test; the other coverage.py can't drop anything."""
        self.label = label
        if not label.startup and not label.dropped:
            self._origins.add(label.origin)

    def finish(self) -> str:
        """Write what was measured as one segment; return which origin it counts for, and why.

        Raises:
            OSError: when the segment cannot be written.
        """
        # it has one set of lines for all tests, so they count for one origin
        origin = "e2e" if self._origins == {"e2e"} else OUTSIDE
        part = Part(Label(origin), self._began, now())
        for source, measured in _measured_by(self.cov, str(self._options.root)):
            part.add(source, measured)
        segment.write(self.presence.folder, 1, [part])  # its only one
        children = "; those that this process starts are its as well" if self.measures_children else ""
        return say("collector-running", file=self.data_file, origin=origin, children=children)

    def warnings(self) -> list[str]:
        """List no warning: this coverage.py shows its own."""
        return []

    def close(self) -> None:
        """Say that this process has ended."""
        with suppress(OSError):
            self.presence.end()


def beside(cov: Coverage, options: Options) -> Options:
    """Keep our data out of the folder of an IDE, which names its own file in COVERAGE_FILE.

    Args:
        cov: the coverage.py that runs already.
        options: the session's.
    """
    settings = options.settings
    if settings.data_file != _data_file_of(cov):
        return options
    return replace(options, settings=settings._replace(data_file=str(Path(settings.folder, ".coverage"))))


def _data_file_of(cov: Coverage) -> str:
    return os.path.abspath(str(cov.get_option("run:data_file")))


def _measured_by(cov: Coverage, root: str) -> Iterator[tuple[Source, segment.Measured]]:
    """Yield what a running coverage.py has measured so far; it goes on and keeps its data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will warn at its own end
        data = cov.get_data()
    for path in data.measured_files():
        arcs = data.arcs(path)
        measured = Arcs(arcs) if arcs else segment.bitmap(data.lines(path) or ())
        if measured:
            file = os.path.join(root, path)  # relative only with [run] relative_files
            yield Source(file, fingerprint(file), data.file_tracer(path) or ""), measured
    if sys.version_info >= (3, 12):  # its tracer reports each line once, and later lines must be new to it
        sys.monitoring.restart_events()
