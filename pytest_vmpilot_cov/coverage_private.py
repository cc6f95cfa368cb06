"""Every use of coverage.py's private side in judging, each in one function; recording has its own such file.

Why at all: which files a configuration asks for, what matches a pattern, and how each origin's lines are counted, no
public call tells.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from coverage import report
from coverage.python import PythonFileReporter

from server_hook.coverage_private import REFUSALS, UnsupportedError, WatchedCoverage
from server_hook.problems import printable

if TYPE_CHECKING:
    from coverage import Coverage


def project_files(cov: Coverage) -> dict[str, str]:
    """Find the source files that the configuration of *cov* asks for, those that never ran included.

    Returns:
        path -> the coverage plugin that reports the file, empty for Python.
    """
    return {path: plugin or "" for path, plugin in _in_or_out(cov).find_possibly_unexecuted_files()}


def is_project_file(cov: Coverage) -> Callable[[str], bool]:
    """Return a judge that says whether the configuration of *cov* asks for the file at a path."""
    rules = _in_or_out(cov)

    def asks_for(path: str) -> bool:
        if rules.check_include_omit_etc(path, None) is None:  # else the reason why it is left out
            return True
        # a package of the source that this process cannot import is known by its path alone
        omitted = rules.omit_match is not None and rules.omit_match.match(path)
        return not omitted and any(is_of_module(path, name) for name in rules.source_pkgs)

    return asks_for


def warn_of_modules(cov: Coverage, reached: Iterable[str]) -> None:
    """Let coverage.py warn of each module of the source that is no folder here, and of which nothing was reached.

    It does so itself at the end of a process that it measures alone.
    """
    for name in _in_or_out(cov).source_pkgs:
        if os.sep not in name and not any(is_of_module(path, name) for path in reached):  # else a folder is missing
            cov._warn(f"Module {name} was never imported.", slug="module-not-imported")


def omits(cov: Coverage) -> Callable[[str], bool]:
    """Return a judge that says whether ``omit`` of the configuration of *cov* leaves out the file at a path."""
    matcher = _in_or_out(cov).omit_match
    return matcher.match if matcher is not None else lambda _: False


def file_tracers(cov: Coverage) -> set[str]:
    """Return the names of the coverage plugins that the configuration of *cov* loads for files of their own."""
    _in_or_out(cov)
    return {plugin._coverage_plugin_name for plugin in cov._plugins.file_tracers}


def path_setting(cov: Coverage, folder: str) -> Callable[[str], str]:
    """Return what ``[paths]`` of the configuration makes of a path; its own folders are read against *folder*.

    A path below *folder* that has backslashes was relative on Windows; coverage.py maps such by rules of their own.
    """
    from coverage.files import PathAliases

    absolute, relative = PathAliases(relative=False), PathAliases(relative=True)
    setting = cov.get_option("paths")
    for own, *elsewhere in (setting or {}).values() if isinstance(setting, dict) else ():
        for pattern in elsewhere:
            for aliases in (absolute, relative):
                # joined here: coverage.py would read it against the working folder, wherever that is
                aliases.add(pattern, os.path.abspath(os.path.join(folder, own)))

    def in_its_place(path: str) -> str:
        below = path.removeprefix(f"{folder}{os.sep}")
        if "\\" in below and below != path:
            there = os.path.join(
                folder, relative.map(below, exists=lambda name: os.path.exists(os.path.join(folder, name)))
            )
            return there if os.path.exists(there) else path
        return absolute.map(path, exists=os.path.exists)

    return in_its_place


def is_absolute(path: str) -> bool:
    """Tell whether a path is absolute, on this system or on Windows."""
    from coverage.files import isabs_anywhere

    return isabs_anywhere(path)


def is_of_module(path: str, name: str) -> bool:
    """Tell by its path whether a file is, or belongs to, a module; none of ``lib`` lies in ``lib/python3.11``."""
    tail = re.escape("/" + name.replace(".", "/"))
    return re.search(rf"{tail}(/[^\W\d]\w*)*(\.py|/[^/]*)$", path) is not None


@functools.lru_cache(4)
def _in_or_out(cov: Coverage) -> Any:  # noqa: ANN401 - coverage.inorout.InOrOut, by no public name
    from coverage.inorout import InOrOut

    try:
        cov._init()
        # built here: coverage.py builds its own only when it starts to measure
        rules = InOrOut(
            config=cov.config,
            warn=cov._warn,
            debug=None,
            include_namespace_packages=cov.config.include_namespace_packages,
        )
        rules.plugins = cov._plugins
    except REFUSALS:
        raise
    except Exception as error:
        raise UnsupportedError(f"the rules of this coverage.py cannot be asked: {error!r}") from error
    return rules


def absolute_pattern(pattern: str, folder: str) -> str:
    """Make a path pattern absolute as coverage.py does with those of ``omit``, but below *folder*.

    Raises:
        REFUSALS: when coverage.py does not accept it.
    """
    from coverage.files import prep_patterns

    # [-1]: some versions give the pattern as typed, too, before the absolute one
    prepared = prep_patterns([pattern if pattern.startswith(("*", "?")) else os.path.join(folder, pattern)])[-1]
    file_matcher(prepared)  # raises if coverage.py refuses the pattern
    return prepared


def file_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a judge that says whether a path matches a pattern of ``absolute_pattern``, by coverage.py's rules."""
    from coverage.files import GlobMatcher

    return GlobMatcher([pattern]).match


