"""The section in the terminal: who reached what, which servers delivered, and the verdict in the last line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from coverage.results import display_covered

from pytest_vmpilot_cov.messages import shown_path
from pytest_vmpilot_cov.model import ORIGINS, Change, Figures, Options, Row, Tally, Verdict
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.report.change import figures_of, in_one_line, unreached
from pytest_vmpilot_cov.report.pipeline import server_lines
from pytest_vmpilot_cov.report.warnings import warnings_of
from server_hook.problems import printable

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Outcome


CHANGE = "Change"
"""What heads the first column of the table about the change."""
NARROW = 40
"""The fewest columns to believe: if a terminal reports fewer, pytest-cov assumes 80, and so does the heading."""
COLUMNS = ("Origin", "Files", "Stmts", "Reached", "Cover", "Only here")
OF_BRANCHES = ("Branches", "Taken")
"""Columns after ``Reached``, where branches were measured: the percentage rests on them as well."""
JUDGED_DIGITS = 2
"""How many digits the verdict's own lines have at least."""


class Line(Value):
    """One line to print, and how it is meant."""

    text: str
    tone: str = ""
    """good, bad, warn, or empty."""


def section(outcome: Outcome, options: Options) -> Iterator[Line]:
    """Yield the lines of the section, the verdict last; each is fit to be printed as it is."""
    if options.annotations:
        from pytest_vmpilot_cov.report.github import annotations_of

        yield from (Line(command) for command in annotations_of(outcome, options))
    # a name may hold a line break, and could write lines of the report, even a verdict
    yield from (Line(printable(line.text), line.tone) for line in _lines(outcome, options))


def _lines(outcome: Outcome, options: Options) -> Iterator[Line]:
    if outcome.text:
        yield Line(heading())
    for block in outcome.text:
        if "\n" in block:  # a table stands apart; the notices of written files stay together
            yield Line("")
        yield from (Line(text) for text in block.removesuffix("\n").split("\n"))
    if outcome.text:
        yield Line("")
    yield from _table(origin_cells(outcome.figures, options))
    yield Line(
        f"Reached by several origins: {outcome.figures.sets['several']}; by nobody: {outcome.figures.sets['nobody']}"
    )
    if options.show_sets:
        yield Line("")
        yield from _table(set_cells(outcome.figures, options))
    if outcome.figures.change is not None and not outcome.figures.change.diff.problem:
        yield Line("")
        yield from _change(outcome.figures.change, options)
    yield Line("")
    yield from (Line(text) for text in server_lines(outcome, options))
    warnings = [*warnings_of(outcome, options), *outcome.verdict.warnings]
    yield from (Line(f"WARNING: {text}", "warn") for text in warnings)
    if outcome.verdict.not_enforced:
        yield Line(outcome.verdict.not_enforced, "warn")
    for check in outcome.verdict.checks:
        yield Line(check.text or f"{check.name}: yes", "good" if check.passed else "bad")
        yield from (Line(f"  {text}") for text in check.details)


def _change(change: Change, options: Options) -> Iterator[Line]:
    yield Line(in_one_line(change))
    if change.files:
        yield Line("")
        yield from _table(origin_cells(figures_of(change), options, CHANGE))
    missing = [*unreached(change, options)]
    if missing:
        yield Line("Reached by nobody:")
    yield from (Line(f"  {text}") for text in missing)


def heading() -> str:
    """Return the line that pytest-cov prints above its reports; scripts look for it."""
    width = shutil.get_terminal_size().columns
    release = "{}.{}.{}-{}-{}".format(*sys.version_info[:5])
    return f"{f' coverage: platform {sys.platform}, python {release} ':_^{width if width >= NARROW else 80}}"


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return the verdict as plain lines: the checks, and what there is to say without any."""
    checks = [text for check in verdict.checks for text in (check.text or f"{check.name}: yes", *check.details)]
    return [printable(text) for text in (*filter(None, [verdict.not_enforced]), *checks, *verdict.warnings)]


def origin_cells(figures: Figures, options: Options, of: str = COLUMNS[0]) -> list[tuple[str, ...]]:
    """Return the table of origins as cells, its head first, the combined row last; *of* heads its first column."""
    digits = digits_of(options)
    has_branches = any(tally.branches for by in figures.tallies.values() for tally in by.values())

    def cells(row: Row) -> tuple[str, ...]:
        only = str(row.only_here) if row is not figures.total else ""
        covered = display_covered(row.percent, digits) + "%"  # it rounds nothing up to 100 or down to 0
        sums = sum((by[row.origin] for by in figures.tallies.values() if row.origin in by), Tally())
        branches = (str(sums.branches), str(sums.branches - sums.missing_branches)) if has_branches else ()
        return row.origin, str(row.files), str(row.statements), str(row.reached), *branches, covered, only

    head = (of, *COLUMNS[1:4], *(OF_BRANCHES if has_branches else ()), *COLUMNS[4:])
    return [head, *(cells(row) for row in (*figures.rows, figures.total))]


def digits_of(options: Options) -> int:
    """Say how many digits percentages have beside the verdict."""
    is_judged = options.fail_under.value is not None or options.thresholds
    # a verdict of 74.99% below a table that says 75% would look wrong
    return max(options.precision, JUDGED_DIGITS) if is_judged else options.precision


def set_cells(figures: Figures, options: Options) -> list[tuple[str, ...]]:
    """Return, for each file, how many statements one origin alone reached, several did, and nobody did."""
    names = list(figures.sets)
    head = ("Name", *(f"{name} only" if name in ORIGINS else name for name in names))
    rows = [(shown_path(path, options.root), *map(str, figures.sets_of(path).values())) for path in figures.lines]
    return [head, *rows, ("all", *(str(number) for number in figures.sets.values()))]


def _table(rows: list[tuple[str, ...]]) -> Iterator[Line]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        if number in (1, len(rows) - 1):
            yield Line("-" * (sum(widths) + 3 * (len(widths) - 1)))
        yield Line("   ".join(cells).rstrip())
