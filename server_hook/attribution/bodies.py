"""What is noted of the code objects of the source, and of the tests whose work runs them."""

from __future__ import annotations

from collections.abc import Container
from types import CodeType

PATIENCE = 64
"""How many events in a code object may say nothing new before the tests that are elsewhere are waited for no longer."""
EVERYTHING: Container[int] = range(-1 << 63, 1 << 63)
"""All lines, and the numbers of all arcs."""


class Work:
    """What one test has run here."""

    def __init__(self, test: str) -> None:
        """Begin with nothing."""
        self.test = test
        self.files: dict[str, set[int]] = {}
        """The lines of each file, and the numbers of arcs, which are none of a line."""
        self.drained: dict[str, int] = {}
        """How many lines and arcs of each file were drained."""


class Body:
    """A code object of the source."""

    __slots__ = ("arcs", "awaited", "code", "cooling", "coolings", "lacking", "path", "patience", "ran", "size", "vain")

    def __init__(self, code: CodeType, path: str) -> None:
        """Begin with a code object that no test has entered."""
        self.code = code
        self.path = path
        self.ran: dict[str, set[int]] = {}
        """The lines of each test whose work may be inside; replaced, never changed."""
        self.lacking: Container[int] = EVERYTHING
        """What the test has run that was last seen to lack something."""
        self.arcs: dict[tuple[object, ...], int] = {}
        """The numbers of the arcs that events mean, by the event and where it was; 0 for no arc."""
        self.awaited: object = None
        """The tests at work of which some have not entered it yet, when that was last looked at."""
        self.size = len(code.co_code)
        self.coolings = 0
        self.vain, self.patience = 0, PATIENCE
        """How many events have said nothing new, and how many may."""
        self.cooling: object = None
        """Who is about to wait no longer for those elsewhere; an entry puts an end to that."""
