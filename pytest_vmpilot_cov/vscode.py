"""VS Code: its pytest plugin wants pytest-cov for every ``--cov...`` option, and its button types two of them."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PLUGIN = "vscode_pytest"
"""The name under which the plugin of VS Code's Python extension is loaded."""
BUTTON = ["--cov=.", "--cov-branch"]
"""What "Run with coverage" types for pytest-cov, in every project."""
_PYTEST_COV = ("pytest_cov", "pytest_cov.plugin")


def stand_in_for_pytest_cov(manager: pytest.PytestPluginManager) -> None:
    """Register an empty plugin in the place of pytest-cov: without one VS Code's refuses options that are ours, too."""
    if manager.hasplugin(PLUGIN) and not any(map(manager.hasplugin, _PYTEST_COV)):
        any(manager.register(ModuleType(name), name) for name in _PYTEST_COV)  # a blocked name is not registered


def take_back_button(args: list[str]) -> bool:
    """Take out what the button typed, so that the configuration says what is measured; return whether it had.

    Args:
        args: what pytest was told, of addopts and of the command line; changed in place.
    """
    for at in reversed(range(len(args))):
        if args[at : at + 2] == BUTTON:
            del args[at : at + 2]
            return True
    return False
