"""From what lies on disk to a verdict: collect, combine, count, judge, publish; for the session and the command."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov import coverage_private
from pytest_vmpilot_cov.collect import Scope, collect
from pytest_vmpilot_cov.combine import combine, relocate, usable_files, usable_parts, without_branches
from pytest_vmpilot_cov.figures import count, reporting, shown_path
from pytest_vmpilot_cov.hooks import call_each
from pytest_vmpilot_cov.judge import judge
from pytest_vmpilot_cov.mapping import PathMap
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import TESTS_FILE, Check, Collected, Combined, Figures, Options, Verdict
from pytest_vmpilot_cov.options import OptionError
from pytest_vmpilot_cov.report import make_reports
from server_hook import publish
from server_hook.coverage_private import REFUSALS
from server_hook.fingerprint import fingerprint
from server_hook.publish import ByContext
from server_hook.settings import apply_settings, open_coverage

if TYPE_CHECKING:
    from pluggy import PluginManager


@dataclass(frozen=True)
class Outcome:
    """Everything that a report can be made of."""

    collected: Collected
    combined: Combined
    figures: Figures
    verdict: Verdict
    text: tuple[str, ...] = ()
    """What the reports that were asked for print, one block each."""
    problems: tuple[str, ...] = ()
    took_s: float = 0.0


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
        OptionError: when the configuration cannot be used.
    """
    begun = time.monotonic()
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-") as folder:
        more = call_each(plugins, "pytest_vmpilot_cov_data", options=options, folder=Path(folder))
        collected = collect(options, replace(scope, more=tuple(map(Path, more.given))))
    combined = combine_collected(options, collected)
    with reporting(options, combined) as cov:
        figures = count(cov)
        checks = call_each(plugins, "pytest_vmpilot_cov_checks", figures=figures, combined=combined, options=options)
        verdict = judge(figures, options, [*checks.given, *map(_failed, checks.failures)])
        outcome = Outcome(collected, combined, figures, verdict)
        text, failed = make_reports(cov, options, outcome)
        added = call_each(plugins, "pytest_vmpilot_cov_report", outcome=outcome, options=options, cov=cov)
        problems += [*failed, *added.failures, *(warning for warning in cov.warnings() if "parse" in warning)]
    problems = [*more.failures, *collected.problems, *combined.problems, *problems]
    if keep:
        problems += _publish(options, combined, leave)
    text += added.given
    return replace(outcome, text=tuple(text), problems=tuple(problems), took_s=time.monotonic() - begun)


def _failed(why: str) -> Check:
    """Take a check that could not be made for one that has failed."""
    return Check("hook", passed=False, text=f"FAIL {why}")


def combine_collected(options: Options, collected: Collected) -> Combined:
    """Combine what was collected, by the rules of the configuration.

    Raises:
        OptionError: when the configuration cannot be used.
    """
    cov = open_coverage(options.settings.config_file)
    try:
        apply_settings(cov, options.settings)
        refused: dict[str, str] = {}
        files = set(usable_files(coverage_private.project_files(cov), refused))
        ours = coverage_private.is_project_file(cov)
        path_map = PathMap(files, fingerprint, coverage_private.path_setting(cov, options.settings.folder))
        usable = usable_parts(collected.parts, coverage_private.file_tracers(cov), refused)
        parts, mapped = relocate(usable, path_map, ours, options.settings)
        keep_stale = options.stale == "keep"
        combined = combine(parts, project_files=files, is_project_file=ours, keep_stale=keep_stale)
        lines_only = without_branches(parts, combined.counted)
        problems = [
            say("source-refused", path=shown_path(each, options.root), why=why) for each, why in refused.items()
        ]
        problems += _missing_sources(options)
        return replace(combined, mapped=mapped, lines_only=lines_only, problems=tuple(problems))
    except REFUSALS as error:
        raise OptionError(say("cannot-count", why=" ".join(str(error).split()))) from None


def _missing_sources(options: Options) -> Iterator[str]:
    """Name each folder of the source that is not there."""
    for source in options.settings.source:
        if os.sep in source and not os.path.isdir(source):
            yield say("source-missing", path=shown_path(source, options.root), where=options.source_from)


def publish_tests(options: Options) -> None:
    """Publish ``.coverage.tests`` from what lies in the data folder.

    Raises:
        OSError: when it cannot be written.
    """
    combined = combine_collected(options, collect(options, Scope(ask=False, only=(options.data_folder,))))
    _write(options, TESTS_FILE, _only(combined.counted, pipeline=False))


def _publish(options: Options, combined: Combined, leave: str) -> Iterator[str]:
    """Write ``.coverage.tests``, ``.coverage.pipeline`` and ``.coverage`` with exactly what was counted."""
    own = os.path.basename(options.settings.data_file)
    targets: list[tuple[str, ByContext, Iterable[str]]] = [
        (TESTS_FILE, _only(combined.counted, pipeline=False), ()),
        (publish.PIPELINE_FILE, _only(combined.counted, pipeline=True), ()),
        (own, combined.counted, combined.untouched),
    ]
    for name, united, untouched in targets:
        if str(options.data_folder / name) == leave:
            continue
        try:
            if united or name == own or (options.data_folder / name).exists():
                _write(options, name, united, untouched)
        except OSError as error:
            yield say("cannot-write", path=options.data_folder / name, why=error.strerror or error)


def _write(options: Options, name: str, united: ByContext, untouched: Iterable[str] = ()) -> None:
    folder = str(options.data_folder)
    target = os.path.join(folder, name)
    with publish.lock(folder):
        if name in (TESTS_FILE, publish.PIPELINE_FILE):
            publish.keep_foreign(target, folder)
        base = options.settings.relative_to
        named = [os.path.relpath(path, base) if base else path for path in untouched]
        publish.write_or_remove(target, publish.relative(united, base), named)


def _only(counted: ByContext, *, pipeline: bool) -> ByContext:
    """Choose what the pipeline reached, or everything else; contexts of single tests are of the tests."""
    return {context: files for context, files in counted.items() if (context == "pipeline") == pipeline}
