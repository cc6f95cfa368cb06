"""What coverage.py has parsed of each source, kept for the next report: parsing is most of what a verdict costs.

``parsed-XXXXXXXX.json`` in the working folder has the sources that were parsed in one way: by one Python, one
coverage.py, with one set of exclusions. Its name is a hash of that. A source is found by the fingerprint of its
content, so one that has changed is parsed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import coverage

from pytest_vmpilot_cov.judge.coverage_parser import ParserState
from server_hook.store import parsed_files, safe_files, working_folder
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import MOST_LINES, bitmap, line_numbers

MOST_BYTES = 32 << 20
"""How large one such file may become; a source of 200 lines takes about 0.5 KiB, with branches 2 KiB."""
MOST_WAYS = 8
"""How many ways of parsing are kept; the one that was used longest ago goes first."""
_FORMAT = 1


class ParsedSources:
    """The parsed sources of one data folder."""

    def __init__(self, data_folder: Path, way: str, *, branch: bool) -> None:
        """Read what earlier reports have parsed in the same way.

        Args:
            data_folder: the folder that holds, or will hold, ``.vmpilot-cov``.
            way: the exclusions that coverage.py parses with.
            branch: whether arcs are needed, too.
        """
        self._data_folder = data_folder
        self.branch = branch
        versions = sys.version, sys.flags.optimize, coverage.__version__, _FORMAT  # -O compiles other lines
        name = parsed_files.name_of(hashlib.sha256(repr((versions, way)).encode()).hexdigest())
        self._path = str(data_folder / working_folder.WORKING_FOLDER / name)
        self._earlier = _read(self._path)
        self._used: dict[str, Any] = {}
        self._is_new = False

    def state(self, path: str, parse: Callable[[], ParserState | None]) -> ParserState | None:
        """Return what was parsed of a source; parse it if nothing was kept of its content.

        Args:
            path: of the source.
            parse: parses it; returns None if the result cannot be kept.
        """
        mark = fingerprint(path)
        raw = self._used.get(mark) or self._earlier.get(mark)
        if raw is not None:
            with suppress(LookupError, TypeError, ValueError, OverflowError):  # damaged: it is parsed again
                state = _decode(raw)
                if state.arcs is not None or not self.branch:
                    self._used[mark] = raw
                    return state
        parsed = parse()
        if parsed is not None and mark and fingerprint(path) == mark:  # it may have changed meanwhile
            self._used[mark] = _encode(parsed)
            self._is_new = True
        return parsed

    def save(self) -> None:
        """Write what was parsed, if any of it is new; if that fails, the next report parses again.

        The working folder isn't made for it: a report changes nothing where nothing was recorded.
        """
        with suppress(OSError):
            if not self._is_new:
                os.utime(self._path)  # the way that was used last
                return
            # first what this report has used: what doesn't fit is of sources that it had nothing to do with
            octets, room = [], MOST_BYTES
            for mark, raw in {**self._used, **self._earlier, **self._used}.items():
                octets.append(f"{json.dumps(mark)}:{json.dumps(raw, separators=(',', ':'))}")
                room -= len(octets[-1]) + 1
                if room < 0:
                    del octets[-1]
                    break
            safe_files.check_folder(os.path.dirname(self._path))
            safe_files.replace(self._path, f"{{{','.join(octets)}}}".encode("ascii"))
            for path in parsed_files.oldest_first(self._data_folder)[:-MOST_WAYS]:
                path.unlink()


def _read(path: str) -> dict[str, Any]:
    try:
        raw = json.loads(safe_files.read_own(path, MOST_BYTES))
    except (OSError, ValueError, RecursionError):  # there is none, or none that we trust
        return {}
    return raw if isinstance(raw, dict) else {}


def _encode(state: ParserState) -> list[Any]:
    arcs = None if state.arcs is None else [line for arc in sorted(state.arcs) for line in arc]
    jumps = [[*arc, instead] for arc, instead in state.jumps.items()]
    return [f"{bitmap(state.statements):x}", f"{bitmap(state.excluded):x}", _runs(state.first_lines), arcs, jumps]


def _decode(raw: Any) -> ParserState:  # noqa: ANN401 - whatever JSON holds
    """Understand what was kept.

    Raises:
        LookupError, TypeError, ValueError, OverflowError: when it isn't what ``_encode`` makes.
    """
    statements, excluded, runs, arcs, jumps = raw
    first_lines: dict[int, int] = {}
    before = 0
    for first, begin, end in zip(*[iter(map(_line, runs))] * 3, strict=True):
        if begin <= before:
            raise ValueError(begin)  # else a few numbers could stand for any amount of memory
        first_lines.update(dict.fromkeys(range(begin, end + 1), first))
        before = end
    return ParserState(
        _lines(statements),
        _lines(excluded),
        first_lines,
        None if arcs is None else set(zip(*[iter(map(_line, arcs))] * 2, strict=True)),
        {(_line(begin), _line(end)): _tuples(instead) for begin, end, instead in jumps},
    )


def _runs(first_lines: dict[int, int]) -> list[int]:
    """Write line -> first line as (first line, begin, end), one after another."""
    runs: list[int] = []
    for line, first in sorted(first_lines.items()):
        if runs and runs[-3] == first and runs[-1] == line - 1:
            runs[-1] = line
        else:
            runs += first, line, line
    return runs


def _lines(text: str) -> set[int]:
    if len(text) > MOST_LINES // 4:
        raise ValueError(text[:20])
    return set(line_numbers(int(text, 16)))


def _line(number: object) -> int:
    """Check a line number; coverage.py gives exits and entries negative ones."""
    if type(number) is not int or abs(number) > MOST_LINES:
        raise ValueError(number)
    return number


def _tuples(value: Any) -> Any:  # noqa: ANN401 - an arc, several, or None, as this coverage.py has it
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
