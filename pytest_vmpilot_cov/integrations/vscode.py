"""VS Code: its pytest plugin wants pytest-cov for every ``--cov...`` option, and its button types two of them."""

from __future__ import annotations

import argparse
from collections.abc import Container
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PLUGIN = "vscode_pytest"
"""The name under which the plugin of VS Code's Python extension is loaded."""
BUTTON = ["--cov=.", "--cov-branch"]
"""What "Run with coverage" types for pytest-cov, in every project."""
_DISCOVERED = "vmpilot_cov/discovered"
"""Where pytest's cache keeps the tests of the last discovery."""
_PYTEST_COV = ("pytest_cov", "pytest_cov.plugin")


def stand_in_for_pytest_cov(manager: pytest.PytestPluginManager, typed: argparse.Namespace) -> None:
    """Register an empty plugin in the place of pytest-cov: without one, VS Code's plugin refuses our options as well.

    Args:
        manager: pytest's own.
        typed: the options of this session; with ``--cov`` alone, pytest-cov measures.
    """
    if not manager.hasplugin(PLUGIN) or (typed.cov_source and not typed.vmpilot_cov):
        return
    if not any(map(manager.hasplugin, _PYTEST_COV)):
        for name in _PYTEST_COV:
            if manager.register(ModuleType(name), name):  # a blocked name is not registered
                break


def take_back_button(args: list[str]) -> bool:
    """Take out what the button typed, so that the configuration says what is measured; return whether it had.

    Args:
        args: the words of addopts and of the command line; changed in place.
    """
    for at in reversed(range(len(args))):  # the last ones: the button types its words after all others
        if args[at : at + 2] == BUTTON:
            del args[at : at + 2]
            return True
    return False


def keep_discovered(session: pytest.Session) -> None:
    """Keep the tests of a discovery: to run all of them, VS Code types each of their names."""
    cache = _cache_of(session.config)
    if cache is not None and session.config.option.collectonly:
        complete = not session.testsfailed  # else some tests are missing, and the rest would pass for all
        cache.set(_DISCOVERED, [item.nodeid for item in session.items] if complete else [])


def ran_all_discovered(config: pytest.Config, finished: Container[str]) -> bool:
    """Tell whether VS Code ran every test of its last discovery.

    Args:
        config: of this session.
        finished: the tests that were run to their end.
    """
    cache = _cache_of(config)
    discovered: list[str] = cache.get(_DISCOVERED, []) if cache is not None else []
    return bool(discovered) and all(each in finished for each in discovered)


def _cache_of(config: pytest.Config) -> pytest.Cache | None:
    """Return pytest's cache under VS Code; with ``-p no:cacheprovider`` there is not even the attribute."""
    return getattr(config, "cache", None) if config.pluginmanager.hasplugin(PLUGIN) else None
