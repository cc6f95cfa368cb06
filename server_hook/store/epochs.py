"""Epochs: a reset begins a new one in every live process; what ran while modules were imported is carried over.

``def`` and import lines run once in a process's life. Without them a module that a server imported before the reset
would fall to the bodies that were entered since.
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from types import CodeType

from server_hook.arcs import Arcs
from server_hook.clock import is_moment
from server_hook.store import safe_files, segment, working_folder
from server_hook.store.fingerprint import fingerprint
from server_hook.store.safe_files import MOST_RESETS_BYTES, read_source
from server_hook.store.segment import Part, Source

EVER = float("inf")


def note_reset(data_folder: str, moment: float) -> None:
    """Note that the servers of a data folder are reset: what processes that are gone have left counts no more.

    Raises:
        OSError: when the folder cannot be written.
    """
    working = working_folder.make_working_folder(data_folder)
    safe_files.append(os.path.join(working, working_folder.RESETS), f"{moment!r}\n")


def last_reset(data_folder: str, until: float = EVER, refuse: Callable[[OSError], object] = str) -> float:
    """Return when the servers of a data folder were last reset before *until*; 0 for never.

    Args:
        data_folder: holds the working folder.
        until: no later reset counts.
        refuse: hears of a list of resets that is not used.
    """
    moments = [0.0]
    working = os.path.join(data_folder, working_folder.WORKING_FOLDER)
    try:
        safe_files.check_folder(working)
        path = os.path.join(working, working_folder.RESETS)
        for line in safe_files.read(path, MOST_RESETS_BYTES).split():
            with contextlib.suppress(ValueError):  # the list is appended to, so a line may be torn
                moments.append(float(line))
    except (FileNotFoundError, NotADirectoryError):
        return 0.0
    except OSError as error:
        refuse(error)
    return max(moment for moment in moments if is_moment(moment) and moment <= until)


def counted(parts: Iterable[Part], sign_of_life: float, reset_at: float, until: float = EVER) -> Iterator[Part]:
    """Choose, of all that one process measured, what counts in the epoch that was current at *until*.

    Args:
        parts: what the process measured, in all its epochs.
        sign_of_life: when it last said that it lives, or that it ends.
        reset_at: when the servers of its folder were last reset before *until*; nothing counts of a process that was
            gone by then.
        until: the moment that decides: a reset that came later does not count.
    """
    parts = list(parts)
    if max([sign_of_life, *(part.ended for part in parts)]) < reset_at:
        return
    current = max((part.epoch for part in parts if part.epoch <= until), default=0.0)
    for part in parts:
        if part.epoch >= current:
            yield part
        elif part.label.context:
            continue  # what is carried over was no test's work
        elif carried := {source: ran for source, each in part.files.items() if (ran := at_module_level(source, each))}:
            yield Part(part.label._replace(startup=True), part.begun, part.ended, carried, current)


def at_module_level(source: Source, measured: segment.Measured) -> segment.Measured:
    """Keep of what was measured in a file the lines, or arcs, of its module and class bodies."""
    if source.tracer:
        return 0
    lines = _module_lines(source.path, source.fingerprint)
    if isinstance(measured, int):
        return measured & lines
    at_import = set(segment.line_numbers(lines))
    return Arcs(arc for arc in measured if all(end in at_import or end < 0 for end in arc))  # below 0: entry or exit


@lru_cache(4096)
def _module_lines(path: str, mark: str) -> segment.Lines:
    """Return the lines of a source's module and class bodies; none where the source is another one by now."""
    if mark and fingerprint(path) != mark:
        return 0
    try:
        # dont_inherit: the future statement of this module is not one of theirs
        module = compile(read_source(path), path, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # whatever lies there now
        return 0
    return segment.bitmap(_lines_run_at_import(module))


def _lines_run_at_import(code: CodeType) -> Iterator[int]:
    yield from (line for _, _, line in code.co_lines() if line)
    for nested in code.co_consts:
        if isinstance(nested, CodeType) and not nested.co_flags & inspect.CO_OPTIMIZED:  # a class body, no function
            yield from _lines_run_at_import(nested)
