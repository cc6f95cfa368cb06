"""The Markdown report: the origins, then coverage.py's own table."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.report.terminal import origin_cells, verdict_lines

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Options
    from pytest_vmpilot_cov.verdict import Outcome
    from server_hook.coverage_private import ReportingCoverage


def markdown_report(cov: ReportingCoverage, options: Options, outcome: Outcome) -> str:
    """Return the whole report as Markdown."""
    head, *rows = origin_cells(outcome.figures, options.precision)
    lines = ["| " + " | ".join(head) + " |", "| :-- |" + " --: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    table = io.StringIO()
    cov.report(file=table, output_format="markdown")
    return (
        "\n".join([*lines, "", table.getvalue().rstrip("\n"), "", "\n\n".join(verdict_lines(outcome.verdict))]).rstrip(
            "\n"
        )
        + "\n"
    )
