"""Make live servers dump or reset, and publish what they wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_vmpilot_cov.collect.ask import ask_servers
from pytest_vmpilot_cov.collect.processes import Scope, refused
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Delivery, Options
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.report.words import command_of, count, not_reset
from server_hook.control.channel import Answer
from server_hook.store import publish
from server_hook.store.working_folder import data_folder_of


class Dumped(Value):
    """What each server answered, one sentence each."""

    lines: tuple[str, ...]
    problems: tuple[str, ...]


def dump(options: Options, places: Sequence[Path], *, reset: bool) -> Dumped:
    """Make every live server write what it has, and start over with *reset*; publish ``.coverage.pipeline``."""
    refusals: list[OSError] = []
    try:
        deliveries = ask_servers(options, "reset" if reset else "dump", places, refusals.append)
    except OSError as error:  # the reset could not be noted, so no server was asked
        return Dumped((), (say("cannot-reset", path=error.filename, why=error.strerror),))
    lines = [_said(each, each.answer, reset=reset) for each in deliveries if each.answer]
    problems = [refused(error, Scope()) for error in refusals]
    problems += [_silence(each, reset=reset) for each in deliveries if not each.answer]
    # several processes share a folder: publish it once, after all of them have answered
    for folder in dict.fromkeys(data_folder_of(each.folder) for each in deliveries):
        try:
            publish.publish_pipeline(str(folder), options.settings.relative_to)
        except OSError as error:
            problems.append(say("cannot-publish", path=folder / publish.PIPELINE_FILE, why=error.strerror or error))
    if not deliveries:
        config = options.settings.config_file or options.settings.folder
        looked = places or dict.fromkeys(place.value for place in options.data_places)
        problems.append(say("nobody-records", places=", ".join(map(str, looked)), config=config))
    return Dumped(tuple(lines), tuple(problems))


def _said(each: Delivery, answer: Answer, *, reset: bool) -> str:
    lines = count(answer.lines, "line", "lines")
    segments = count(answer.segments, "segment", "segments")
    return (
        f"pid {each.record.pid} ({command_of(each.record)}): {lines} in {segments}"
        f"{', reset' if reset else ''}, answered in {1000 * answer.took_s:.1f} ms"
    )


def _silence(each: Delivery, *, reset: bool) -> str:
    if reset:
        return not_reset(each)
    return say(
        "pipeline-silent",
        pid=each.record.pid,
        command=command_of(each.record),
        why=each.problem,
        counted="what it wrote by itself",
    )
