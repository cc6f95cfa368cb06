"""Call the hooks that others may implement, one implementation at a time: one that fails spoils no other."""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from pytest_vmpilot_cov.hooks import builtin, hookspecs
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Check, Combined, Figures, Options, Outcome
from pytest_vmpilot_cov.model.value import Value

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
from server_hook.problems import one_line

ENTRY_POINTS = "vmpilot_cov"
"""The group under which installed packages name modules whose hooks the command calls."""
_INSTALLED, _NAMED = (".dist-info", ".egg-info"), "entry_points.txt"
"""What the names of folders about installed packages end with, and the file in them that names modules."""


class Answers(Value):
    """What the implementations of a hook gave, in the order of their registration, and which of them failed."""

    given: tuple[Any, ...]
    failures: tuple[str, ...]


class _Plugins(pluggy.PluginManager):
    """Like pytest's own, without importing it: a function with the name of a hook is one, decorated or not."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Tell whether a member of a plugin implements a hook, and how."""
        if not name.startswith("pytest_"):
            return None  # getattr on other members may fail: a plugin can be any object
        options = super().parse_hookimpl_opts(plugin, name)
        if options is None and name.startswith("pytest_vmpilot_cov_") and inspect.isroutine(getattr(plugin, name)):
            return pluggy.HookimplOpts(
                wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
            )
        return options


def hooks_of_command() -> pluggy.PluginManager:
    """Return the plugins whose hooks the command calls: our own, and those of installed packages."""
    # the project name of pytest's own markers: one implementation serves pytest and the command
    plugins = _Plugins("pytest")
    plugins.add_hookspecs(hookspecs)
    plugins.register(builtin, builtin.NAME)
    if may_be_named():
        plugins.load_setuptools_entrypoints(ENTRY_POINTS)
    return plugins


def may_be_named() -> bool:
    """Tell whether an installed package may name modules with hooks.

    To ask ``importlib.metadata`` is a tenth of what a report costs where nothing has changed, most of it its import.
    """
    if any(hasattr(finder, "find_distributions") and finder is not PathFinder for finder in sys.meta_path):
        return True
    section = f"[{ENTRY_POINTS}]".encode()
    for place in (entry or os.curdir for entry in sys.path):
        if os.path.isfile(place) or place.lower().endswith(".egg"):  # it may hold anything
            return True
        with suppress(OSError):
            for name in os.listdir(place):
                if name.lower().endswith(_INSTALLED) and section in _text_of(os.path.join(place, name, _NAMED)):
                    return True
    return False


def _text_of(path: str) -> bytes:
    with suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""


def call_each(plugins: pluggy.PluginManager, name: str, **arguments: object) -> Answers:
    """Call a hook; an implementation may give one value, several, or none."""
    given: list[Any] = []
    failures: list[str] = []
    implementing = [each.plugin for each in getattr(plugins.hook, name).get_hookimpls()]
    for plugin in implementing:
        # one at a time: pluggy stops at the first exception and drops the answers of all others
        call = plugins.subset_hook_caller(name, [other for other in implementing if other is not plugin])
        try:
            for answer in call(**arguments):
                # a str is iterable, too, but it is one answer
                given += [answer] if isinstance(answer, str) or not isinstance(answer, Iterable) else answer
        except _raised_by_others() as error:  # not our code
            failures.append(_failure(plugins.get_name(plugin) or repr(plugin), name, error))
    return Answers(tuple(given), tuple(failures))


@contextmanager
def contributed_data(plugins: pluggy.PluginManager, options: Options) -> Iterator[Answers]:
    """Ask for data files and folders that others contribute; what they copied is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-") as folder:
        answers = call_each(plugins, "pytest_vmpilot_cov_data", options=options, folder=Path(folder))
        yield replace(answers, given=tuple(map(Path, answers.given)))


def checks_of(plugins: pluggy.PluginManager, figures: Figures, combined: Combined, options: Options) -> list[Check]:
    """Collect the checks of all plugins; an implementation that fails counts as a check that has failed."""
    answers = call_each(plugins, "pytest_vmpilot_cov_checks", figures=figures, combined=combined, options=options)
    return [*answers.given, *(Check("hook", passed=False, text=f"FAIL {why}") for why in answers.failures)]


def added_reports(plugins: pluggy.PluginManager, cov: ReportingCoverage, options: Options, outcome: Outcome) -> Outcome:
    """Let plugins add their reports; return the outcome with what they print."""
    answers = call_each(plugins, "pytest_vmpilot_cov_report", outcome=outcome, options=options, cov=cov)
    text, problems = (*outcome.text, *answers.given), (*outcome.problems, *answers.failures)
    return replace(outcome, text=text, problems=problems)


def _raised_by_others() -> tuple[type[BaseException], ...]:
    """Return what an implementation may raise: what ``pytest.fail`` and ``pytest.skip`` do is no ``Exception``."""
    pytest: Any = sys.modules.get("pytest")  # not imported: the command works without it
    return (Exception, pytest.fail.Exception, pytest.skip.Exception) if pytest else (Exception,)


def _failure(plugin: str, hook: str, error: BaseException) -> str:
    """Name the implementation that failed, and the line in it that raised."""
    # the outermost frame that is not ours or pluggy's: inner ones may lie in libraries that it called
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if each.filename != __file__ and "/pluggy/" not in each.filename] or frames
    why = f"{type(error).__name__}: {one_line(error)}"
    where = f"{theirs[0].filename}:{theirs[0].lineno}"
    return say("hook-failed", hook=hook, plugin=plugin, why=why, where=where)
