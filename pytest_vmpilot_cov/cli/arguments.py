"""What each verb of the command takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_vmpilot_cov.model import ORIGINS
from pytest_vmpilot_cov.options.flags import parse_fail_under
from pytest_vmpilot_cov.options.report_kinds import FILE_KINDS, TERMINAL_KINDS, parse_report


def add_arguments(name: str, verb: argparse.ArgumentParser) -> None:
    """Add what one verb alone takes."""
    if name == "run":
        verb.add_argument("--origin", choices=("unit", "e2e"), default="e2e", help="whose data it is (default e2e)")
    elif name == "combine":
        _add_judging(verb)
        _add_places(verb)
    elif name == "report":
        _add_judging(verb)
        text = "report on this origin alone, without the thresholds of the configuration"
        verb.add_argument("--origin", choices=ORIGINS, default="", help=text)
    elif name == "live":
        verb.add_argument("--port", type=int, metavar="PORT", default=0, help="where to listen (default any free port)")
    elif name == "demo":
        verb.add_argument("-f", "--fail-under", type=parse_fail_under, metavar="MIN", default=75.0, help="threshold")
    elif name in ("dump", "status", "erase"):
        verb.add_argument("paths", nargs="*", metavar="PATH", type=Path, help="data folders, instead of the usual ones")
    elif name in ("who", "tests", "affected"):
        _add_question(name, verb)
    if name == "dump":
        verb.add_argument("--reset", action="store_true", help="count only what is reached from now on, and start-up")
    elif name == "status":
        text = "print [paths] for coverage.py instead"
        verb.add_argument("--paths", dest="as_section", action="store_true", help=text)


def _add_question(name: str, verb: argparse.ArgumentParser) -> None:
    if name == "who":
        text = "a file, a line of it as in app/main.py:12, or a range as in app/main.py:12-20; more may follow"
        verb.add_argument("place", metavar="FILE[:LINE[-LINE]]", help=text)
    elif name == "affected":
        verb.add_argument("--since", metavar="REF", required=True, help="the commit that the change is compared with")
    else:
        verb.add_argument("test", metavar="TEST", help="a part of a test's name, or a pattern such as *test_chat*")
    _add_places(verb)


def _add_places(verb: argparse.ArgumentParser) -> None:
    text = "data files, folders, archives, patterns or URLs, and no others; unit=PATH says whose data it is"
    verb.add_argument("paths", nargs="*", metavar="PATH", help=text)


def _add_judging(verb: argparse.ArgumentParser) -> None:
    kinds = ", ".join(TERMINAL_KINDS + FILE_KINDS)
    verb.add_argument("-f", "--fail-under", type=parse_fail_under, metavar="MIN", help="threshold in percent")
    verb.add_argument(
        "--cov-report", action="append", type=parse_report, metavar="TYPE", default=[], help=f"reports: {kinds}"
    )
    verb.add_argument("--require", action="append", metavar="ORIGIN", default=[], help="origins that must have data")
    text = "show what was reached of the change since REF (default: since the branch left its upstream branch)"
    verb.add_argument("--changed", "--vmpilot-cov-changed", nargs="?", const="", metavar="REF", help=text)
    text = "on GitHub, mark the lines of the change that nobody reached"
    verb.add_argument("--annotations", "--vmpilot-cov-annotations", action="store_true", help=text)
