"""The command line options: those that are ours alone, those shared with pytest-cov, and how each is parsed."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.options.report_kinds import FILE_KINDS, TERMINAL_KINDS, StoreReport, parse_report

if TYPE_CHECKING:
    import pytest

BEGINNINGS = ("--vmpilot-cov", "--cov", "--no-cov")
"""How the options begin that concern this plugin."""
CONTEXTS = ("test",)
"""The contexts that ``--cov-context`` can record."""


def add_own_options(parser: pytest.Parser) -> None:
    """Add the options that are ours alone; those shared with pytest-cov come later (``add_shared_options``)."""
    # own names only: pytest-cov may be loaded after this plugin, and the order cannot be controlled
    group = parser.getgroup("vmpilot-cov", "coverage of unit tests, E2E tests and the live pipeline server")
    group.addoption(
        "--vmpilot-cov",
        action="store_true",
        default=False,
        help="Measure this session, ask the live pipeline servers for their data, and judge all of it together.",
    )
    group.addoption(
        "--vmpilot-cov-pipeline",
        action="append",
        default=[],
        metavar="PATH",
        help="Where a pipeline server keeps its data: a data file or its folder (multi-allowed).",
    )
    _add_judging_options(group)
    _add_change_options(group)


def _add_judging_options(group: pytest.OptionGroup) -> None:
    group.addoption(
        "--vmpilot-cov-stale",
        default="",
        metavar="WAY",
        help="What becomes of data whose source has changed since: drop, fail or keep.",
    )
    group.addoption(
        "--vmpilot-cov-sets",
        action="store_true",
        default=False,
        help="Show for each file how much of it one origin alone reached, several did, and nobody did.",
    )
    group.addoption(
        "--vmpilot-cov-reset",
        action="store_true",
        default=False,
        help="Begin anew in every live pipeline server, so that its row says what this session drove.",
    )
    group.addoption(
        "--vmpilot-cov-strict",
        action="store_true",
        default=False,
        help="Enforce the thresholds of the configuration although only a part of the tests is run.",
    )
    group.addoption(
        "--vmpilot-cov-require",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="Fail when no executed line came from this origin: unit, e2e, pipeline (several with commas).",
    )


def _add_change_options(group: pytest.OptionGroup) -> None:
    group.addoption(
        "--vmpilot-cov-changed",
        nargs="?",
        const="",
        default=None,
        metavar="REF",
        help="Show what was reached of the change since REF; without REF, since the branch left its upstream branch.",
    )
    group.addoption(
        "--vmpilot-cov-annotations",
        action="store_true",
        default=False,
        help="On GitHub, mark the lines of the change that nobody reached in the view of the change.",
    )


def add_shared_options(parser: pytest.Parser, namespace: argparse.Namespace) -> bool:
    """Add the shared options that no other plugin has added; return whether there were any."""
    group = parser.getgroup("vmpilot-cov")
    # pytest-cov may have added its own: a flag that is added twice aborts pytest at start-up
    missing = [each for each in SHARED_OPTIONS if not hasattr(namespace, each[0])]
    for dest, flag, more in missing:
        group.addoption(flag, dest=dest, **more)
    return bool(missing)  # then the caller has to parse the command line again


def ask_for_anything(args: Iterable[object]) -> bool:
    """Tell whether an option of these was given, on the command line or in addopts."""
    return any(str(arg).startswith(BEGINNINGS) for arg in args)


def parse_context(text: str) -> str:
    """Parse what lines are recorded for.

    Raises:
        argparse.ArgumentTypeError: when it is not one of our contexts.
    """
    if text not in CONTEXTS:
        raise argparse.ArgumentTypeError(say("context-unknown", value=text))
    return text


def parse_fail_under(text: str) -> float:
    """Parse a threshold.

    Raises:
        argparse.ArgumentTypeError: when it is no number from 0 to 100.
    """
    from pytest_vmpilot_cov.messages import UsageError
    from pytest_vmpilot_cov.model import TYPED
    from pytest_vmpilot_cov.options.thresholds import percentage

    try:
        return percentage(text, TYPED)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


SHARED_OPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("cov_source", "--cov", {
        # as pytest-cov has it, so a path right after a bare --cov is taken as SOURCE
        "action": "append", "default": [], "metavar": "SOURCE", "nargs": "?", "const": True,
        "help": "With --vmpilot-cov: what to measure, in place of [run] source (multi-allowed). "
        "Without SOURCE it is [run] source; with an empty one the configuration's whole folder.",
    }),
    ("cov_source", "--cov-reset", {
        "action": "store_const", "const": [], "help": "Forget every --cov so far.",
    }),
    ("cov_report", "--cov-report", {
        "action": StoreReport, "default": {}, "metavar": "TYPE", "type": parse_report,
        "help": f"Report to make: {', '.join(TERMINAL_KINDS + FILE_KINDS)} (multi-allowed). "
        "term and term-missing may be followed by :skip-covered, the others by :DEST; empty for none.",
    }),
    ("cov_config", "--cov-config", {
        "action": "store", "default": ".coveragerc", "metavar": "PATH", "help": "Configuration of coverage.py.",
    }),
    ("no_cov_on_fail", "--no-cov-on-fail", {
        "action": "store_true", "default": False, "help": "Report and judge nothing if a test fails.",
    }),
    ("no_cov", "--no-cov", {
        "action": "store_true", "default": False, "help": "Measure and judge nothing, as for a debugger.",
    }),
    ("cov_fail_under", "--cov-fail-under", {
        "action": "store", "metavar": "MIN", "type": parse_fail_under,
        "help": "Fail if the total coverage is less than MIN.",
    }),
    ("cov_append", "--cov-append", {
        "action": "store_true", "default": False, "help": "Keep what earlier sessions measured.",
    }),
    ("cov_branch", "--cov-branch", {
        "action": "store_true", "default": None, "help": "Measure branches, too.",
    }),
    ("cov_precision", "--cov-precision", {
        "type": int, "default": None, "help": "Digits after the decimal point in percentages.",
    }),
    ("cov_context", "--cov-context", {
        "action": "store", "metavar": "CONTEXT", "type": parse_context,
        "help": f"What lines are recorded for, beside their origin: {', '.join(CONTEXTS)}.",
    }),
)  # fmt: skip
"""The options shared with pytest-cov: destination, flag and arguments, named as pytest-cov names them."""
