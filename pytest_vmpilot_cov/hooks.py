"""Call the hooks that others may implement, one implementation at a time: one that fails spoils no other."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vmpilot_cov import builtin, hookspecs
from pytest_vmpilot_cov.messages import say

if TYPE_CHECKING:
    import pluggy

ENTRY_POINTS = "vmpilot_cov"
"""The group under which installed packages name modules whose hooks the command calls."""


@dataclass(frozen=True)
class Answers:
    """What the implementations of a hook gave, in the order of their registration, and which of them failed."""

    given: tuple[Any, ...]
    failures: tuple[str, ...]


def hooks_of_command() -> pluggy.PluginManager:
    """Return the plugins whose hooks the command calls: our own, and those of installed packages."""
    plugins = pytest.PytestPluginManager()  # pluggy's own takes no hook without a decorator
    plugins.add_hookspecs(hookspecs)
    plugins.register(builtin, builtin.NAME)
    plugins.load_setuptools_entrypoints(ENTRY_POINTS)
    return plugins


def call_each(plugins: pluggy.PluginManager, name: str, **arguments: object) -> Answers:
    """Call a hook; an implementation may give one value, several, or none."""
    given: list[Any] = []
    failures: list[str] = []
    implementing = [each.plugin for each in getattr(plugins.hook, name).get_hookimpls()]
    for plugin in implementing:
        call = plugins.subset_hook_caller(name, [other for other in implementing if other is not plugin])
        try:
            for answer in call(**arguments):
                given += [answer] if isinstance(answer, str) or not isinstance(answer, Iterable) else answer
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:  # noqa: BLE001 - not our code
            failures.append(_failure(plugins.get_name(plugin) or repr(plugin), name, error))
    return Answers(tuple(given), tuple(failures))


def _failure(plugin: str, hook: str, error: BaseException) -> str:
    """Name the implementation that failed, by the line of it that did, whatever it has called there."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [each for each in frames if each.filename != __file__ and "/pluggy/" not in each.filename] or frames
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    where = f"{theirs[0].filename}:{theirs[0].lineno}"
    return say("hook-failed", hook=hook, plugin=plugin, why=why, where=where)
