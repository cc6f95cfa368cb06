"""The verdict, its checks, and the outcome that reports are made of."""

from __future__ import annotations

from pytest_vmpilot_cov.model.collected import Collected
from pytest_vmpilot_cov.model.combined import Combined
from pytest_vmpilot_cov.model.figures import Figures
from pytest_vmpilot_cov.model.value import Value


class Check(Value):
    """One part of the verdict."""

    name: str
    passed: bool
    text: str
    required: float | None = None
    """The required percentage; None if there is none."""
    actual: float | None = None
    """The percentage reached; None if there is none."""
    file: str = ""
    """The file whose missing lines would raise the figure most; empty if nothing is missing."""
    details: tuple[str, ...] = ()
    """Lines to show below the text."""


class Verdict(Value):
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


class Outcome(Value):
    """Everything that a report can be made of."""

    collected: Collected
    combined: Combined
    figures: Figures
    verdict: Verdict
    text: tuple[str, ...] = ()
    """What the requested reports print, one block each."""
    problems: tuple[str, ...] = ()
    """What went wrong on the way, one sentence each; a stage adds its own."""
