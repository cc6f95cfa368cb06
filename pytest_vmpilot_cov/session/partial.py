"""Was only a part of the tests run, and which thresholds does it then not have to reach? Pure rules.

A part is a selection that was typed for this run, or a run that was stopped early. A selection that stands in a
configuration or in addopts defines the whole.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from pytest_vmpilot_cov.model import TYPED, Options, Setting

SHOWN_WORDS = 3
_SWITCHES = {"lf": "--lf", "stepwise": "--sw", "stepwise_skip": "--sw-skip", "stepwise_reset": "--sw-reset"}
_VALUES = {"keyword": "-k", "markexpr": "-m"}
_LISTS = {"deselect": "--deselect", "ignore": "--ignore", "ignore_glob": "--ignore-glob"}


def selection(typed: argparse.Namespace, paths: Sequence[str], is_file: Callable[[str], bool]) -> str:
    """Say what was selected by what was typed; empty for the whole.

    Args:
        typed: what pytest's own parser made of the typed arguments alone.
        paths: the typed arguments that are no options; a folder is no selection.
        is_file: whether a file lies at a path, seen from where pytest was started.
    """
    words = [path for path in paths if "::" in path.partition("[")[0] or is_file(path)]
    words += [f"{flag} {value}" for name, flag in _VALUES.items() if (value := getattr(typed, name, ""))]
    words += [flag for name, flag in _SWITCHES.items() if getattr(typed, name, False)]
    words += [f"{flag} {value}" for name, flag in _LISTS.items() for value in getattr(typed, name, None) or ()]
    return ", ".join([*words[:SHOWN_WORDS], *(["..."] if len(words) > SHOWN_WORDS else [])])


def early_end(error: BaseException | None, finished: int, collected: int) -> str:
    """Say why a run ended before its last test; empty where it did not.

    Args:
        error: what left the loop over the tests, if anything did.
        finished: how many tests were run to their end.
        collected: how many there were to run.
    """
    if error is None or 0 < collected <= finished:
        return ""
    if type(error) is KeyboardInterrupt:  # pytest's own kinds of it have a reason
        return "stopped by Ctrl-C"
    return f"stopped early: {' '.join(str(error).split()) or type(error).__name__}"


def ide_of(modules: Container[str], program: str) -> str:
    """Name the IDE whose runner has started pytest, by the modules that are loaded and by the program's name."""
    if "vscode_pytest" in modules:
        return "VS Code"
    pycharm = "_jb_pytest_runner" in modules or os.path.basename(program).startswith("_jb_pytest_runner")
    return "PyCharm" if pycharm else ""


def enforced(options: Options, part: str, ide: str = "") -> Options:
    """Leave out the thresholds that a partial run does not have to reach, and say which.

    One that was typed stays in force; what an IDE types beside the selection stands in its configuration.
    """
    if not part or options.strict:
        return options
    typed = options.fail_under.where == TYPED and not ide
    none: Setting[float | None] = Setting(None, options.fail_under.where)
    left_out = replace(options, fail_under=none) if typed else options
    number = len(left_out.thresholds) + (left_out.fail_under.value is not None)
    if not number:
        return options
    text = (
        f"Not enforced: {asked(left_out, ide)}, because only a part was run ({part}); "
        f"--vmpilot-cov-strict enforces {'it' if number == 1 else 'them'}"
    )
    kept = options.fail_under if typed else none
    return replace(options, fail_under=kept, thresholds=(), not_enforced=text)


def unjudged(options: Options) -> Options:
    """Leave out every report and threshold, as ``--no-cov-on-fail`` asks for."""
    none: Setting[float | None] = Setting(None, options.fail_under.where)
    return replace(options, reports=(), fail_under=none, thresholds=(), require=frozenset())


def asked(options: Options, ide: str = "") -> str:
    """Say all thresholds, each with where it was set: ``fail_under 75 from addopts and each 50 from ...``."""
    by_place: dict[str, list[str]] = {}
    total = options.fail_under
    if total.value is not None:
        place = f"{total.where} of {ide}" if ide and total.where == TYPED else total.where
        by_place[place] = [f"fail_under {total.value:g}"]
    for each in options.thresholds:
        by_place.setdefault(each.where, []).append(f"{each.name} {each.required:g}")
    return " and ".join(f"{', '.join(names)} from {place}" for place, names in by_place.items())
