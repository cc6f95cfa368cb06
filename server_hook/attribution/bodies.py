"""What is noted of the code objects of the source, and of the tests whose work runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType

from server_hook.store.segment import Measured

PATIENCE = 64
"""How many events in a code object may say nothing new before the tests that are elsewhere are waited for no longer."""


class Work:
    """What one test has run here."""

    def __init__(self, test: str) -> None:
        """Begin with nothing."""
        self.test = test
        self.files: dict[str, set[int]] = {}
        """The lines of each file, and the numbers of arcs, which are none of a line."""
        self.drained: dict[str, int] = {}
        """How many lines and arcs of each file were drained."""

    def new(self, pack: Callable[[set[int]], Measured]) -> Iterator[tuple[str, Measured, int]]:
        """Walk the files of which it has run more since the last drain: path, what it has run, how many.

        Args:
            pack: turns what it has run of a file into what is stored.
        """
        for path, lines in self.files.copy().items():
            if len(lines) != self.drained.get(path):
                ran = lines.copy()
                yield path, pack(ran), len(ran)


class Body:
    """A code object of the source."""

    __slots__ = (
        *("code", "cooling", "coolings", "is_armed", "lacking"),
        *("path", "patience", "ran", "size", "vain"),
    )

    def __init__(self, code: CodeType, path: str) -> None:
        """Begin with a code object that no test has entered."""
        self.code = code
        self.path = path
        self.is_armed = False
        """Whether its entries make events."""
        self.ran: dict[str, set[int]] = {}
        """The lines of each test whose work may be inside; replaced, never changed."""
        self.lacking: set[int] | None = None
        """What the test has run that was last seen to lack something; None where nobody has looked."""
        self.size = len(code.co_code)
        self.coolings = 0
        self.vain, self.patience = 0, PATIENCE
        """How many events have said nothing new, and how many may."""
        self.cooling: object = None
        """Who is about to wait no longer for those elsewhere; an entry puts an end to that."""


def frames_of(code: CodeType) -> int:
    """Count the frames of a code object that are on the stack of any thread."""
    count = 0
    for frame in list(sys._current_frames().values()):
        each: FrameType | None = frame
        while each is not None:
            count += each.f_code is code
            each = each.f_back
    return count
