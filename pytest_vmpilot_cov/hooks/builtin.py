"""What this plugin itself contributes through its hooks: required origins, stale data, and the summaries of CI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.hooks import ci
from pytest_vmpilot_cov.hooks.hookspecs import hookimpl
from pytest_vmpilot_cov.judge import judge

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
    from pytest_vmpilot_cov.model import Check, Combined, Figures, Options, Outcome

NAME = "vmpilot_cov_builtin"


def __dir__() -> list[str]:
    """List the hooks alone, as a ``PluginObject`` does."""
    return [name for name in globals() if name.startswith("pytest_")]


@hookimpl
def pytest_vmpilot_cov_checks(figures: Figures, combined: Combined, options: Options) -> Iterator[Check]:
    """Check that each required origin reached something, and with ``stale = fail`` that no data is stale."""
    yield from judge.required_origins(figures, options)
    yield from judge.stale_files(combined.stale, options)


@hookimpl
def pytest_vmpilot_cov_report(outcome: Outcome, options: Options, cov: ReportingCoverage) -> str | None:
    """Append the Markdown report to the summary of the CI job, where there is one."""
    return ci.append_job_summary(cov, options, outcome)
