"""The JSON report: coverage.py's own schema, with one key ``vmpilot_cov`` beside it (docs/json.md)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov.messages import shown_path
from pytest_vmpilot_cov.model import Delivery, Options
from pytest_vmpilot_cov.report.change import as_values
from server_hook.store import segment

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Combined, Outcome

FORMAT = 1


def add_origins(path: Path, options: Options, outcome: Outcome) -> None:
    """Add our key to a JSON report that coverage.py has written."""
    report = json.loads(path.read_text("utf-8"))
    report["vmpilot_cov"] = origins_of(options, outcome)
    # as coverage.py wrote it: json:pretty_print is in its configuration
    indent = 4 if "\n" in path.read_text("utf-8").strip() else None
    path.write_text(json.dumps(report, indent=indent), encoding="utf-8")


def origins_of(options: Options, outcome: Outcome) -> dict[str, Any]:
    """Put the figures, the processes and the verdict into plain values."""
    figures, verdict = outcome.figures, outcome.verdict
    return {
        "format": FORMAT,
        "origins": {row.origin: _without(asdict(row), "origin") for row in figures.rows},
        "combined": _without(asdict(figures.total), "origin", "only_here"),
        "sets": {
            "all": figures.sets,
            "files": {shown_path(p, options.root): figures.sets_of(p) for p in figures.lines},
        },
        "lines_only": list(outcome.combined.lines_only),
        "files": {
            shown_path(path, options.root): {origin: list(numbers) for origin, numbers in by.items()}
            for path, by in figures.lines.items()
        },
        "tests": _tests(options, outcome.combined),
        "change": as_values(figures.change, options),
        "stale": [{**asdict(left), "path": shown_path(left.path, options.root)} for left in outcome.combined.stale],
        "foreign": list(outcome.combined.foreign),
        "no_source": [shown_path(path, options.root) for path in outcome.combined.no_source],
        "mapped": [{**asdict(each), "path": shown_path(each.path, options.root)} for each in outcome.combined.mapped],
        "processes": [_process(each) for each in outcome.collected.deliveries],
        "reset_at": outcome.collected.reset_at,
        "verdict": {
            "passed": verdict.passed,
            "fail_under": options.fail_under.value,
            "fail_under_from": options.fail_under.where,
            "checks": [asdict(check) for check in verdict.checks],
            "not_enforced": verdict.not_enforced,
            "warnings": list(verdict.warnings),
        },
    }


def _tests(options: Options, combined: Combined) -> dict[str, Any]:
    """Say which tests ran each line; many lines were run by the same ones, so each set of tests is there once."""
    labels = sorted((label for label in combined.counted if label.context), key=lambda label: label.context)
    names = list(dict.fromkeys(label.context for label in labels))
    places = {name: place for place, name in enumerate(names)}
    by_file: dict[str, dict[int, dict[int, None]]] = {}
    for label in labels:
        for source, measured in combined.counted[label].items():
            by_line = by_file.setdefault(shown_path(source.path, options.root), {})
            for line in segment.line_numbers(segment.to_lines(measured)):
                by_line.setdefault(line, {})[places[label.context]] = None
    sets: dict[tuple[int, ...], int] = {}
    files = {
        path: {str(line): sets.setdefault(tuple(by_line[line]), len(sets)) for line in sorted(by_line)}
        for path, by_line in sorted(by_file.items())
    }
    return {"names": names, "sets": [list(each) for each in sets], "files": files}


def _process(each: Delivery) -> dict[str, Any]:
    return {
        "id": each.record.id,
        "pid": each.record.pid,
        "origin": each.record.origin,
        "command": list(each.record.command),
        "life": each.life,
        "answered": each.answered,
        "problem": each.problem,
        "newest": each.newest,
        "orphan": bool(each.answer and each.answer.orphan),
        "ports": list(each.ports),
        "folded": each.record.folded,
    }


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
