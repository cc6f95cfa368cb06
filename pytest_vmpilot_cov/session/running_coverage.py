"""A session in a process that another coverage.py measures: PyCharm's "Run with Coverage", ``coverage run -m pytest``.

Two collectors in one process take the tracer from each other. The one that was there first goes on undisturbed and
writes its own file; what it has measured is read for the verdict. Servers and children are recorded as ever.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from coverage import Coverage

from pytest_vmpilot_cov.integrations.debuggers import sign_here
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.session.session import OUTSIDE, Session, take_over
from server_hook.arcs import Arcs
from server_hook.clock import now
from server_hook.environment import FOREIGN_VARIABLES
from server_hook.store import records, segment
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Label, Part, Source

if TYPE_CHECKING:
    from pluggy import PluginManager

    from pytest_vmpilot_cov.model import Options
    from pytest_vmpilot_cov.session.origins import OriginRules


def is_guest() -> bool:
    """Tell whether another coverage.py measures this process, once our own start-up line has given way."""
    take_over()
    return Coverage.current() is not None


class GuestSession(Session):
    """Read what the host has measured, and judge it together with the servers and the children."""

    def __init__(self, options: Options, rules: OriginRules, plugins: PluginManager) -> None:
        """Prepare beside the coverage.py that runs."""
        host = Coverage.current()
        assert host is not None
        self._host = host
        self._origins: set[str] = set()
        self._begun = now()
        self._leaves_children = any(name in os.environ for name in FOREIGN_VARIABLES)
        file = os.path.abspath(str(host.get_option("run:data_file")))
        super().__init__(_away_from(file, options), rules, plugins)
        self.left_alone = file

    @property
    def core(self) -> str:
        """Say who measures."""
        return "of the coverage.py that runs already"

    @property
    def cov(self) -> Coverage:
        """The coverage.py that measures this process: the host."""
        return self._host

    def _reason_to_stand_back(self, known: argparse.Namespace) -> str:
        return self._give_way_to_debugger(sign_here(known, None))  # the trace function is the host's

    def _measure(self) -> None:
        self._write_record()

    def _set_environment(self, name: str, value: str | None) -> None:
        """Tell children how to measure, unless the host measures them, too."""
        if not self._leaves_children:
            super()._set_environment(name, value)

    def _switch(self, label: Label) -> None:
        self._recorder.drain.label = label
        if not label.startup and not label.dropped:  # what is to be dropped here is the host's, too
            self._origins.add(label.origin)

    def _deliver(self) -> None:
        """Write what the host has measured as one segment of this process."""
        origin = "e2e" if self._origins == {"e2e"} else OUTSIDE
        part = Part(Label(origin), self._begun, now())
        for source, measured in _measured_by(self._host, str(self.options.root)):
            part.add(source, measured)
        segment.write(self._recorder.presence.folder, 1, [part])
        children = "; those that this process starts are its as well" if self._leaves_children else ""
        self._troubles.append(say("collector-running", file=self.left_alone, origin=origin, children=children))

    def close(self) -> None:
        """Say that this process is done with, and give the environment back."""
        self._give_back_environment()
        with suppress(OSError):
            self._write_record(ended=now())

    def _write_record(self, ended: float = 0.0) -> None:
        """Say how children are to measure; nobody is to ask this process, and it has no control channel."""
        ours, settings = self._recorder.presence, self._recorder.settings
        record = records.describe_process(ours.id, OUTSIDE, ours.session, settings._asdict())
        records.write_record(ours.folder, record._replace(started=self._begun, ended=ended))


def _away_from(file: str, options: Options) -> Options:
    """Keep our data out of the folder of an IDE, which names its own file in COVERAGE_FILE."""
    if options.settings.data_file != file:
        return options
    return replace(
        options, settings=options.settings._replace(data_file=str(Path(options.settings.folder, ".coverage")))
    )


def _measured_by(host: Coverage, root: str) -> Iterator[tuple[Source, segment.Measured]]:
    """Yield what a running coverage.py has measured so far; it goes on, and keeps all of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it has to say it will say at its own end
        data = host.get_data()
    for path in data.measured_files():
        arcs = data.arcs(path)
        measured = Arcs(arcs) if arcs else segment.bitmap(data.lines(path) or ())
        if measured:
            file = os.path.join(root, path)
            yield Source(file, fingerprint(file), data.file_tracer(path) or ""), measured
    if sys.version_info >= (3, 12):  # its tracer may have seen a line for the last time before it was written
        sys.monitoring.restart_events()