_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`<[]|"})
"""What coverage.py leaves in the names of its Markdown table, before it has a function for that (7.16)."""


class ReportingCoverage(WatchedCoverage):
    """A Coverage that does the same work once, however many reports are made of it.

    Tables need the analysis of each source, which is small, and its reporter. Other reports need what that has parsed,
    which is large: it stays in memory if such reports are requested.
    """

    python_reporter: Callable[[Any, Coverage], Any] | None = None
    """Makes the reporter of a Python source in the place of coverage.py's own."""

    def __init__(self, *, keeps_parsed: bool, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        """Open it as a ``Coverage``.

        Args:
            keeps_parsed: whether reports other than tables will be made.
            kwargs: passed on to ``Coverage``.
        """
        super().__init__(**kwargs)
        self._keeps_parsed, self._makes_table, self._makes_markdown = keeps_parsed, False, False
        self._reporters: dict[Any, Any] = {}
        self._analysed: dict[Any, Any] = {}

    def report(self, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401 - passed on
        """Make a table, as ``Coverage.report`` does."""
        self._makes_table = True
        self._makes_markdown = kwargs.get("output_format") == "markdown" and not hasattr(report, "escape_markdown")
        try:
            return super().report(*args, **kwargs)
        finally:
            self._makes_table = self._makes_markdown = False

    def _get_file_reporter(self, morf: Any) -> Any:  # noqa: ANN401 - coverage's FileReporter
        reporter = self._reporters.get(morf)
        if reporter is None:
            reporter = super()._get_file_reporter(morf)
            if self.python_reporter is not None and type(reporter) is PythonFileReporter:  # else a plugin's
                reporter = self.python_reporter(morf, self)
            self._show_name(reporter)
            if self._keeps_parsed or hasattr(reporter, "let_go"):
                self._reporters[morf] = reporter
        return reporter

    def let_go(self, reporter: Any) -> None:  # noqa: ANN401 - coverage's FileReporter
        """Let go of what was parsed of a source that has been analyzed, unless other reports will need it."""
        if not self._keeps_parsed and hasattr(reporter, "let_go"):
            reporter.let_go()

    def _show_name(self, reporter: Any) -> None:  # noqa: ANN401 - coverage's FileReporter
        """Have a file called by a name that is fit to be shown: its own may hold a whole line of a report."""
        name = printable(reporter.relative_filename())
        reporter.relative_filename = lambda: name.translate(_MARKDOWN) if self._makes_markdown else name

    def _analyze(self, morf: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - coverage's Analysis
        contexts = getattr(self.get_data(), "_query_context_ids", self)  # a report may show a part of what was counted
        key = morf, str(contexts), self.config.precision
        if not (self._makes_table and key in self._analysed):
            # coverage.py 7.10 keeps the last one, whatever the contexts
            analyze = getattr(WatchedCoverage._analyze, "__wrapped__", WatchedCoverage._analyze)
            with collecting_later():
                self._analysed[key] = analyze(self, morf, *args, **kwargs)
            if self._makes_table:
                self.let_go(self._reporters.get(morf))
        return self._analysed[key]


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """Keep Python from looking for cycles meanwhile: it would walk all the lines and arcs again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def analyses(cov: ReportingCoverage, contexts: Sequence[str]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Analyse each file that reports of *cov* would show.

    Yields the file's path, coverage's ``Analysis`` of all data together, and one for each context alone.
    """
    from coverage.report_core import get_analysis_to_report
    from coverage.results import analysis_from_file_reporter

    data = cov.get_data()
    measured = data.measured_contexts()
    for reporter, analysis in get_analysis_to_report(cov, None):
        alone = {}
        for context in contexts:
            if measured == {context}:
                alone[context] = analysis  # all together is this one alone
                continue
            data.set_query_context(context)
            alone[context] = analysis_from_file_reporter(data, cov.config.precision, reporter, reporter.filename)
        # before the loop goes on: the next file is analyzed, for all contexts, only then
        data.set_query_contexts(None)
        cov.let_go(reporter)
        yield reporter.filename, analysis, alone


def reporter_of(cov: Coverage, path: str) -> Any:  # noqa: ANN401 - coverage's FileReporter
    """Return what knows the source at a path: its words, and which lines are one statement."""
    return cov._get_file_reporter(path)
