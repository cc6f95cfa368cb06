"""What the reports say of the change: its figures by origin, and each stretch of it that nobody reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pytest_vmpilot_cov.messages import shown_path
from pytest_vmpilot_cov.model import Change, Figures, Options
from pytest_vmpilot_cov.report.words import count


def in_one_line(change: Change) -> str:
    """Say what the change is, and how much of it was reached."""
    against = f"{change.diff.against} ({change.diff.base[:10]})"
    if not change.files:
        return f"The change since {against} has no statement"
    total = change.total
    statements = f"{total.reached} of {count(total.statements, 'statement', 'statements')}"
    return f"The change since {against}: {statements} in {count(len(change.files), 'file', 'files')} reached"


def figures_of(change: Change) -> Figures:
    """Return the figures of the change, to be shown as a table of origins."""
    return Figures(change.rows, change.total, {})


def unreached(change: Change, options: Options) -> Iterator[str]:
    """Name each stretch of statements that nobody reached: ``app/chat.py:12-18``."""
    for path, each in change.files.items():
        for first, last in each.ranges:
            yield f"{shown_path(path, options.root)}:{first}-{last}"


def as_values(change: Change | None, options: Options) -> dict[str, Any] | None:
    """Put the change into plain values; None if nobody asked for it."""
    if change is None:
        return None
    rows = {row.origin: asdict(row) for row in (*change.rows, change.total)}
    combined = rows.pop("combined")
    for row in (combined, *rows.values()):
        del row["origin"]
    del combined["only_here"]
    return {
        "base": change.diff.base,
        "against": change.diff.against,
        "problem": change.diff.problem,
        "origins": rows,
        "combined": combined,
        "files": {
            shown_path(path, options.root): {
                "statements": list(each.statements),
                "missing": list(each.missing),
                "missing_ranges": [list(stretch) for stretch in each.ranges],
                "reached": {origin: list(lines) for origin, lines in each.reached.items()},
            }
            for path, each in change.files.items()
        },
    }
