"""Who ran a line, and what a test ran: origins, processes, tests."""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import reduce
from itertools import groupby
from operator import itemgetter, or_
from pathlib import Path

from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.cli.combine import FAILED, reading, say_nothing
from pytest_vmpilot_cov.cli.output import show, show_problem
from pytest_vmpilot_cov.cli.progress import Progress
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.messages import UsageError, first_of, say, shown_path
from pytest_vmpilot_cov.model import Combined, DataFile, Delivery, Options
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.report.witnesses import Witness, of_data_files, of_processes
from pytest_vmpilot_cov.report.words import command_of, count
from server_hook.store import segment
from server_hook.store.segment import Lines

_PLACE = re.compile(r"(?P<file>.+?)(?::(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?)?", re.DOTALL)


class _Place(Value):
    """A file, and a range of its lines."""

    file: str
    first: int = 0
    """0 for the whole file."""
    last: int = 0


def who(options: Options, place: str, words: Sequence[str]) -> int:
    """Print who ran a line, a range of lines, or each line of a file; return the exit code.

    Args:
        options: the user's.
        place: the file, and the line or the range after a colon.
        words: more such places, and what to read; the usual data without any.

    Raises:
        UsageError: when there is no such place, or no data of it.
    """
    here = Path.cwd()
    places = [place, *filter(_is_place, words)]
    wanted = [_place(each) for each in places]
    witnesses, combined = _read(options, [word for word in words if word not in places])
    if not witnesses:
        return FAILED
    files = {*(each.path for each in witnesses), *combined.untouched}
    paths = [_measured_path(each.file, here, options, files) for each in wanted]
    is_run = False
    for text, each, path in zip(places, wanted, paths, strict=True):
        is_stale = _say_stale(combined, options, path)
        lines = _lines(path, each, options, [witness for witness in witnesses if witness.path == path])
        for line in lines:
            show(line)
        if not lines and not is_stale:
            show(f"{shown_path(path, options.root)}{text.removeprefix(each.file)}: nobody ran it")
        is_run |= bool(lines)
    if not any(each.label.context for each in witnesses):
        show_problem(say("tests-unrecorded"))
    return 0 if is_run else FAILED


def tests(options: Options, wanted: str, words: Sequence[str]) -> int:
    """Print what tests ran, by origin and process; return the exit code.

    Args:
        options: the user's.
        wanted: a part of the tests' names, or a pattern that they match.
        words: what to read; empty for the usual places.

    Raises:
        UsageError: when no test is called so.
    """
    witnesses, combined = _read(options, words)
    if not witnesses:
        return FAILED
    _say_stale(combined, options)
    contexts = sorted({each.label.context for each in witnesses} - {""})
    if not contexts:
        raise UsageError(say("tests-unrecorded"))
    chosen = [each for each in contexts if wanted in each or any(fnmatchcase(name, wanted) for name in _names(each))]
    if not chosen:
        raise UsageError(say("test-unmatched", test=wanted, names=first_of(contexts)))
    for context in chosen:
        show(context)
        of_test = [each for each in witnesses if each.label.context == context]
        for heading, several in _by_process(of_test, options):
            show(f"    {heading}")
            lines: dict[str, Lines] = defaultdict(int)
            for each in several:
                lines[each.path] |= each.lines
            for path, executed in sorted(lines.items()):
                show(f"        {shown_path(path, options.root)}: {ranges(segment.line_numbers(executed))}")
    return 0


def _names(context: str) -> tuple[str, str, str]:
    """Return a test's name with its phase and without, and without its file, too."""
    name = context.rpartition("|")[0]
    return context, name, name.rpartition("::")[2]


def _is_place(word: str) -> bool:
    """Tell a further place from data: it has lines, and is neither a path nor a URL with a port."""
    matched = _PLACE.fullmatch(word)
    return bool(matched and matched["first"]) and "://" not in word and not os.path.exists(word)


def _place(text: str) -> _Place:
    matched = _PLACE.fullmatch(text)
    if matched is None or matched["first"] is None or os.path.isfile(text):
        return _Place(text)
    first, last = int(matched["first"]), int(matched["last"] or matched["first"])
    if not 0 < first <= last <= segment.MOST_LINES:
        raise UsageError(say("who-place", place=text))
    return _Place(matched["file"], first, last)


