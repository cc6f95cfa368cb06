"""Did only a part of the tests run, and which thresholds are then not enforced? Pure rules.

A part is a run from which somebody took tests away, or one that stopped early. What pytest's own options select in a
configuration or in addopts is the whole.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from pytest_vmpilot_cov.model import TYPED, Options, Setting

SHOWN_WORDS = 3
A_PLUGIN, IGNORED, REPLACED, NOT_RUN = "a plugin", "ignored", "replaced", "not run"
"""Unnamed causes: tests taken out of the list, files or whole paths not collected, tests not run."""
LEFT_OUT = "_pytest.paths"
"""The cause of what files and tests that were typed leave out."""
_SAID = {
    A_PLUGIN: "{} taken out by a plugin",
    IGNORED: "{} ignored by a plugin",
    REPLACED: "{} of the paths to collect replaced by a plugin",
    NOT_RUN: "{} not run",
}
_OPTIONS = {
    "keyword": ("-k", "_pytest.mark.deselect_by_keyword"),
    "markexpr": ("-m", "_pytest.mark.deselect_by_mark"),
    "lf": ("--lf", "_pytest.cacheprovider."),
    "stepwise": ("--sw", "_pytest.stepwise."),
    "stepwise_skip": ("--sw-skip", "_pytest.stepwise."),
    "stepwise_reset": ("--sw-reset", "_pytest.stepwise."),
    "deselect": ("--deselect", "_pytest.main."),
}
"""Pytest's own options that take tests away, by destination: the flag, and the function that deselects."""


def selection(
    typed: argparse.Namespace, paths: Sequence[str], taken: Mapping[str, int], ignored: Container[str]
) -> str:
    """Say what was taken away from the tests; empty for nothing.

    What pytest's own options take away counts only if they were typed: in a configuration they define the whole.

    Args:
        typed: the options that were typed for this run, without addopts.
        paths: the files and the tests that were typed; they count only if they left others out.
        taken: how many tests were taken away, by cause.
        ignored: the values of ``--ignore`` and ``--ignore-glob`` that ignored something.
    """
    words = list(paths) if LEFT_OUT in taken else []
    for dest, (flag, who) in _OPTIONS.items():
        value = getattr(typed, dest, None)
        # an option that took nothing away makes no part
        if value and any(each.startswith(who) for each in taken):
            words += [flag] if value is True else [f"{flag} {each}" for each in _each(value)]
    for dest, flag in (("ignore", "--ignore"), ("ignore_glob", "--ignore-glob")):
        words += [f"{flag} {value}" for value in getattr(typed, dest, None) or () if value in ignored]
    shown = [*words[:SHOWN_WORDS], *(["..."] if len(words) > SHOWN_WORDS else [])]
    # what pytest takes away without a typed option belongs to the whole
    others = {who: number for who, number in taken.items() if not who.startswith("_pytest.")}
    return ", ".join([*shown, *(_SAID.get(who, "{} deselected by " + who).format(others[who]) for who in others)])


def _each(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def early_end(error: BaseException | None, finished: int, collected: int) -> str:
    """Say why a run ended before its last test; empty where it did not.

    Args:
        error: what left the loop over the tests, if anything did.
        finished: how many tests were run to their end.
        collected: how many there were to run.
    """
    if error is None or 0 < collected <= finished:  # after the last test, nothing was cut short
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
        f"Not enforced: {thresholds_in_words(left_out, ide)}, because only a part was run ({part}); "
        f"--vmpilot-cov-strict enforces {'it' if number == 1 else 'them'}"
    )
    in_force = options.fail_under if typed else none
    return replace(options, fail_under=in_force, thresholds=(), not_enforced=text)


def unjudged(options: Options) -> Options:
    """Leave out every report and threshold, as ``--no-cov-on-fail`` asks for."""
    none: Setting[float | None] = Setting(None, options.fail_under.where)
    return replace(options, reports=(), fail_under=none, thresholds=(), require=frozenset())


def thresholds_in_words(options: Options, ide: str = "") -> str:
    """Say all thresholds, each with where it was set: ``fail_under 75 from addopts and each 50 from ...``."""
    by_place: dict[str, list[str]] = {}
    total = options.fail_under
    if total.value is not None:
        place = f"{total.where} of {ide}" if ide and total.where == TYPED else total.where
        by_place[place] = [f"fail_under {total.value:g}"]
    for each in options.thresholds:
        required = "baseline" if each.baseline else f"{each.required:g}"
        by_place.setdefault(each.where, []).append(f"{each.name} {required}")
    return " and ".join(f"{', '.join(names)} from {place}" for place, names in by_place.items())
