"""The board: a page on which a test process says which test it runs, for every server that can see its folder.

A server reads it when a request begins; nobody is asked and nobody waits. The session writes through a shared mapping,
in about a microsecond. A reader opens the file each time: a mapping would keep a descriptor in somebody's server.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from server_hook.clock import steady
from server_hook.store import records, safe_files
from server_hook.store.records import BOARD, Record
from server_hook.store.working_folder import WORKING_FOLDER
from server_hook.systems.systems import system

PAGE_BYTES = 4096
UNNAMED = "|"
"""What a board shows while a test runs whose name is too long for it, or isn't all written yet."""
LOOK_S = 0.01
"""How many seconds lie at least between two looks for new boards."""
AGAIN_S = 1.0
"""A folder that looks unchanged is listed again after this many seconds: some file systems tell the time roughly."""
LIFE_S = 0.05
"""For how many seconds a test process counts as alive that was found alive."""
YOUNG_S = 10.0
"""A folder that has been there for this long without a board gets none any more."""
_HEAD_BYTES = 8
_ATTEMPTS = 4


class Board:
    """The board of this process."""

    def __init__(self, folder: str) -> None:
        """Put up an empty board.

        Args:
            folder: that of this process, below the working folder.

        Raises:
            OSError: when the folder cannot be written.
        """
        import mmap  # only a test process needs it

        self.path = os.path.join(folder, BOARD)
        safe_files.replace(self.path, bytes(PAGE_BYTES))
        number = os.open(self.path, os.O_RDWR | system.NO_LINK)
        try:
            self._page = mmap.mmap(number, PAGE_BYTES)
        finally:
            os.close(number)
        _ring(os.path.dirname(folder))

    def show(self, test: str) -> None:
        """Say which test runs from now on.

        Args:
            test: its name and phase; empty for none.
        """
        page = _page_of(test)
        self._page[: len(page)] = page

    def take_down(self) -> None:
        """Say that no test runs here any more."""
        self.show("")
        self._page.close()  # Windows deletes no file that is mapped
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def _page_of(test: str) -> bytes:
    """Return what a board holds while a test runs: the length of its name, a checksum, and the name."""
    name = test.encode("utf-8", "replace")
    if len(name) > PAGE_BYTES - _HEAD_BYTES:
        name = UNNAMED.encode()
    return len(name).to_bytes(4, "little") + zlib.crc32(name).to_bytes(4, "little") + name


def _ring(working: str) -> None:
    """Change the time of the working folder, by which readers see that there is a new board."""
    with contextlib.suppress(OSError):  # another user's folder: they see it a second later
        moment = time.time_ns()  # the kernel's own stamps are equal for milliseconds
        os.utime(working, ns=(moment, moment))


def read(path: str) -> str:
    """Read which test a board shows; empty for none, ``UNNAMED`` for one whose name cannot be read.

    Raises:
        OSError: when it is gone, or somebody else has put it there.
    """
    for _ in range(_ATTEMPTS):  # the checksum is wrong while the page is being written
        page = safe_files.read(path, PAGE_BYTES)
        name = page[_HEAD_BYTES : _HEAD_BYTES + int.from_bytes(page[:4], "little")]
        if zlib.crc32(name) == int.from_bytes(page[4:_HEAD_BYTES], "little"):
            return name.decode("utf-8", "replace")
    return UNNAMED


def name_of(test: str) -> str:
    """Return the name of a test without its phase."""
    return test.rpartition("|")[0]


class Posted:
    """The board of one test process, as others read it."""

    def __init__(self, folder: str, record: Record) -> None:
        """Take what its process says of itself.

        Args:
            folder: that of the test process.
            record: that of the test process.
        """
        self.pid = record.pid
        self._folder = Path(folder)
        self._path = os.path.join(folder, BOARD)
        self._record = record
        self._life: records.Life = "dead"
        self._checked_at = -LIFE_S

    def test(self) -> str:
        """Return the test that it shows; empty for none, and when its process is gone."""
        try:
            shown = read(self._path)
        except OSError:
            return ""
        return shown if shown and self.life() != "dead" else ""  # one that was killed still shows its last test

    def life(self) -> records.Life:
        """Tell whether its process lives, and whether here; what was seen lately holds for a while."""
        if steady() - self._checked_at >= LIFE_S:
            self._life = records.life_of(self._record, records.heartbeat_age_s(self._folder))
            self._checked_at = steady()
        return self._life


class Boards:
    """The boards in some working folders."""

    def __init__(self, data_folders: Iterable[str]) -> None:
        """Look at nothing yet.

        Args:
            data_folders: the folders that hold, or will hold, a working folder.
        """
        folders = dict.fromkeys(os.path.realpath(folder) for folder in data_folders if folder)
        self._places = [_Place(os.path.join(folder, WORKING_FOLDER)) for folder in folders]
        self.sessions = 0
        """How many sessions were met, of those that did not run at the same time."""
        self._posted: list[Posted] = []
        self._due = 0.0
        self._several, self._several_until = False, 0.0

    def posted(self) -> list[Posted]:
        """Return the boards of all test processes that live."""
        moment = steady()
        if moment >= self._due:
            self._due = moment + LOOK_S
            new = [board for place in self._places for board in place.look(moment)]
            if new or self._posted:
                before = [board for board in self._posted if board.life() != "dead"]
                self._posted = [*before, *(board for board in new if board.life() != "dead")]
                self.sessions += bool(self._posted) and not before
        return self._posted

    def running(self, most: int) -> list[str]:
        """Return the tests that run now.

        Args:
            most: after how many to stop.
        """
        tests: list[str] = []
        for board in self.posted():
            if len(tests) < most and (test := board.test()):
                tests.append(test)
        return tests

    def are_several(self) -> bool:
        """Tell whether more than one test ran a moment ago: enough to count by, and strangers may ask often."""
        if steady() >= self._several_until:
            self._several, self._several_until = len(self.running(most=2)) > 1, steady() + LOOK_S
        return self._several


class _Place:
    """One working folder, in which boards appear."""

    def __init__(self, working: str) -> None:
        """Look at nothing yet."""
        self._working = working
        self._stamp = 0
        self._again = 0.0
        self._looked_at: dict[str, float] = {}
        """When a name was first seen."""

    def look(self, moment: float) -> list[Posted]:
        """Return the boards that are new; nothing is listed while the folder is as it was."""
        try:
            stamp = os.stat(self._working).st_mtime_ns
        except OSError:
            return []
        if stamp == self._stamp and moment < self._again:
            return []
        self._stamp, self._again = stamp, moment + AGAIN_S
        with contextlib.suppress(OSError):
            safe_files.check_folder(self._working)
            names = os.listdir(self._working)
            here = set(names)
            # a server may outlive any number of test processes
            self._looked_at = {name: first for name, first in self._looked_at.items() if name in here}
            return [board for name in names if (board := self._look_at(name, moment))]
        return []

    def _look_at(self, name: str, moment: float) -> Posted | None:
        """Look for the board of one process until it is there, or none will come."""
        if moment - self._looked_at.setdefault(name, moment) > YOUNG_S:
            return None
        folder = os.path.join(self._working, name)
        if not os.path.lexists(os.path.join(folder, BOARD)):
            return None
        with contextlib.suppress(OSError):
            safe_files.check_folder(folder)
            record = records.load_record(Path(folder))
            self._looked_at[name] = -YOUNG_S - 1
            return Posted(folder, record)
        return None
