"""The outcome as the page's data: plain values, a part for all files and one for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov import coverage_private
from pytest_vmpilot_cov.messages import shown_path
from pytest_vmpilot_cov.model import Delivery, Options, Outcome
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.report.change import in_one_line
from pytest_vmpilot_cov.report.page import lines, who
from pytest_vmpilot_cov.report.pipeline import gap, server_lines
from pytest_vmpilot_cov.report.terminal import digits_of
from pytest_vmpilot_cov.report.warnings import warnings_of
from server_hook import clock
from server_hook.problems import printable
from server_hook.store.segment import Label

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage

FORMAT = 1


class Contents(Value):
    """All that the page shows, as values of JSON."""

    index: dict[str, Any]
    """The verdict, the origins, the processes, and a row for each file."""
    files: tuple[dict[str, Any], ...] = field(default=())
    """The source of each file, and who reached what of it, in the order of the rows."""


def contents_of(cov: ReportingCoverage, options: Options, outcome: Outcome) -> Contents:
    """Put everything that the page shows into plain values.

    Args:
        cov: holds all that was counted.
        options: the user's.
        outcome: what came of it.
    """
    figures, change = outcome.figures, outcome.figures.change
    origins = [row.origin for row in figures.rows]
    tests, by_test = who.lines_by_test(outcome.combined)
    by_process = who.lines_by_process(outcome)
    rows: list[list[Any]] = []
    files: list[dict[str, Any]] = []
    has_branches = any(each.branches for by in figures.tallies.values() for each in by.values())
    names = _names(outcome, options)
    # without branches the figures say all there is of each origin; without tallies there is nothing to analyze
    analyses = coverage_private.analyses(cov, origins if has_branches else []) if names else ()
    for path, together, alone in analyses:
        reporter = coverage_private.reporter_of(cov, path)
        reached = lines.masks(together.statements, figures.lines[path], origins)
        taken = lines.branches([analysis.missing_branch_arcs() for analysis in alone.values()])
        of_change = change.files[path].statements if change and path in change.files else ()
        rows.append(lines.row(names[path], figures.tallies[path]["combined"], reached, taken, of_change))
        own = {
            "name": names[path],
            "processes": who.grouped(by_process.get(path, {}), reporter),
            "tests": who.grouped(by_test.get(path, {}), reporter),
            "changed": list(change.diff.lines.get(path, ())) if change else [],
        }
        files.append({**own, **lines.body(reporter, reached, together.excluded, taken)})
    return Contents(
        {**_index(options, outcome), "origins": origins, "tests": _named(tests), "files": rows}, tuple(files)
    )


def _named(tests: Sequence[Label]) -> list[list[str]]:
    return [[label.origin, printable(label.context)] for label in tests]


def _names(outcome: Outcome, options: Options) -> dict[str, str]:
    """Name each file as reports do; of several whose names are shown alike, all but the first get a number."""
    names: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for path in outcome.figures.tallies:
        name = shown_path(path, options.root)
        numbers[name] = numbers.get(name, 0) + 1
        names[path] = name if numbers[name] == 1 else f"{name} ({numbers[name]})"
    return names


def _index(options: Options, outcome: Outcome) -> dict[str, Any]:
    """Put everything but the files into plain values."""
    combined, verdict = outcome.combined, outcome.verdict

    def shown(path: str) -> str:
        return shown_path(path, options.root)

    return {
        "format": FORMAT,
        "project": printable(options.root.name),
        "made": clock.now(),
        "digits": digits_of(options),
        "verdict": {
            "passed": verdict.passed,
            "measured": bool(outcome.figures.total.reached),
            "checks": [_printable(asdict(check)) for check in verdict.checks],
            "not_enforced": printable(verdict.not_enforced),
        },
        "change": printable(in_one_line(change)) if (change := outcome.figures.change) and change.diff.base else "",
        "notes": [printable(line) for line in server_lines(outcome, options)],
        "warnings": [printable(text) for text in (*warnings_of(outcome, options), *verdict.warnings)],
        "processes": [_process(each) for each in outcome.collected.deliveries],
        "data_files": [
            {"path": printable(file.label) or shown(str(file.path)), "written": file.written, "ours": file.published}
            for file in outcome.collected.data_files
        ],
        "left_out": list(_left_out(outcome, shown)),
        "mapped": [[shown(each.path), printable(each.measured), each.how] for each in combined.mapped],
    }


def _left_out(outcome: Outcome, shown: Callable[[str], str]) -> Iterator[list[str]]:
    """Yield each file with data that does not count, or counts although it should not, and the reason."""
    combined = outcome.combined
    for left in combined.stale:
        counts = "counts all the same (stale = keep)" if left.kept else "does not count"
        yield [shown(left.path), f"{left.lines} lines of {left.origin}: the file has changed since; {counts}"]
    for path in combined.foreign:
        yield [shown(path), "omitted" if path in combined.omitted else "outside the project"]
    for path in combined.no_source:
        yield [shown(path), "no source here: generated, deleted or unreadable"]
    for path in combined.unverified:
        yield [shown(path), "could not be read when it was measured; counts"]


def _printable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: printable(value) if isinstance(value, str) else value for name, value in values.items()}


def _process(each: Delivery) -> dict[str, Any]:
    """Say what there is to say of a process."""
    record = each.record
    return {
        "pid": record.pid,
        "origin": record.origin,
        "command": printable(" ".join([*map(os.path.basename, record.command[:1]), *record.command[1:]])),
        "began": record.started,
        "ended": record.ended,
        "seen": each.alive_at,
        "newest": each.newest,
        "folded": record.folded,
        "executed": each.executed,
        "lines": each.answer.lines if each.answer else 0,
        "host": printable(record.host) if each.life == "remote" else "",
        "state": _state(each),
        "may_miss": _may_miss(each, _state(each)),
        "problem": printable(each.problem or record.problem),
    }


def _state(each: Delivery) -> str:
    """Say how a process is, or how it went, in a word or two."""
    if each.life == "remote":
        return "elsewhere"
    if each.record.pid == os.getpid():
        return "own"
    if each.life == "live":
        return "delivered" if each.answered else "silent" if each.asked else "live"
    return "ended" if each.record.ended else "killed"


def _may_miss(each: Delivery, state: str) -> str:
    """Say what a process may have reached that is not counted."""
    if state == "killed":
        return gap(each)
    return "what it reached since its last segment may be missing" if state in ("elsewhere", "silent", "live") else ""
