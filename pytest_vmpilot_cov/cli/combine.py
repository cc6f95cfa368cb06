"""Combine and judge what lies here, or in the places that were named, and show the section."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.cli.output import show_problem, show_section
from pytest_vmpilot_cov.cli.progress import Progress
from pytest_vmpilot_cov.collect.artifacts import open_artifacts
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import TYPED, Options, Setting
from pytest_vmpilot_cov.report.pipeline import lost_servers
from pytest_vmpilot_cov.report.terminal import section
from pytest_vmpilot_cov.report.warnings import warnings_of
from pytest_vmpilot_cov.verdict import reach_verdict

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Outcome

FAILED = 1


def combine(options: Options, words: Sequence[str]) -> int:
    """Ask live servers, or read only what the words name; publish and judge it.

    Raises:
        UsageError: when a word names nothing, or when the configuration cannot be used.
    """
    with contextlib.closing(Progress()) as progress, reading(words, progress) as (scope, problems):
        if words and not scope.only:
            return say_nothing(options, problems, words)
        outcome = reach_verdict(options, scope, hooks_of_command())
        progress.close()  # clears its line before the section is printed
        return _show(options, replace(outcome, problems=(*problems, *outcome.problems)), words)


def report(options: Options, origin: str = "") -> int:
    """Judge what lies here, perhaps of one origin alone.

    A report only reads: it changes neither the servers nor the data files.
    """
    if origin:
        options = replace(options, origin=origin, thresholds=())
        if options.fail_under.where != TYPED:
            options = replace(options, fail_under=Setting(None))
    with contextlib.closing(Progress()) as progress:
        outcome = reach_verdict(options, Scope(ask=False, tick=progress.tick), hooks_of_command(), keep=False)
    return _show(options, outcome)


@contextlib.contextmanager
def reading(words: Sequence[str], progress: Progress) -> Iterator[tuple[Scope, tuple[str, ...]]]:
    """Open what the words name; yield what to read, which is all the usual places without any word, and problems."""
    if not words:
        yield Scope(tick=progress.tick), ()
        return
    with open_artifacts(words, progress.tick) as artifacts:
        scope = Scope(
            all_runs=True,  # what was named counts, whichever COVERAGE_FILE its run had
            only=tuple(place.path for place in artifacts.places),
            known_places=artifacts.places,
            tick=progress.tick,
        )
        yield scope, artifacts.problems


def _show(options: Options, outcome: Outcome, words: Sequence[str] = ()) -> int:
    if not outcome.figures.total.reached:
        return say_nothing(options, [*warnings_of(outcome, options), *lost_servers(outcome)], words)
    show_section(line.text for line in section(outcome, options))
    return 0 if outcome.verdict.passed else FAILED


def say_nothing(options: Options, problems: Iterable[str], words: Sequence[str]) -> int:
    """Say that there is no data, and all that may be the reason."""
    for problem in problems:
        show_problem(problem)
    if options.origin:
        show_problem(say("origin-nothing", origin=options.origin))
        return FAILED
    places = ", ".join(dict.fromkeys(words or [str(place.value) for place in options.data_places]))
    config = options.settings.config_file or options.settings.folder
    show_problem(say("nothing-to-combine", places=places, config=config))
    return FAILED
