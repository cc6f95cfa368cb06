"""A server of the matrix while it is tested: who answers, who is recorded, what was measured."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from server_hook.store import records, segment, working_folder
from server_hook.store.records import Record
from tests.conftest import PATIENCE_S, SHOWS_PROCESSES, Project, Server, wait_for
from tests.server import programs
from tests.server.matrix import MAX_REQUESTS, Row

AT_ONCE = 4
TOUCH_S = 10.0
"""A reloader that was not watching yet misses a touch: then there is another one."""
_DELIVERED = re.compile(r"(\d+) of (\d+) live process(?:es)? delivered \((.*)\)")


@dataclass
class Subject:
    """One row's server, alive."""

    app: Project
    row: Row
    server: Server
    answers: Counter[int] = field(default_factory=Counter)
    """How many pages each process has answered."""

    def page(self, path: str) -> int:
        """Ask for a page; return the pid of the process that answered."""
        pid = self._ask(path)
        self.answers[pid] += 1
        return pid

    def settle(self, most: int = MAX_REQUESTS // 2) -> set[int]:
        """Ask until every process that serves has answered, and no more than *most* pages, so that it will go on."""
        before = self.answers.copy()

        def is_settled() -> bool:
            self._ask_at_once()
            serving = self.serving()
            return len(serving) == self.row.serving and all(before[pid] < self.answers[pid] < most for pid in serving)

        if self.row.renewed_by != "requests":
            most = sys.maxsize
        wait_for(is_settled, lambda: f"{self.answers} {self.live()}\n{self.log()}")
        return self.serving()

    def renew(self, pid: int) -> None:
        """Make the server end the process *pid*, and serve from another one."""
        touched_at = 0.0

        def is_gone() -> bool:
            nonlocal touched_at
            if self.row.renewed_by == "touch" and time.monotonic() > touched_at + TOUCH_S:
                (self.app.path / "app/__init__.py").touch()
                touched_at = time.monotonic()
            self._ask_at_once()
            return pid not in self.members()

        wait_for(is_gone, self.log)

    def records(self) -> list[Record]:
        """Return the record of every process that was recorded."""
        found = map(records.read_record, working_folder.process_folders(self.app.path))
        return [record for record in found if record is not None]

    def live(self) -> set[int]:
        """Return the pids of the recorded processes that live."""
        return {record.pid for record in self.records() if records.life_of(record, 0) == "live"}

    def serving(self) -> set[int]:
        """Return the pids of the live processes that have answered a page."""
        return self.live() & self.answers.keys()

    def on_disk(self) -> set[int]:
        """Return the lines of the application that the segments hold."""
        lines = 0
        for folder in working_folder.process_folders(self.app.path):
            for _, parts in segment.read_folder(folder):
                for part in parts if isinstance(parts, list) else ():
                    for source, measured in part.files.items():
                        lines |= segment.to_lines(measured) if source.path.endswith("main.py") else 0
        return set(segment.line_numbers(lines))

    def log(self) -> str:
        """Return the end of what the server has logged."""
        return self.server.log.read_text()[-1000:]

    def members(self) -> set[int]:
        """Return the pids of the processes of the server's group that have not ended."""
        if SHOWS_PROCESSES:
            return set(_members(self.server.pid))
        self.server.process.poll()
        heard_of = {self.server.pid, *self.answers, *(record.pid for record in self.records())}
        return {pid for pid in heard_of if is_there(pid)}

    def signal_group(self, number: int) -> None:
        """Send a signal to every process of the server."""
        if self.members():
            with suppress(ProcessLookupError):
                os.killpg(self.server.pid, number)

    def await_end(self) -> None:
        """Wait until no process of the server is left."""
        self.server.process.wait(PATIENCE_S)
        wait_for(lambda: not self.members(), lambda: f"{self.members()} go on\n{self.log()}")

    def _ask(self, path: str) -> int:
        if self.row.packages == ("celery",):
            asked = self.app.run("python", "ask.py", path)
            body = asked.stdout or asked.stderr
        else:
            body = self.server.get(path)
        if not body:
            raise HTTPException("the process ended before it had answered")
        name, _, pid = body.partition(" ")
        assert name == (path[1:] or "other"), body
        return int(pid)

    def _ask_at_once(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = [pool.submit(self._ask, "/pid") for _ in range(AT_ONCE)]
        for each in asked:
            with suppress(OSError, HTTPException):  # a process that ends may break a connection off
                self.answers[each.result()] += 1


def start(app: Project, row: Row, interval_s: float) -> Subject:
    """Start a row's server in a project of its own, and wait until it answers."""
    concurrency = f"concurrency = {row.concurrency}\n" if row.concurrency else ""
    app.write(".coveragerc", f"[run]\nsource = app\n{concurrency}[vmpilot_cov]\ninterval_s = {interval_s}\n")
    app.write("app/__init__.py", "")
    app.write("app/main.py", row.source)
    app.write("run.py", programs.UVICORN_IN_A_THREAD)
    app.write("ask.py", programs.ASK_CELERY)
    for folder in ("queue", "results"):
        (app.path / folder).mkdir()
    is_http = row.packages != ("celery",)
    server = app.serve(*row.command, env={"VMPILOT_COV": ".", "PYTHONPATH": str(app.path)}, wait=is_http)
    subject = Subject(app, row, server)
    if not is_http:
        subject.page("/")
    return subject


def delivered(report: str) -> tuple[set[int], int]:
    """Read from a report which live processes delivered, where all did, and how many are meant."""
    found = _DELIVERED.search(report)
    assert found, report
    assert found[1] == found[2], report
    return {int(pid) for pid in re.findall(r"pid (\d+)", found[3])}, int(found[1])


def is_there(pid: int) -> bool:
    """Tell whether a process has not ended, or is still to be waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _members(group: int) -> Iterator[int]:
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, found = (place / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(found) == group and state != "Z":
                yield int(place.name)


def end_all(app: Project) -> None:
    """Kill what is left of every server that was started in a project, orphans included."""
    for server in app.started:
        if not SHOWS_PROCESSES or list(_members(server.pid)):
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
        server.process.wait(PATIENCE_S)
