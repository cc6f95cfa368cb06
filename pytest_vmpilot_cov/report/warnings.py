"""The warnings of the section: everything that makes a figure less certain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import first_of, say, shown_path
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.options.missing import missing_paths
from pytest_vmpilot_cov.report.drift import differences
from pytest_vmpilot_cov.report.words import age_of, command_of, count

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Delivery, Outcome


def warnings_of(outcome: Outcome, options: Options) -> Iterator[str]:
    """Yield everything that did not go as it should with the data, one sentence each."""
    yield from dict.fromkeys(outcome.problems)  # several stages may report the same problem
    for each in outcome.collected.deliveries:
        yield from _of_process(each)
    for origin in outcome.combined.lines_only:
        yield say("branches-unknown", origin=origin)
    yield from _hidden(outcome, options)
    yield from differences(outcome.collected.deliveries, options.settings, outcome.combined.mapped)
    for left in outcome.combined.stale:
        path = shown_path(left.path, options.root)
        lines = count(left.lines, "line", "lines")
        if left.kept:
            yield say("stale-kept", lines=lines, origin=left.origin, path=path)
        else:
            yield say("stale-source", lines=lines, origin=left.origin, path=path)
    if outcome.combined.no_source:
        paths = [shown_path(path, options.root) for path in outcome.combined.no_source]
        yield say("no-source", files=count(len(paths), "measured file", "measured files"), names=first_of(paths))
    if outcome.combined.unverified:
        paths = [shown_path(path, options.root) for path in outcome.combined.unverified]
        yield say("source-unverified", files=count(len(paths), "file", "files"), names=first_of(paths))
    yield from missing_paths(options)


def _of_process(each: Delivery) -> Iterator[str]:
    """Say what keeps the data of a process from being all that it ran."""
    pid, command = each.record.pid, command_of(each.record)
    if each.answer and each.answer.orphan:
        does = f"listens at {', '.join(each.ports)}" if each.ports else "lives"
        yield say("orphan-server", pid=pid, command=command, does=does)
    # not for those that could not be asked: the section says so in its own line
    is_asked = each.life == "live" and each.asked
    if is_asked and (not each.answered or each.problem.endswith("(folder-unwritable)")):
        counted = f"what it wrote {age_of(each.newest)} ago" if each.newest else "nothing of it"
        yield say("pipeline-silent", pid=pid, command=command, why=each.problem or "it was not asked", counted=counted)
    elif is_asked and each.problem:
        yield say("process-incomplete", pid=pid, command=command, why=each.problem)
    # a problem that has a name ends with it; who was asked has told it above
    elif not each.asked and pid != os.getpid() and each.record.problem.endswith(")"):
        yield say("process-incomplete", pid=pid, command=command, why=each.record.problem)


def _hidden(outcome: Outcome, options: Options) -> Iterator[str]:
    """Name a configuration that hides all that the servers measured."""
    config = options.settings.config_file or "the command line"
    # data that counts, or that is dropped as stale, was not hidden by the configuration
    if "pipeline" in outcome.combined.oldest or any(left.origin == "pipeline" for left in outcome.combined.stale):
        return
    pipeline = (part for part in outcome.collected.parts if part.label.origin == "pipeline")
    paths = sorted({source.path for part in pipeline for source in part.files}.difference(outcome.combined.no_source))
    if paths:
        yield say("pipeline-hidden", files=count(len(paths), "file", "files"), names=first_of(paths), config=config)
