"""The Markdown report, fit for a comment: the verdict, the change, the origins; long lists are folded."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.report.change import figures_of, in_one_line, unreached
from pytest_vmpilot_cov.report.terminal import CHANGE, origin_cells, verdict_lines

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
    from pytest_vmpilot_cov.model import Change, Options, Outcome

COMMENT, SUMMARY = 65_000, 1_000_000
"""How many characters GitHub takes in a comment, and octets in the summary of a step; a bit less than that."""
# a pipe ends the cell of a table, "<" begins HTML, "[" a link
_ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\`<[]|"})


def markdown_report(cov: ReportingCoverage, options: Options, outcome: Outcome, room: int = COMMENT) -> str:
    """Return the whole report as Markdown.

    Args:
        cov: for coverage.py's own table.
        options: how figures and names are shown.
        outcome: what is reported.
        room: about how many characters it may have; lists end before, and say so.
    """
    passed = "passed" if outcome.verdict.passed else "failed"
    lines = [f"### Coverage {outcome.figures.total.percent:.2f}%: {passed}", ""]
    lines += [f"- {escaped(line)}" for line in verdict_lines(outcome.verdict)]
    change = outcome.figures.change
    if change is not None and not change.diff.problem:
        lines += ["", *_change(change, options, room // 2)]
    lines += ["", *origins_table(origin_cells(outcome.figures, options)), ""]
    table = io.StringIO()
    cov.report(file=table, output_format="markdown")
    lines += _folded("Files", table.getvalue().rstrip("\n").split("\n"), room - len("\n".join(lines)))
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Take from what is in a text, such as the name of a file, its meaning as Markdown or HTML."""
    return text.translate(_ESCAPES)


def origins_table(cells: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table of origins."""
    head, *rows = cells
    lines = ["| " + " | ".join(head) + " |", "| :-- |" + " --: |" * (len(head) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def _change(change: Change, options: Options, room: int) -> list[str]:
    lines = [f"{escaped(in_one_line(change))}."]
    if change.files:
        lines += ["", *origins_table(origin_cells(figures_of(change), options, CHANGE))]
    if missing := [*unreached(change, options)]:
        lines += ["", *_folded(f"Reached by nobody: {len(missing)}", [f"- {_code(each)}" for each in missing], room)]
    return lines


def _folded(title: str, lines: Sequence[str], room: int) -> list[str]:
    """Fold lines under a title: as many as there is room for."""
    shown: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        shown.append(line)
    more = [] if len(shown) == len(lines) else ["", f"... and {len(lines) - len(shown)} more lines"]
    # without empty lines GitHub shows what is in between as plain text
    return [f"<details><summary>{title}</summary>", "", *shown, *more, "", "</details>"]


def _code(text: str) -> str:
    """Show a text as code, with more backticks around it than in it."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"
