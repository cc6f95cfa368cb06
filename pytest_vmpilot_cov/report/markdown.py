"""The Markdown report: the origins, then coverage.py's own table, then the verdict."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.report.terminal import origin_cells, verdict_lines

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
    from pytest_vmpilot_cov.model import Figures, Options, Outcome


# a pipe ends the cell of a table, "<" begins HTML, "[" a link
_ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\`<[]|"})


def markdown_report(cov: ReportingCoverage, options: Options, outcome: Outcome) -> str:
    """Return the whole report as Markdown."""
    verdict = "\n\n".join(map(escaped, verdict_lines(outcome.verdict)))
    return "\n".join([*origins_table(outcome.figures, options), "", files_table(cov), "", verdict]).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    """Take from what is in a text, such as the name of a file, its meaning as Markdown or HTML."""
    return text.translate(_ESCAPES)


def origins_table(figures: Figures, options: Options) -> list[str]:
    """Return the lines of the table of origins."""
    head, *rows = origin_cells(figures, options)
    lines = ["| " + " | ".join(head) + " |", "| :-- |" + " --: |" * (len(head) - 1)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]


def files_table(cov: ReportingCoverage) -> str:
    """Return coverage.py's own table of files."""
    table = io.StringIO()
    cov.report(file=table, output_format="markdown")
    return table.getvalue().rstrip("\n")
