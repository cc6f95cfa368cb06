"""What a CI service shows of the verdict: the job summary of GitHub Actions, the properties of a JUnit XML."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.hooks.hookspecs import PluginObject, hookimpl

if TYPE_CHECKING:
    import pluggy

    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
    from pytest_vmpilot_cov.model import Options, Outcome

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
"""GitHub Actions names the file here to which a step appends what the job's page shows."""


def append_job_summary(cov: ReportingCoverage, options: Options, outcome: Outcome) -> str | None:
    """Append the Markdown report to the job's summary, where there is one.

    Raises:
        OSError: when it cannot be written.
    """
    path = os.environ.get(SUMMARY_VARIABLE)
    if not path or options.origin:  # one origin's report is for another service
        return None
    from pytest_vmpilot_cov.report.markdown import SUMMARY, markdown_report

    with open(path, "a", encoding="utf-8") as file:
        file.write(markdown_report(cov, options, outcome, SUMMARY) + "\n")
    return None


class JUnitProperties(PluginObject):
    """Put the total and each check into the JUnit XML that pytest writes, as properties of the test suite."""

    def __init__(self, plugins: pluggy.PluginManager) -> None:
        """Prepare.

        Args:
            plugins: pytest's own; with --junit-xml, the writer of the XML is among them.
        """
        self._plugins = plugins

    @hookimpl
    def pytest_vmpilot_cov_report(self, outcome: Outcome) -> None:
        """Add the properties; pytest writes the file when the session is over."""
        for plugin in self._plugins.get_plugins():
            add = getattr(plugin, "add_global_property", None)  # LogXML has no public name, its fixture calls this
            if add is not None:
                for name, value in _properties(outcome).items():
                    add(name, value)


def _properties(outcome: Outcome) -> dict[str, str]:
    """Name what was reached by each origin and by all, and what came of each check."""
    rows = (*outcome.figures.rows, outcome.figures.total)
    return {
        **{f"coverage.{row.origin}": f"{row.percent:.2f}" for row in rows},
        **{f"coverage.check.{each.name}": "passed" if each.passed else "failed" for each in outcome.verdict.checks},
        "coverage.verdict": "passed" if outcome.verdict.passed else "failed",
    }
