"""What can be typed: the options of pytest that are ours alone, those shared with pytest-cov, and how each is read."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

TERMINAL_KINDS = ("term", "term-missing")
FILE_KINDS = ("html", "xml", "json", "lcov", "markdown")


def add_own_options(parser: pytest.Parser) -> None:
    """Add the options that are ours alone; those shared with pytest-cov come later (``add_shared_options``)."""
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


def shared_options() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the options shared with pytest-cov: destination -> (flag, arguments), as pytest-cov names them."""
    return {
        "cov_source": ("--cov", {
            "action": "append", "default": [], "metavar": "SOURCE", "nargs": "?", "const": True,
            "help": "With --vmpilot-cov: what to measure, in place of [run] source (multi-allowed).",
        }),
        "cov_report": ("--cov-report", {
            "action": StoreReport, "default": {}, "metavar": "TYPE", "type": parse_report,
            "help": f"Report to make: {', '.join(TERMINAL_KINDS + FILE_KINDS)} (multi-allowed). "
            "term and term-missing may be followed by :skip-covered, the others by :DEST; empty for none.",
        }),
        "cov_config": ("--cov-config", {
            "action": "store", "default": ".coveragerc", "metavar": "PATH", "help": "Configuration of coverage.py.",
        }),
        "cov_fail_under": ("--cov-fail-under", {
            "action": "store", "metavar": "MIN", "type": parse_fail_under,
            "help": "Fail if the total coverage is less than MIN.",
        }),
        "cov_append": ("--cov-append", {
            "action": "store_true", "default": False, "help": "Keep what earlier sessions measured.",
        }),
        "cov_branch": ("--cov-branch", {
            "action": "store_true", "default": None, "help": "Measure branches, too.",
        }),
        "cov_precision": ("--cov-precision", {
            "type": int, "default": None, "help": "Digits after the decimal point in percentages.",
        }),
    }  # fmt: skip


def add_shared_options(parser: pytest.Parser, known: argparse.Namespace) -> bool:
    """Add those of the shared options that no other plugin has added; return whether any was."""
    group = parser.getgroup("vmpilot-cov")
    missing = [(flag, more) for dest, (flag, more) in shared_options().items() if not hasattr(known, dest)]
    for flag, more in missing:
        dest = next(dest for dest, (name, _) in shared_options().items() if name == flag)
        group.addoption(flag, dest=dest, **more)
    return bool(missing)


class StoreReport(argparse.Action):
    """Collect ``--cov-report`` into the mapping kind -> destination that pytest-cov keeps."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - argparse's own signature
        _option_string: str | None = None,
    ) -> None:
        """Store one report."""
        kind, dest = values
        namespace.cov_report = {**namespace.cov_report, kind: dest}


def parse_report(text: str) -> tuple[str, str | None]:
    """Parse one ``--cov-report`` value.

    Raises:
        argparse.ArgumentTypeError: when it is no report known here.
    """
    kind, colon, dest = text.partition(":")
    good = kind in FILE_KINDS or (kind in TERMINAL_KINDS and dest in ("", "skip-covered"))
    if not (good or text == ""):
        from pytest_vmpilot_cov.messages import say

        known = ", ".join(TERMINAL_KINDS + FILE_KINDS)
        raise argparse.ArgumentTypeError(say("report-unknown", value=text, known=known))
    return kind, dest if colon else None


def parse_fail_under(text: str) -> float:
    """Parse a threshold.

    Raises:
        argparse.ArgumentTypeError: when it is no number from 0 to 100.
    """
    from pytest_vmpilot_cov.model import TYPED
    from pytest_vmpilot_cov.options import OptionError, percentage

    try:
        return percentage(text, TYPED)
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
