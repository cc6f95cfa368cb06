"""The options: every setting with the place where it was set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_vmpilot_cov.model.value import Value

if TYPE_CHECKING:  # every pytest session of the environment imports this module, so it loads nothing else
    from server_hook.config.settings import Settings


T = TypeVar("T")

ORIGINS = ("unit", "e2e", "pipeline")
TYPED = "the command line"
"""The place of a setting that was typed for this run."""


class Setting(Value, Generic[T]):
    """A value with the place where it was set."""

    value: T
    where: str = "default"


class ReportRequest(Value):
    """One requested report: ``--cov-report=KIND[:DEST]``."""

    kind: str
    dest: str = ""
    skip_covered: bool = False


class Threshold(Value):
    """A threshold beside the total's percentage: of an origin, of a pattern's files, of each file, of the change."""

    name: str
    """``unit``, ``e2e``, ``pipeline``, ``each``, ``changed``, the pattern, or ``total`` against the baseline."""
    required: float
    """The percentage; 0 against the baseline."""
    where: str
    """Where it was set."""
    pattern: str = ""
    """What paths are matched against, absolute; empty where the name is no pattern."""
    baseline: bool = False
    """Whether it is compared with the baseline instead of a percentage."""


class Options(Value):
    """The resolved options of a session or a command."""

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
    data_places: tuple[Setting[Path], ...] = ()  # where each was set tells whether it has to exist
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
    change: Setting[str] | None = None
    """What the change is compared with, empty for the default; None if nobody asks for the change."""
    annotations: bool = False
    """Whether GitHub shows beside the source which lines of the change nobody reached."""
    origin: str = ""
    """The only origin to report on; empty for all of them."""

    tests_file: str = ".coverage.tests"
    """The name of the data file with what tests reached; each COVERAGE_FILE of a folder has one of its own."""

    @property
    def data_folder(self) -> Path:
        """The folder of ``.coverage``, which holds ``.vmpilot-cov`` too."""
        return Path(self.settings.data_file).parent
