"""The change: which lines it added or touched, and who reached them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pytest_vmpilot_cov.model.figures import Row, Tally
from pytest_vmpilot_cov.model.value import Value


class Diff(Value):
    """The lines that a change added or touched, as git tells it: what isn't committed included."""

    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Source file of the project, as it is now -> lines, with and without statements, ascending."""
    base: str = ""
    """The commit that the files are compared with; empty if there is none."""
    against: str = ""
    """How it was chosen, in words."""
    top: str = ""
    """The top folder of the repository."""
    notes: tuple[str, ...] = ()
    """What may be missing, one sentence each."""
    problem: str = ""
    """Why git could not tell, if it could not; nothing else is set then."""


class ChangedFile(Value):
    """The statements of one file that a change added or touched: those that begin in a line of it."""

    statements: tuple[int, ...]
    missing: tuple[int, ...]
    """Those that nobody reached."""
    reached: Mapping[str, tuple[int, ...]]
    """Origin -> those that it reached."""
    ranges: tuple[tuple[int, int], ...]
    """The missing ones as first and last line of each stretch, between which there is no other statement."""

    @property
    def tally(self) -> Tally:
        """How many there are, and how many are missing."""
        return Tally(len(self.statements), len(self.missing))


class Change(Value):
    """What a change added or touched, counted in statements."""

    diff: Diff
    rows: tuple[Row, ...]
    """What each origin reached of it."""
    total: Row
    files: Mapping[str, ChangedFile]
    """Files that have such statements."""
