"""The baseline: what was reached when somebody last wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pytest_vmpilot_cov.model.value import Value


class Baseline(Value):
    """How much of each file was reached earlier, in statements and branches together."""

    there: Mapping[str, int] = field(default_factory=dict)
    """Path, absolute -> how many there were."""
    reached: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Path -> origin, or ``combined`` -> how many of them were reached."""
    problem: str = ""
    """Why it cannot be used, if it cannot; nothing else is set then."""