def _say_stale(combined: Combined, options: Options, path: str = "") -> bool:
    """Name the files, or say of one, that have changed since they were measured; return whether any has."""
    stale = [left for left in combined.stale if not left.kept and path in ("", left.path)]
    for left in stale:
        lines = count(left.lines, "line", "lines")
        show_problem(say("stale-source", lines=lines, origin=left.origin, path=shown_path(left.path, options.root)))
    return bool(stale)


def _read(options: Options, words: Sequence[str]) -> tuple[list[Witness], Combined]:
    """Read all witnesses, and what counts; say what is wrong."""
    with contextlib.closing(Progress()) as progress, reading(words, progress) as (scope, problems):
        if words and not scope.only:
            say_nothing(options, problems, words)
            return [], Combined({}, {})
        with working_in(options.root):
            collected = collect(options, replace(scope, ask=False))
            combined = combine(options, collected)
            witnesses = [*of_processes(collected, combined)]
            witnesses += of_data_files(collected, combined, options.settings.folder)
    problems = (*problems, *collected.problems)
    if not witnesses:
        _say_stale(combined, options)
        say_nothing(options, problems, words)
    else:
        for problem in problems:
            show_problem(problem)
    return witnesses, combined


def _measured_path(text: str, here: Path, options: Options, files: Iterable[str]) -> str:
    """Return the path of a file of the data that is called by its path here, below the root, or by its end."""
    by_name = {os.path.normcase(path): path for path in files}
    for folder in (here, options.root):
        if path := by_name.get(os.path.normcase(os.path.abspath(folder / text))):
            return path
    alike = [path for name, path in by_name.items() if name.endswith(os.sep + os.path.normcase(text))]
    if len(alike) == 1:
        return alike[0]
    names = [shown_path(path, options.root) for path in sorted(alike or files)]
    raise UsageError(say("file-unmeasured", file=text, names=first_of(names)))


def _lines(path: str, wanted: _Place, options: Options, witnesses: Iterable[Witness]) -> list[str]:
    """Say who ran each line; lines in a row that the same ones ran come together."""
    ran: dict[tuple[str, str], Lines] = defaultdict(int)
    for heading, several in _by_process(witnesses, options):
        for each in several:
            ran[heading, each.label.context] |= each.lines
    executed = segment.line_numbers(reduce(or_, ran.values(), 0))
    numbers = [line for line in executed if not wanted.first or wanted.first <= line <= wanted.last]
    text: list[str] = []
    for running, group in groupby(
        numbers, lambda line: sorted(each for each, lines in ran.items() if lines >> line & 1)
    ):
        text.append(f"{shown_path(path, options.root)}:{ranges(group)}")
        for heading, its in groupby(running, itemgetter(0)):
            text += [f"    {heading}", *(f"        {context}" for _, context in its if context)]
    return text


def _by_process(witnesses: Iterable[Witness], options: Options) -> Iterator[tuple[str, list[Witness]]]:
    """Yield the origin and the process, or the data file, of witnesses, and those of each."""
    by: dict[tuple[str, str], list[Witness]] = defaultdict(list)
    for each in witnesses:
        by[each.label.origin, _said(each.who, options)].append(each)
    for (origin, said), several in sorted(by.items()):
        yield f"{origin}: {said}", several


def _said(each: Delivery | DataFile, options: Options) -> str:
    if isinstance(each, DataFile):
        return shown_path(each.label or str(each.path), options.root)
    record = each.record
    processes = f"pid {record.pid}" if record.folded == 1 else count(record.folded, "process", "processes")
    return f"{processes} ({command_of(record)})"


def ranges(numbers: Iterable[int]) -> str:
    """Write ascending numbers, those in a row as a range."""
    rows = groupby(enumerate(numbers), lambda each: each[1] - each[0])
    several = [[number for _, number in row] for _, row in rows]
    return ", ".join(str(row[0]) if len(row) == 1 else f"{row[0]}-{row[-1]}" for row in several)
