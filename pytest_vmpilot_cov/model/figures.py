"""The figures: rows, tallies, and the lines that each origin reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.model.value import Value

if TYPE_CHECKING:  # it imports this module
    from pytest_vmpilot_cov.model.change import Change


class Row(Value):
    """What one origin, or all of them together, reached; every row has the same statements."""

    origin: str
    files: int
    statements: int
    reached: int
    percent: float
    only_here: int
    """Statements that no other origin reached; 0 in the combined row."""


class Tally(Value):
    """What there is to reach in a file, or in some, and how much of it was not reached; both may be added."""

    statements: int = 0  # the defaults make Tally() the start of a sum
    missing: int = 0
    branches: int = 0
    missing_branches: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Take two together."""
        return Tally(
            self.statements + other.statements,
            self.missing + other.missing,
            self.branches + other.branches,
            self.missing_branches + other.missing_branches,
        )

    @property
    def there(self) -> int:
        """How many statements and branches there are."""
        return self.statements + self.branches

    @property
    def to_gain(self) -> int:
        """How many statements and branches are missing."""
        return self.missing + self.missing_branches

    @property
    def percent(self) -> float:
        """The percentage, as coverage.py's ``Numbers.pc_covered`` has it, where there is anything to reach."""
        # 0 is the caller's to exclude: it has no percentage
        return 100.0 * (self.there - self.to_gain) / self.there


class Figures(Value):
    """The rows, and for each file the lines that each origin reached."""

    rows: tuple[Row, ...]
    total: Row
    lines: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Path -> origin -> reached statements, ascending."""
    problem: str = ""
    """Why coverage.py could not count, if it could not."""
    tallies: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    """Path -> origin, or ``combined`` -> what there is and what is missing."""
    missing: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Path -> statements that nobody reached, ascending."""
    change: Change | None = None
    """What the change added or touched of it; None unless that was requested."""

    def sets_of(self, path: str) -> dict[str, int]:
        """Count the statements of a file by who reached them: one origin alone, several of them, nobody."""
        reaching = Counter(line for lines in self.lines[path].values() for line in lines)
        alone = {
            row.origin: sum(reaching[line] == 1 for line in self.lines[path].get(row.origin, ())) for row in self.rows
        }
        nobody = self.tallies[path]["combined"].missing if path in self.tallies else 0
        return {**alone, "several": sum(number > 1 for number in reaching.values()), "nobody": nobody}

    @property
    def sets(self) -> dict[str, int]:
        """The same for all files together."""
        alone = {row.origin: row.only_here for row in self.rows}
        several = self.total.reached - sum(alone.values())  # reached, but not by one origin alone
        return {**alone, "several": several, "nobody": self.total.statements - self.total.reached}
