"""From what lies on disk to a verdict: collect, combine, count, judge, publish; for the session and the command."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.hooks.hooks import call_each
from pytest_vmpilot_cov.judge.figures import count, reporting
from pytest_vmpilot_cov.judge.judge import judge
from pytest_vmpilot_cov.model import Check, Options
from pytest_vmpilot_cov.model.verdict import Outcome
from pytest_vmpilot_cov.publish import write_data_files
from pytest_vmpilot_cov.report.report import make_reports

if TYPE_CHECKING:
    from pluggy import PluginManager


def reach_verdict(
    options: Options, scope: Scope, plugins: PluginManager, *, keep: bool = True, leave: str = ""
) -> Outcome:
    """Walk from the data to the verdict.

    Args:
        options: what was asked for.
        scope: what counts, and where to look for it.
        plugins: whose hooks are called on the way.
        keep: whether ``.coverage`` and the other data files are published.
        leave: a data file that is not: somebody else will write it.

    Raises:
        UsageError: when the configuration cannot be used.
    """
    begun = time.monotonic()
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-") as folder:
        more = call_each(plugins, "pytest_vmpilot_cov_data", options=options, folder=Path(folder))
        collected = collect(options, replace(scope, more=tuple(map(Path, more.given))))
    combined = combine(options, collected)
    with reporting(options, combined) as cov:
        figures = count(cov)
        checks = call_each(plugins, "pytest_vmpilot_cov_checks", figures=figures, combined=combined, options=options)
        verdict = judge(figures, options, [*checks.given, *map(_failed, checks.failures)])
        outcome = Outcome(collected, combined, figures, verdict)
        text, failed = make_reports(cov, options, outcome)
        outcome = replace(outcome, verdict=replace(verdict, checks=(*verdict.checks, *failed)))
        added = call_each(plugins, "pytest_vmpilot_cov_report", outcome=outcome, options=options, cov=cov)
        problems += [*added.failures, *(warning for warning in cov.warnings() if "parse" in warning)]
    problems = [*more.failures, *collected.problems, *combined.problems, *problems]
    if keep:
        problems += write_data_files(options, combined, leave)
    text += added.given
    return replace(outcome, text=tuple(text), problems=tuple(problems), took_s=time.monotonic() - begun)


def _failed(why: str) -> Check:
    """Take a check that could not be made for one that has failed."""
    return Check("hook", passed=False, text=f"FAIL {why}")
