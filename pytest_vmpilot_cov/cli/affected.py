"""List the tests that a change to the sources affects, and why."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from pytest_vmpilot_cov.changes.affected import affected_tests
from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.cli.combine import reading, say_nothing
from pytest_vmpilot_cov.cli.output import show, show_problem
from pytest_vmpilot_cov.cli.progress import Progress
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.combine.combine import located
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.report.words import count
from server_hook.store.blocks import Blocks, read_blocks


def affected(options: Options, since: str, words: Sequence[str]) -> int:
    """Print the tests, below each why it is affected, and what cannot be known; return the exit code.

    Args:
        options: the user's.
        since: the commit that the working tree is compared with.
        words: what to read; empty for the usual places.

    Raises:
        UsageError: when git or the commit is missing, or when no test was told apart.
    """
    with contextlib.closing(Progress()) as progress, reading(words, progress) as (scope, problems):
        if words and not scope.only:
            return say_nothing(options, problems, words)
        with working_in(options.root):
            collected = collect(options, replace(scope, ask=False))
            parts = located(options, collected)
            measured_blocks: dict[str, Blocks] = {}
            for file in collected.data_files:
                measured_blocks |= read_blocks(file.path)
    problems = (*problems, *collected.problems)
    if not any(part.files for part in parts):
        return say_nothing(options, problems, words)
    for problem in problems:
        show_problem(problem)
    answer = affected_tests(options, since, parts, measured_blocks)
    for test, reasons in sorted(answer.tests.items()):
        show(test)
        for why in reasons:
            show(f"    {why}")
    tests = f"{len(answer.tests)} of {count(answer.of, 'test', 'tests')}"
    show(f"{tests} {'is' if len(answer.tests) == 1 else 'are'} affected by what changed since {answer.against}")
    for text in answer.unknown:
        show(f"Not known: {text}")
    return 0
