"""What is known at the moment: live processes are asked when somebody looks, and counted when they have news."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_vmpilot_cov.baseline import read_baseline
from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.collect.ask import ask_all
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope, distinct, find_processes, folder_of, places_of
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.hooks.hooks import checks_of
from pytest_vmpilot_cov.judge.figures import count, reporting
from pytest_vmpilot_cov.judge.judge import judge
from pytest_vmpilot_cov.model import ORIGINS, Delivery, Options, Outcome, ReportRequest
from pytest_vmpilot_cov.report.page.changes import shared
from pytest_vmpilot_cov.report.page.data import Contents, contents_of

if TYPE_CHECKING:
    from pluggy import PluginManager

EVERY_S = 1.0
"""How long to rest between two looks; longer if a look takes longer, so that half of the time is free."""
MOST_VERSIONS = 30
"""How many states are kept for pages that show an earlier one; they share what has not changed."""

_News: TypeAlias = frozenset[tuple[str, str, tuple[str, ...]]]
"""Each process's folder, whether it lives, and its segments."""


class Looking:
    """The states of the page, each with its version; several threads may look at once."""

    def __init__(self, options: Options, plugins: PluginManager) -> None:
        """Prepare to look; nobody is asked yet.

        Args:
            options: the user's.
            plugins: whose checks take part in the verdict.
        """
        # with this request the reports keep what was parsed of the sources
        self._options, self._plugins = replace(options, reports=(ReportRequest("page"),)), plugins
        self._lock = threading.Lock()
        self._next, self._news = 0.0, _News()
        self._versions: OrderedDict[int, Contents] = OrderedDict()

    def look(self) -> tuple[int, Contents]:
        """Return the state of now and its version, at most ``EVERY_S`` old.

        Raises:
            UsageError: when the configuration can't be used.
        """
        with self._lock:
            if time.monotonic() >= self._next:
                began = time.monotonic()
                deliveries = self._ask()
                news = _news_of(deliveries)
                if news != self._news or not self._versions:
                    self._add(self._counted(deliveries))
                    self._news = news
                self._next = time.monotonic() + max(EVERY_S, time.monotonic() - began)
            version = next(reversed(self._versions))
            return version, self._versions[version]

    def state(self, version: int) -> Contents | None:
        """Return an earlier state; None if it is not kept any more."""
        with self._lock:
            return self._versions.get(version)

    def _ask(self) -> list[Delivery]:
        folders = distinct(map(folder_of, places_of(self._options)))
        return ask_all(list(find_processes(folders, self._options, Scope())), "dump")

    def _counted(self, answered: list[Delivery]) -> Contents:
        """Count what lies on disk now; what the processes have answered stands beside it."""
        answers = {each.folder: each for each in answered}
        options = self._options
        with working_in(options.root):
            collected = collect(options, Scope(ask=False))
            deliveries = tuple(_answered(each, answers.get(each.folder)) for each in collected.deliveries)
            combined = combine(options, collected)
            with reporting(options, combined) as cov:
                figures = count(cov, ORIGINS)
                checks = checks_of(self._plugins, figures, combined, options)
                verdict = judge(figures, options, checks, read_baseline(options))
                problems = (*collected.problems, *combined.problems)
                outcome = Outcome(
                    replace(collected, deliveries=deliveries), combined, figures, verdict, problems=problems
                )
                return contents_of(cov, options, outcome)

    def _add(self, contents: Contents) -> None:
        version = next(reversed(self._versions), 0)
        before = self._versions.get(version)
        self._versions[version + 1] = shared(before, contents) if before else contents
        while len(self._versions) > MOST_VERSIONS:
            self._versions.popitem(last=False)


def _answered(delivery: Delivery, answer: Delivery | None) -> Delivery:
    """Add to what was read of a process what it has answered."""
    if answer is None:
        return delivery
    return replace(delivery, asked=answer.asked, answered=answer.answered, answer=answer.answer, problem=answer.problem)


def _news_of(deliveries: list[Delivery]) -> _News:
    """Describe what lies on disk: whatever is new there is a new segment, process or end."""
    return frozenset((each.folder.name, each.life, _segments_in(each.folder)) for each in deliveries)


def _segments_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(name for name in os.listdir(folder) if not name.endswith(".json")))
    except OSError:  # compacted or erased meanwhile
        return ()
