"""The matrix of servers: asked alive, every process delivers and serves on; however they end, every line is kept.

By default each of the usual rows is tested with one end; with ``TEST_SERVERS=all`` each row is tested with each end.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Project, lines_in, needs_proc, numbered, wait_for
from tests.server.matrix import KILL_GROUP, MAX_REQUESTS, ROWS, TERM, Row
from tests.server.subject import Subject, delivered, end_all, start

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

RARE_S = 3600.0
"""An interval that never comes: whatever is found was written on demand or at the end."""
OFTEN_S = 0.2


def cells() -> Iterator[ParameterSet]:
    """Walk the matrix: each row with one end, in turn, or with each."""
    whole = os.environ.get("TEST_SERVERS") == "all"
    for number, row in enumerate(row for row in ROWS if whole or row.usual):
        for end in row.ends if whole else [row.ends[number % len(row.ends)]]:
            missing = pytest.mark.skipif(bool(row.missing()), reason=row.missing())
            yield pytest.param(row, end, marks=missing, id=f"{row.name}, {end} ({row.versions()})")


@pytest.fixture
def app(project: Project) -> Iterator[Project]:
    """Give an empty project; end every process of the servers that were started in it."""
    yield project
    end_all(project)


@pytest.mark.parametrize(("row", "end"), list(cells()))
def test_a_server_keeps_every_line(app: Project, row: Row, end: str) -> None:
    """Every process delivers while it serves and goes on serving; exactly what was executed is kept after the end."""
    is_killed = end == KILL_GROUP or row.kills
    subject = start(app, row, OFTEN_S if is_killed else RARE_S)
    first = subject.page("/driven")
    if row.renewed_by:
        subject.renew(first)
    ask_alive(subject)
    subject.page("/last")
    if is_killed:
        wait_for(lambda: subject.on_disk() >= set(lines_of(row, "last")))
    end_by(subject, end)
    if is_killed:
        app.run("vmpilot-cov", "combine")
    assert published(app) == lines_of(row, "last", *["stop"] if end in row.stops and not is_killed else [])
    records = subject.records()
    if not is_killed:
        parents = {subject.server.pid} if row.parents else set()
        assert {record.pid for record in records if record.ended} == {*subject.answers, *parents}
        assert all(record.ended for record in records)
    assert "vmpilot-cov:" not in subject.server.log.read_text()


@needs_proc
@pytest.mark.parametrize("name", ["uvicorn --workers", "uvicorn --reload"])
def test_orphans_go_on_recording(app: Project, name: str) -> None:
    """Children that serve on after their parent was killed are found and named, and keep every line to their end."""
    [row] = [row for row in ROWS if row.name == name]
    subject = start(app, row, RARE_S)
    orphans = subject.settle()
    subject.server.stop(signal.SIGKILL)
    assert subject.page("/driven") in orphans
    report = app.run("vmpilot-cov", "combine")
    assert delivered(report.stdout) == (orphans, len(orphans))
    named = re.findall(r"process (\d+) .* listens at (\S+) although .*\(orphan-server\)", report.stdout)
    assert set(named) == {(str(pid), subject.server.url.removeprefix("http://")) for pid in orphans}
    assert published(app) == numbered(row.source, "start", "always", "driven", "pid")
    assert subject.page("/last") in orphans
    subject.signal_group(signal.SIGTERM)
    subject.await_end()
    assert published(app) == numbered(row.source, "start", "always", "driven", "pid", "last", "stop")
    assert {record.pid for record in subject.records() if record.ended} == orphans


def ask_alive(subject: Subject) -> None:
    """Ask a live server: all its processes deliver, all that ran is counted, and the same processes go on serving."""
    serving = subject.settle()
    report = subject.app.run("vmpilot-cov", "combine")
    assert "WARNING" not in report.stdout, report.stdout
    pids, processes = delivered(report.stdout)
    assert pids == serving | ({subject.server.pid} if subject.row.parents else set())
    assert len(pids) == processes
    assert lines_in(subject.app.path / ".coverage", "pipeline")["main.py"] == lines_of(subject.row)
    assert subject.settle(MAX_REQUESTS) == serving


def lines_of(row: Row, *more: str) -> list[int]:
    """Return the lines of a row's application that were reached: by pages, by renewed processes, and *more*."""
    return numbered(row.source, "start", "always", "driven", "pid", *["stop"] if row.renewed_by else [], *more)


def end_by(subject: Subject, end: str) -> None:
    """End a server in one of the ways, and wait until none of its processes is left."""
    if end == TERM:
        subject.server.stop()
    else:
        subject.signal_group(signal.SIGKILL if end == KILL_GROUP else signal.SIGTERM)
    subject.await_end()


def published(app: Project) -> list[int]:
    """Read what the published pipeline data says of the application."""
    return lines_in(app.path / ".coverage.pipeline", "pipeline")["main.py"]
