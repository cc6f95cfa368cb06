"""Words that several checks need: percentages that agree with what was decided, names of files."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_vmpilot_cov.messages import shown_path
from pytest_vmpilot_cov.model import Options, Tally


def shown(percent: float, threshold: float, *, failed: bool = True) -> str:
    """Show a percentage with two digits, or with as many as it takes to show that it is below its threshold."""
    # 74.999 must not read "75.00% not reached"
    texts = (f"{percent:.{digits}f}" for digits in (2, 4, 8))
    below = next((text for text in texts if float(text) < threshold), None)
    return f"{below if failed and below else f'{percent:.2f}'}%"


def named(file: str, options: Options) -> str:
    """Name a file as reports do; of no file, nothing."""
    return shown_path(file, options.root) if file else ""


def most_to_gain(tallies: Mapping[str, Tally]) -> str:
    """Name the file whose missing statements and branches would raise the figure most; empty if none is missing."""
    # sorted: of equal files always the same one is named, whatever the order of the data
    file = max(sorted(tallies), key=lambda path: tallies[path].to_gain, default="")
    return file if file and tallies[file].to_gain else ""


def gain(file: str, tallies: Mapping[str, Tally], options: Options) -> str:
    """Say how much there is to gain in a file."""
    there = tallies[file]
    missing = f"{there.missing} of {there.statements} statements"
    if there.branches:
        missing += f" and {there.missing_branches} of {there.branches} branches"
    return f"; most to gain in {named(file, options)} ({missing} missing)"
