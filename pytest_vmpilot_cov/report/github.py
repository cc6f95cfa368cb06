"""Annotations: commands by which a job on GitHub marks lines in the view of a change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.report.words import count
from server_hook.problems import printable

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Options, Outcome


def annotations_of(outcome: Outcome, options: Options) -> Iterator[str]:
    """Yield a command to GitHub for each stretch that nobody reached, if we run there and were asked for them.

    Each has to be printed as it is, at the beginning of a line.
    """
    change = outcome.figures.change
    if not options.annotations or change is None or os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for path, each in change.files.items():
        # GitHub knows files by their place in the repository
        name = _escaped(os.path.relpath(path, change.diff.top).replace(os.sep, "/"), "%\r\n:,")
        for first, last in each.ranges:
            number = count(sum(first <= line <= last for line in each.missing), "statement", "statements")
            yield f"::warning file={name},line={first},endLine={last},title=Not reached::{number} that nobody reached"


def _escaped(text: str, signs: str) -> str:
    """Escape a text by GitHub's rules; control characters that these leave are replaced."""
    return printable("".join(f"%{ord(sign):02X}" if sign in signs else sign for sign in text))
