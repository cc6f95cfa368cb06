"""Beside pytest-cov, or in its place if it is missing: its fixtures, its --no-cov, its options without effect."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_vmpilot_cov.hooks.hookspecs import PluginObject
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.options.flags import SHARED_OPTIONS
from pytest_vmpilot_cov.options.report_kinds import OWN_KINDS, parse_report
from pytest_vmpilot_cov.stash import HEADER, WARNING

MODULE = "pytest_cov.plugin"
DISABLED = "Coverage disabled via --no-cov switch!"
"""What pytest-cov says of a contradicted ``--no-cov``, and of no other; scripts look for the whole line."""


def is_here(manager: pytest.PytestPluginManager) -> bool:
    """Tell whether pytest-cov is loaded; an empty module that bears its name for the sake of an IDE is not."""
    return any(map(_is_pytest_cov, manager.get_plugins()))


def _is_pytest_cov(plugin: object) -> bool:
    return getattr(plugin, "__name__", "") == MODULE and hasattr(plugin, "pytest_addoption")


class OwnReports(PluginObject):
    """Let pytest-cov's ``--cov-report`` take the kinds that are ours alone, whichever of the two is loaded first."""

    def __init__(self, parser: pytest.Parser) -> None:
        """Prepare to widen the option of *parser*."""
        self._parser = parser

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Widen the option as soon as pytest-cov has added it; it would refuse what it does not know."""
        for option in self._parser.getgroup("cov").options if _is_pytest_cov(plugin) else ():
            if option.dest == "cov_report":
                attributes = option.attrs()
                attributes["type"] = _widened(attributes["type"])


def _widened(theirs: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:  # noqa: ANN401 - whatever pytest-cov makes of it
        return (parse_report if text.partition(":")[0] in OWN_KINDS else theirs)(text)

    return parse


def stand_in(config: pytest.Config, typed: argparse.Namespace, args: Sequence[str]) -> None:
    """Do what pytest-cov would do, if it is not loaded or our flag is on; otherwise leave everything to it.

    Raises:
        pytest.UsageError: when ``--cov`` asks to measure, but nothing would be measured.
    """
    if is_here(config.pluginmanager) and not typed.vmpilot_cov:
        if own := [kind for kind in OWN_KINDS if kind in typed.cov_report]:
            raise pytest.UsageError(say("report-not-of-pytest-cov", kind=own[0]))
        return
    lend_fixtures(config.pluginmanager, over_its_own=True)
    if not typed.vmpilot_cov:
        _note_without_effect(config, typed)
    elif typed.no_cov:
        config.stash[HEADER] = [f"vmpilot-cov: {say('no-cov')}"]
        if _is_contradicted(args):
            config.stash[WARNING] = DISABLED


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
    flags = without_effect(typed)
    if "--cov" in flags and not (typed.help or typed.version):
        raise pytest.UsageError(say("cov-without-effect"))
    if flags:
        config.stash[HEADER] = [f"vmpilot-cov: {say('option-without-effect', flags=', '.join(flags))}"]


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
