"""Which reports were requested: what ``--cov-report`` takes, and what it comes to."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov.messages import say

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import ReportRequest

TERMINAL_KINDS = ("term", "term-missing")
FILE_KINDS = ("annotate", "html", "page", "xml", "json", "markdown", "markdown-append", "lcov", "badge")
OWN_KINDS = ("page", "badge")
"""Those that pytest-cov doesn't have."""
MARKDOWN_KINDS = ("markdown", "markdown-append")
_MARKDOWN_FILE = "coverage.md"
_DEFAULTS = {"markdown": _MARKDOWN_FILE, "markdown-append": _MARKDOWN_FILE, "page": "covpage", "badge": "coverage.svg"}
"""Where reports go that coverage.py knows nothing of; it has the others' places in its configuration."""


class StoreReport(argparse.Action):
    """Collect ``--cov-report`` into the mapping kind -> destination that pytest-cov keeps."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 - argparse's own signature
        _option_string: str | None = None,
    ) -> None:
        """Store one report."""
        kind, dest = values
        # a new mapping: the namespace's first one is argparse's default, shared by all parses
        reports = {**namespace.cov_report, kind: dest}
        files = [reports[each] or _MARKDOWN_FILE for each in MARKDOWN_KINDS if each in reports]
        if len(files) > len(set(files)):
            parser.error(say("report-same-file", path=files[0]))
        namespace.cov_report = reports


def parse_report(text: str) -> tuple[str, str | None]:
    """Parse one ``--cov-report`` value.

    Raises:
        argparse.ArgumentTypeError: when it is not one of our reports.
    """
    kind, colon, dest = text.partition(":")
    good = kind in FILE_KINDS or (kind in TERMINAL_KINDS and dest in ("", "skip-covered"))
    if not (good or text == ""):
        kinds = ", ".join(TERMINAL_KINDS + FILE_KINDS)
        raise argparse.ArgumentTypeError(say("report-unknown", value=text, choices=kinds))
    return kind, dest if colon else None


def report_requests(parsed: Iterable[tuple[str, str | None]]) -> tuple[ReportRequest, ...]:
    """Turn parsed values into the reports to make; without any value that is the table, with an empty one nothing.

    The table in the terminal is printed once: with missing lines if any value asks for them, and without complete
    files if any value leaves them out.
    """
    from pytest_vmpilot_cov.model import ReportRequest

    # an empty --cov-report= is the value "", which is in neither kind: nothing is made
    values = list(parsed) or [("term", None)]
    tables = dict(each for each in values if each[0] in TERMINAL_KINDS)
    requests = []
    if tables:
        kind = "term-missing" if "term-missing" in tables else "term"
        requests.append(ReportRequest(kind, skip_covered="skip-covered" in tables.values()))
    for kind, dest in values:
        if kind in FILE_KINDS:
            requests.append(ReportRequest(kind, dest or _DEFAULTS.get(kind, "")))
    return tuple(requests)
