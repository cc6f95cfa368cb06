"""From what lies on disk to a verdict: the six steps, for the session and the command."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.baseline import read_baseline
from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.combine.one_origin import only_origin
from pytest_vmpilot_cov.hooks.hooks import added_reports, checks_of, contributed_data
from pytest_vmpilot_cov.judge.change import count_change
from pytest_vmpilot_cov.judge.figures import count, reporting
from pytest_vmpilot_cov.judge.judge import judge
from pytest_vmpilot_cov.model import Collected, Combined, Figures, Options, Outcome
from pytest_vmpilot_cov.publish import publish
from pytest_vmpilot_cov.report.report import make_reports

if TYPE_CHECKING:
    from pluggy import PluginManager


def reach_verdict(
    options: Options, scope: Scope, plugins: PluginManager, *, keep: bool = True, leave: str = ""
) -> Outcome:
    """Collect, combine, count, judge, report and publish.

    The working folder is the root meanwhile: coverage.py names files, and writes reports, relative to it.

    Args:
        options: the user's.
        scope: what counts, and where to look for it.
        plugins: whose hooks are called on the way.
        keep: whether ``.coverage`` and the other data files are published.
        leave: a data file that is not published, because another coverage.py will write it.

    Raises:
        UsageError: when the configuration cannot be used.
    """
    # plugins may contribute temporary copies, which are gone after this block
    with working_in(options.root), contributed_data(plugins, options) as contributed:
        collected, combined = _combined(options, replace(scope, extra=contributed.given))
        with reporting(options, combined) as cov:
            figures = count(cov, scope.origins)
            if options.origin and not figures.total.reached:
                options = replace(options, reports=())  # a service would take them for 0 %
            if options.change is not None:
                from pytest_vmpilot_cov.changes.changes import changed_lines

                diff = changed_lines(options, figures.tallies)
                figures = replace(figures, change=count_change(figures, diff))
            checks = checks_of(plugins, figures, combined, options)
            verdict = judge(figures, options, checks, read_baseline(options))
            problems = (*contributed.failures, *collected.problems, *combined.problems)
            # after the verdict, which the reports show
            outcome = make_reports(cov, options, Outcome(collected, combined, figures, verdict, problems=problems))
            outcome = added_reports(plugins, cov, options, outcome)
        if keep and (scope.session or figures.total.reached):  # a command that has nothing to judge changes nothing
            outcome = publish(options, outcome, leave)
        return outcome


def count_only(options: Options, scope: Scope, plugins: PluginManager) -> Figures:
    """Collect, combine and count, without a verdict, reports or data files.

    Args:
        options: the user's.
        scope: what counts, and where to look for it.
        plugins: whose hooks contribute data.
    """
    with working_in(options.root), contributed_data(plugins, options) as contributed:
        _, combined = _combined(options, replace(scope, extra=contributed.given))
        with reporting(options, combined) as cov:
            return count(cov)


def _combined(options: Options, scope: Scope) -> tuple[Collected, Combined]:
    collected = collect(options, scope)
    return collected, only_origin(combine(options, collected), options.origin)
