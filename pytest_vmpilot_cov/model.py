"""The frozen values that travel along the way: options, deliveries, what was combined, figures, verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:  # every pytest session of the environment knows the words of this module: it loads nothing else
    from server_hook.announce import Life, Record
    from server_hook.publish import ByContext
    from server_hook.segment import Part
    from server_hook.settings import Settings

T = TypeVar("T")

ORIGINS = ("unit", "e2e", "pipeline")
TESTS_FILE = ".coverage.tests"
TYPED = "the command line"
"""The place of a setting that was typed for this run."""


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A value with the place where somebody set it."""

    value: T
    where: str = "default"


@dataclass(frozen=True)
class ReportRequest:
    """One report that was asked for: ``--cov-report=KIND[:DEST]``."""

    kind: str
    dest: str = ""
    skip_covered: bool = False


@dataclass(frozen=True)
class Threshold:
    """A threshold beside the total's: of an origin, of the files that match a pattern, or of each file."""

    name: str
    """``unit``, ``e2e``, ``pipeline``, ``each``, or the pattern."""
    required: float
    where: str
    """Where it was set."""
    pattern: str = ""
    """What paths are matched against, absolute; empty where the name is no pattern."""


@dataclass(frozen=True)
class Options:
    """Everything that a session or a command was told, resolved once."""

    root: Path
    """What relative destinations and places are read against."""
    settings: Settings
    fail_under: Setting[float | None]
    precision: int
    source_from: str = ""
    """Where the source was named; empty for no configuration."""
    thresholds: tuple[Threshold, ...] = ()
    """Those beside the total's, in the order of the configuration."""
    strict: bool = False
    """Whether thresholds of the configuration are enforced in a partial run, too."""
    not_enforced: str = ""
    """Which thresholds were left out, and why; empty for none."""
    reports: tuple[ReportRequest, ...] = ()
    places: tuple[Setting[Path], ...] = ()
    """Where data of pipeline servers may lie: data files or folders."""
    require: frozenset[str] = frozenset()
    """Origins without which there is no passing."""
    append: bool = False
    context: str = ""
    """What lines are recorded for beside their origin: ``test`` for each test, or empty."""
    no_cov_on_fail: bool = False
    """Whether a session in which a test has failed neither reports nor judges."""
    reset: bool = False
    """Whether the servers begin a new epoch when the session does."""
    stale: str = "drop"
    """What becomes of data whose source has changed since: drop it, fail because of it, or keep it."""
    show_sets: bool = False
    """Whether the section says for each file who alone reached how much of it."""

    @property
    def data_folder(self) -> Path:
        """The folder of ``.coverage``, which holds ``.vmpilot-cov`` too."""
        return Path(self.settings.data_file).parent


@dataclass(frozen=True)
class Delivery:
    """What one announced process gave: its answer to a dump, or the fact that it gave none."""

    record: Record
    life: Life
    folder: Path
    """Where the process keeps its record and its segments."""
    asked: bool = False
    answered: bool = False
    problem: str = ""
    """Why a live process did not answer, or what it said is wrong."""
    executed: bool = False
    """Whether any line that it executed was found."""
    newest: float = 0.0
    """When its last segment ended, in seconds since the epoch; 0 where there is none."""
    alive_at: float = 0.0
    """When it last gave a sign of life; 0 where it never did."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    """What it answered, as ``server_hook.answers`` says."""
    ports: tuple[str, ...] = ()
    """The TCP addresses at which it listens; only of an orphan, and where somebody has asked for its status."""


@dataclass(frozen=True)
class Place:
    """A data file or data folder to read, and what is known of it beyond its path."""

    path: Path
    named: str
    """What to call it: a copy is called after what it is a copy of."""
    origin: str = ""
    """Whose data a file is that does not say so itself; empty to tell by its name."""
    is_copy: bool = False
    """Whether it is nobody's but ours: no process behind it is asked, and nobody writes it meanwhile."""


@dataclass(frozen=True)
class DataFile:
    """A coverage data file that was read beside the segments."""

    path: Path
    written: float
    """When, in seconds since the epoch."""
    published: bool = False
    """Whether it is a publication of ours, which knows its fingerprints."""
    named: str = ""
    """What to call it, where it is a copy of something else; empty for its path."""
    origins: frozenset[str] = frozenset()
    """Whose data it holds; empty where it holds none."""


@dataclass(frozen=True)
class Collected:
    """All that was found: parts of every process, who delivered, and what could not be read."""

    parts: tuple[Part, ...]
    deliveries: tuple[Delivery, ...] = ()
    data_files: tuple[DataFile, ...] = ()
    problems: tuple[str, ...] = ()
    reset_at: float = 0.0
    """When the servers were last reset, in seconds since the epoch; 0 for never. What they measured before is out."""


@dataclass(frozen=True)
class LeftOut:
    """Lines whose file has changed since they were measured."""

    path: str
    origin: str
    lines: int
    kept: bool = False
    """Whether they count all the same, because ``stale = keep`` asks for it."""


@dataclass(frozen=True)
class Mapped:
    """A file that was measured in another place, and the file of this project that it is."""

    measured: str
    path: str
    how: str
    """content, path, or [paths]: what says so."""


@dataclass(frozen=True)
class Combined:
    """The union of all parts, cut down to the project's files as they are now."""

    counted: ByContext
    untouched: frozenset[str]
    """Source files of the project that nobody ever imported."""
    stale: tuple[LeftOut, ...] = ()
    foreign: tuple[str, ...] = ()
    """Measured files that are none of the project's: listed, not counted."""
    mapped: tuple[Mapped, ...] = ()
    lines_only: tuple[str, ...] = ()
    """Origins of which some data has no branches, where other data has."""
    oldest: Mapping[str, float] = field(default_factory=dict)
    """When the oldest counted part of each origin begun, in seconds since the epoch."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """What one origin, or all of them together, reached; every row has the same statements."""

    origin: str
    files: int
    statements: int
    reached: int
    percent: float
    only_here: int
    """Statements that no other origin reached; 0 in the combined row."""


@dataclass(frozen=True)
class Tally:
    """What there is to reach in a file, or in some, and how much of it was not reached; both may be added."""

    statements: int = 0
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
    def to_gain(self) -> int:
        """How many statements and branches are missing."""
        return self.missing + self.missing_branches

    @property
    def percent(self) -> float:
        """The percentage, as coverage.py's ``Numbers.pc_covered`` has it, where there is anything to reach."""
        there = self.statements + self.branches
        return 100.0 * (there - self.to_gain) / there


@dataclass(frozen=True)
class Figures:
    """The rows, and for each file the lines that each origin reached."""

    rows: tuple[Row, ...]
    total: Row
    lines: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Path -> origin -> reached statements, ascending."""
    problem: str = ""
    """Why coverage.py could not count, if it could not."""
    tallies: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    """Path -> origin, or ``combined`` -> what there is and what is missing."""

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
        several = self.total.reached - sum(alone.values())
        return {**alone, "several": several, "nobody": self.total.statements - self.total.reached}


@dataclass(frozen=True)
class Check:
    """One part of the verdict."""

    name: str
    passed: bool
    text: str
    required: float | None = None
    """The percentage that was asked for; None where none was."""
    actual: float | None = None
    """The percentage that was reached; None where there is none."""
    file: str = ""
    """The file with most to gain for the figure; empty where nothing is missing."""


@dataclass(frozen=True)
class Verdict:
    """The judgement: it passes when every check does."""

    checks: tuple[Check, ...]
    warnings: tuple[str, ...]
    percent: float
    not_enforced: str = ""
    """Which thresholds were left out, and why; empty for none."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)
