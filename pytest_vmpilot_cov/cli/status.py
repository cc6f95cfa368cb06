"""Which processes are recording, since when, how many lines, and how old their last segment is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_vmpilot_cov.collect.ask import ask_all
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.combine.path_map import paths_section
from pytest_vmpilot_cov.model import Delivery, Options
from pytest_vmpilot_cov.report.words import age_of, command_of
from server_hook.store import segment


def paths_lines(options: Options, paths: Sequence[Path]) -> list[str]:
    """Return a section ``[paths]`` that maps the data in the given places as ``combine`` does."""
    combined = combine(options, collect(options, Scope(ask=False, only=tuple(paths))))
    return paths_section(combined.mapped) if combined.mapped else []


def status_lines(options: Options, paths: Sequence[Path]) -> Iterator[str]:
    """Yield a table of the processes recorded in the given places, or in the usual ones, and their problems."""
    collected = collect(options, Scope(ask=False, only=tuple(paths)))
    deliveries = ask_all([each for each in collected.deliveries if each.record.pid], "status")
    rows = [_row(each, _lines_in(each.folder)) for each in deliveries]
    if not rows:
        config = options.settings.config_file or options.settings.folder
        yield f"No process has been recorded here. Start one with VMPILOT_COV={config} in its environment."
        yield from collected.problems
        return
    head = ("PID", "Origin", "State", "Lines", "Since", "Last segment", "Interval", "Core", "Listens at", "Command")
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    for row in [head, *rows]:
        yield "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for each in deliveries:
        account = each.answer or each.record
        if account.told or account.nobodys:
            several = f", {account.among_several} of them while several tests ran" if account.among_several else ""
            yield f"pid {each.record.pid}: requests of tests: {account.told}; nobody's: {account.nobodys}{several}"
        if account.not_told:
            yield f"pid {each.record.pid}: tests are not told apart: {account.not_told}"
        problem = each.problem or each.record.problem
        if problem:
            yield f"pid {each.record.pid}: {problem}"
    yield from collected.problems


def _row(each: Delivery, lines: int) -> tuple[str, ...]:
    record = each.record
    state = "recording" if each.life != "dead" else "ended" if record.ended else "killed"
    interval_s = each.answer.interval_s if each.answer else record.interval_s
    newest = f"{age_of(each.newest)} ago" if each.newest else "none"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.started)) if record.started else "?"
    numbers = (str(lines), since, newest, f"{interval_s:.1f} s")
    pid = str(record.pid) if record.folded == 1 else f"{record.folded} processes"
    return pid, record.origin or "?", state, *numbers, record.core, ",".join(each.ports), command_of(record)


def _lines_in(folder: Path) -> int:
    """Count the lines that one process has recorded."""
    united: dict[str, segment.Lines] = {}
    for _, parts in segment.read_folder(folder):
        for part in parts if isinstance(parts, list) else ():
            for source, measured in part.files.items():
                # the union: segments and contexts may repeat a line
                united[source.path] = united.get(source.path, 0) | segment.to_lines(measured)
    return sum(lines.bit_count() for lines in united.values())
