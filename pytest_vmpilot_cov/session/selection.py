"""Which tests were taken away from a run, and by whom: in this process and in pytest-xdist workers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.hooks.hookspecs import PluginObject
from pytest_vmpilot_cov.integrations.vscode import ran_all_discovered
from pytest_vmpilot_cov.session.partial import A_PLUGIN, IGNORED, LEFT_OUT, NOT_RUN, REPLACED, early_end, selection
from pytest_vmpilot_cov.session.whole import Whole


class TakenAway(PluginObject):
    """Count the tests that are taken away in this process; a plugin, in workers as well."""

    def __init__(self) -> None:
        """Begin with none."""
        self.tests: dict[str, int] = {}
        """How many, by who took them: a function of pytest, another package, or a constant of ``partial``."""
        self.ignored: list[str] = []
        """The paths that pytest itself ignored."""
        self._args: list[str] = []
        self._whole = Whole()
        self._by_plugin: set[Path] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Note where pytest would collect, before a plugin replaces it."""
        self._args = list(config.args)

    def note_replaced(self, config: pytest.Config) -> None:
        """Count the places that a plugin has kept pytest from collecting."""
        folder = config.invocation_params.dir
        left = {os.path.abspath(folder / arg) for arg in config.args}
        self.add(REPLACED, sum(os.path.abspath(folder / arg) not in left for arg in self._args))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """Note what there is, before pytest chooses what was typed."""
        report = yield
        self._whole.note(collector, report.result or ())
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, Any, Any]:
        """Compare the tests before and after: not every plugin calls ``pytest_deselected``."""
        self.add(LEFT_OUT, self._whole.left_out(session, items, self._args))
        before, said = [(item, item.nodeid) for item in items], sum(self.tests.values())
        result = yield
        # an item that a plugin renamed, or replaced under the same name, is still there
        left = {id(item) for item in items} | {item.nodeid for item in items}
        gone = sum(id(item) not in left and nodeid not in left for item, nodeid in before)
        # minus those that pytest_deselected counted meanwhile
        self.add(A_PLUGIN, gone - (sum(self.tests.values()) - said))
        # ``--lf`` skips whole files silently
        self.add("_pytest.cacheprovider.", getattr(config.pluginmanager.get_plugin("lfplugin"), "_skipped_files", 0))
        return result

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count tests that somebody deselects."""
        self.add(_caller(), len(items))

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> Generator[None, Any, Any]:
        """Count test files that a plugin keeps from being collected; note what pytest itself ignores."""
        result = yield
        if result:
            # the result doesn't tell who ignored it, so apply pytest's own rules once more
            own: Any = config.pluginmanager.get_plugin("main")
            if own.pytest_ignore_collect(collection_path=collection_path, config=config):
                self.ignored.append(str(collection_path))
            elif collection_path not in self._by_plugin:  # we may ask again
                self._by_plugin.add(collection_path)
                self.add(IGNORED, sum(_tests_below(collection_path, config.getini("python_files"))))
        return result

    def add(self, who: str, number: int) -> None:
        """Count some more."""
        if number > 0:
            self.tests[who] = self.tests.get(who, 0) + number


class Selection(PluginObject):
    """Know which part of the tests runs; a plugin of the leading process."""

    def __init__(self, parser: pytest.Parser, taken: TakenAway) -> None:
        """Begin to count.

        Args:
            parser: pytest's own, which knows every plugin's options once it is used.
            taken: counts the tests that are taken away in this process.
        """
        self._parser = parser
        self._taken = taken
        self._typed = argparse.Namespace()
        self._paths: list[str] = []
        self._expected: set[str] = set()
        self._began: set[str] = set()
        self._finished: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Note what was typed, while the folder in which it was typed still exists."""
        typed = config.invocation_params
        try:
            with working_in(typed.dir):
                self._typed, unknown = self._parser.parse_known_and_unknown_args(list(typed.args), argparse.Namespace())
        except pytest.UsageError:  # an option that a plugin requires is in addopts
            return
        # before Python 3.12.8, argparse doesn't recognize paths that follow an option
        words = [*self._typed.file_or_dir, *(word for word in unknown if not word.startswith("-"))]
        # the values of a test's parameters may contain ``::``
        self._paths = [word for word in words if "::" in word.partition("[")[0] or (typed.dir / word).is_file()]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which tests will run here."""
        self._expected.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Note which tests will run in the workers."""
        self._expected.update(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note a test that begins, here or in a worker."""
        self._began.add(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that has a report: a test that crashed its worker may have nothing else."""
        self._began.add(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note a test that ran to its end."""
        self._finished.add(nodeid)

    def add_of_worker(self, tests: Mapping[str, int], ignored: Iterable[str]) -> None:
        """Add what was taken away in a worker; all workers collect the same tests."""
        for who, number in tests.items():
            self._taken.add(who, number - self._taken.tests.get(who, 0))  # raises the count to *number*
        self._taken.ignored.extend(ignored)

    def part(self, session: pytest.Session, error: BaseException | None) -> str:
        """Say which part of the tests was run; empty for all of them.

        Args:
            session: pytest's own.
            error: the exception that ended the test loop, if any.
        """
        self._taken.note_replaced(session.config)
        if error is None:  # else early_end says why tests did not run
            self._taken.add(NOT_RUN, len(self._expected - self._began))
        # VS Code types each test, even if it runs all of them
        is_whole = ran_all_discovered(session.config, self._finished)
        ignored = set(self._values_that_ignored(session.config.invocation_params.dir))
        taken = "" if is_whole else selection(self._typed, self._paths, self._taken.tests, ignored)
        return ", ".join(filter(None, (taken, early_end(error, len(self._finished), session.testscollected))))

    def _values_that_ignored(self, folder: Path) -> Iterator[str]:
        """Yield the typed values of ``--ignore`` and ``--ignore-glob`` that ignored something, by pytest's rules."""
        for value in getattr(self._typed, "ignore", None) or ():
            if os.path.abspath(folder / value) in self._taken.ignored:
                yield value
        for value in getattr(self._typed, "ignore_glob", None) or ():
            if any(fnmatch(path, os.path.abspath(folder / value)) for path in self._taken.ignored):
                yield value


def _tests_below(path: Path, patterns: Sequence[str]) -> Iterator[bool]:
    """Tell of a path, or of each file below it, whether it is a test file."""
    names = (name for _, _, names in os.walk(path) for name in names) if path.is_dir() else [path.name]
    return (any(fnmatch(name, pattern) for pattern in patterns) for name in names)


def _caller() -> str:
    """Name the caller of a hook, as seen from its implementation: pytest's function, or somebody's package."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        module = str(frame.f_globals.get("__name__", ""))
        top = module.partition(".")[0]
        if top == "_pytest":
            return f"{module}.{frame.f_code.co_name}"
        if top not in ("pluggy", "pytest_vmpilot_cov"):
            return "conftest.py" if module.rpartition(".")[2] == "conftest" else top
    return A_PLUGIN
