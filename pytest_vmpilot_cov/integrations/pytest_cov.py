"""Beside pytest-cov, or in its place if it is missing: its fixtures, its --no-cov, its options without effect."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pytest

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.options.flags import SHARED_OPTIONS
from pytest_vmpilot_cov.stash import HEADER, WARNING


def is_here(manager: pytest.PytestPluginManager) -> bool:
    """Tell whether pytest-cov is loaded; an empty module that bears its name for the sake of an IDE is not."""
    namesakes = (each for each in manager.get_plugins() if getattr(each, "__name__", "") == "pytest_cov.plugin")
    return any(hasattr(each, "pytest_addoption") for each in namesakes)


def stand_in(config: pytest.Config, typed: argparse.Namespace, args: Sequence[str]) -> None:
    """Do what pytest-cov would do, if it is not loaded or our flag is on; otherwise leave everything to it.

    Raises:
        pytest.UsageError: when ``--cov`` asks to measure, but nothing would be measured.
    """
    if is_here(config.pluginmanager) and not typed.vmpilot_cov:
        return
    lend_fixtures(config.pluginmanager, over_its_own=True)
    if not typed.vmpilot_cov:
        _note_without_effect(config, typed)
    elif typed.no_cov:
        config.stash[HEADER] = [f"vmpilot-cov: {say('no-cov')}"]
        if _is_contradicted(args):
            config.stash[WARNING] = say("no-cov")


def silence(typed: argparse.Namespace) -> None:
    """Keep pytest-cov from measuring beside us: it starts where ``--cov`` has a value."""
    if typed.vmpilot_cov:
        typed.cov_source = []


def lend_fixtures(manager: pytest.PytestPluginManager, *, over_its_own: bool = False) -> None:
    """Give tests the fixtures of pytest-cov if it is not loaded.

    Args:
        manager: pytest's own.
        over_its_own: whether ours replace those of a loaded pytest-cov.
    """
    if over_its_own or not is_here(manager):
        from pytest_vmpilot_cov.integrations import pytest_cov_fixtures

        # of two fixtures with one name, that of the plugin registered last wins
        manager.register(pytest_cov_fixtures, "vmpilot_cov_fixtures")


def _note_without_effect(config: pytest.Config, typed: argparse.Namespace) -> None:
    given = without_effect(typed)
    if "--cov" in given and not (typed.help or typed.version):
        raise pytest.UsageError(say("cov-without-effect"))
    if given:
        config.stash[HEADER] = [f"vmpilot-cov: {say('option-without-effect', flags=', '.join(given))}"]


def without_effect(typed: argparse.Namespace) -> list[str]:
    """List the shared options that were given; without our flag and without pytest-cov none has an effect."""
    if typed.no_cov:
        return []
    # two flags share cov_source; in reverse, the first one, ``--cov``, is what stays
    neutral = {dest: more.get("default") for dest, _, more in reversed(SHARED_OPTIONS)}
    flags = {dest: flag for dest, flag, _ in reversed(SHARED_OPTIONS)}
    return [flag for dest, flag in reversed(flags.items()) if getattr(typed, dest) != neutral[dest]]


def _is_contradicted(args: Sequence[str]) -> bool:
    """Tell whether an option that asks for coverage comes after ``--no-cov``, as if it should win."""
    words = [str(word) for word in args]
    later = words[words.index("--no-cov") + 1 :] if "--no-cov" in words else []
    return any(word.startswith(("--cov", "--vmpilot-cov")) for word in later)
