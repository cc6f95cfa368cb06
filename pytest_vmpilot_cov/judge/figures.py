"""Combined -> Figures: count, by coverage.py's own rules, what each origin reached and what all of them did."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator
from functools import partial
from typing import Any

from coverage.exceptions import CoverageException, NoDataError

from pytest_vmpilot_cov import coverage_private
from pytest_vmpilot_cov.coverage_private import ReportingCoverage
from pytest_vmpilot_cov.judge.coverage_parser import SparingReporter
from pytest_vmpilot_cov.judge.parsed import ParsedSources
from pytest_vmpilot_cov.model import ORIGINS, Combined, Figures, Options, Row, Tally
from server_hook.config.settings import apply_settings
from server_hook.coverage_private import close_data
from server_hook.problems import one_line
from server_hook.store import publication

_SHOWING_CONTEXTS = ("html:show_contexts", "json:show_contexts", "report:contexts")
"""Settings of coverage.py that need the contexts of single tests; without them the origins hold all that counts."""
TABLES = ("term", "term-missing", "markdown", "markdown-append")
"""Reports that show figures alone, and nothing of the sources."""
# 0 %, although coverage.py counts nothing as 100 %: an empty run must not pass a threshold
NOTHING = Row("combined", 0, 0, 0, 0.0, 0)


@contextlib.contextmanager
def reporting(options: Options, combined: Combined) -> Iterator[ReportingCoverage]:
    """Open a Coverage that holds all that was counted, for coverage.py's own reports."""
    keeps_parsed = any(request.kind not in TABLES for request in options.reports)
    config_file = options.settings.config_file or False
    # in memory: a report must neither write a data file nor combine the ones that lie here
    cov = ReportingCoverage(keeps_parsed=keeps_parsed, data_file=None, config_file=config_file)
    apply_settings(cov, options.settings)
    folders = options.settings.source_folders
    # Nothing but the XML report reads it. That names files below their source, where those of several fall on each
    # other if their names are the same; without a source it names them below the working folder, which is the root.
    cov.set_option("run:source", list(folders) if len(folders) == 1 else [])
    # combining has mapped all paths; coverage.py would map them again before each report
    cov.set_option("paths", {})
    cov.set_option("report:ignore_errors", True)  # noqa: FBT003 - one broken file must not hide the others
    cov.set_option("report:precision", options.precision)
    data = cov.get_data()
    if any(request.kind == "html" for request in options.reports):
        cov.set_option("html:show_contexts", True)  # noqa: FBT003 - each line says which origins and tests ran it
    shows_tests = any(cov.get_option(name) for name in _SHOWING_CONTEXTS)
    counted = combined.counted if shows_tests else publication.origins_of(combined.counted)
    publication.fill(data, counted, combined.untouched)
    sources = ParsedSources(options.data_folder, _way_to_parse(cov), branch=publication.has_arcs(counted))
    cov.python_reporter = partial(SparingReporter, sources=sources)
    try:
        yield cov
    finally:
        close_data(data)
        sources.save()


def _way_to_parse(cov: ReportingCoverage) -> str:
    """Tell what of the configuration decides what is parsed; partial branches are looked up afterwards."""
    return repr(cov.get_option("report:exclude_lines"))


def count(cov: ReportingCoverage, ran: Container[str] = ()) -> Figures:
    """Count statements, and branches where they were measured, for each origin and for all together.

    Args:
        cov: a Coverage that holds all that counts.
        ran: origins whose tests ran: they have a row even if they reached nothing.
    """
    # ORIGINS gives the order of the rows; the data has its own
    measured = cov.get_data().measured_contexts()
    present = [origin for origin in ORIGINS if origin in measured or origin in ran]
    numbers: dict[str, Any] = {}
    lines: dict[str, dict[str, tuple[int, ...]]] = {}
    tallies: dict[str, dict[str, Tally]] = {}
    missing: dict[str, tuple[int, ...]] = {}
    try:
        for path, together, alone in coverage_private.analyses(cov, present):
            every = {"combined": together, **alone}
            for name, analysis in every.items():
                _add(numbers, name, analysis)
            tallies[path] = {name: _tally(analysis.numbers) for name, analysis in every.items()}
            reached = {origin: tuple(sorted(_reached(analysis))) for origin, analysis in alone.items()}
            lines[path] = {origin: numbers for origin, numbers in reached.items() if numbers}
            missing[path] = tuple(sorted(together.missing))
    except NoDataError:
        return Figures((), NOTHING, {})  # not a problem to name: the judge says that nothing was measured
    except (CoverageException, KeyError) as error:  # KeyError: a coverage plugin that is not loaded here
        return Figures((), NOTHING, {}, problem=one_line(error))
    rows = tuple(_row(origin, numbers[origin], lines) for origin in present if origin in numbers)
    total = _row("combined", numbers["combined"], lines) if numbers else NOTHING
    return Figures(rows, total, lines, tallies=tallies, missing=missing)


def _add(numbers: dict[str, Any], name: str, analysis: Any) -> None:  # noqa: ANN401 - coverage's Analysis
    # sums, not the mean of percentages: large files weigh more, as in coverage.py's total
    numbers[name] = numbers[name] + analysis.numbers if name in numbers else analysis.numbers


def _tally(numbers: Any) -> Tally:  # noqa: ANN401 - coverage's Numbers
    return Tally(numbers.n_statements, numbers.n_missing, numbers.n_branches, numbers.n_missing_branches)


def _reached(analysis: Any) -> set[int]:  # noqa: ANN401 - coverage's Analysis
    return set(analysis.statements) - set(analysis.missing)


def _row(origin: str, numbers: Any, lines: dict[str, dict[str, tuple[int, ...]]]) -> Row:  # noqa: ANN401
    # combined is not a key of `by`: it counts each file that any origin reached
    reaching = [by for by in lines.values() if origin in by or (origin == "combined" and by)]
    only = sum(
        len(set(by[origin]).difference(*(other for name, other in by.items() if name != origin)))
        for by in reaching
        if origin in by  # never for combined: what all reached, no origin reached alone
    )
    return Row(origin, len(reaching), numbers.n_statements, numbers.n_executed, float(numbers.pc_covered), only)
