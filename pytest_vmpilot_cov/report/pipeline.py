"""What the section says of the pipeline servers: which were recorded, which delivered, and how old their data is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.combine.path_map import prefixes
from pytest_vmpilot_cov.messages import first_of, say, shown_path
from pytest_vmpilot_cov.model import DataFile, Delivery, Options, is_tests_file
from pytest_vmpilot_cov.report.words import age_of, count
from server_hook.store import segment
from server_hook.store.working_folder import data_folder_of

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Outcome

SHOWN_FILES = 3
"""How many data files are listed one by one; more are summed up."""


def server_lines(outcome: Outcome, options: Options) -> Iterator[str]:
    """Yield what there is to say of the servers and of the data files beside them."""
    servers = [each for each in outcome.collected.deliveries if each.record.origin == "pipeline"]
    # a dead process that executed nothing was a supervisor or a tool of the server: not worth a line
    shown = [each for each in servers if each.life != "dead" or each.executed]
    oldest = outcome.combined.oldest.get("pipeline")
    lost = lost_servers(outcome)
    yield from lost
    if not (shown or oldest or lost):
        yield say("pipeline-none", config=options.settings.config_file or options.settings.folder)
    yield from _processes(shown)
    if options.context:
        yield from _told_apart(outcome.collected.deliveries)
    yield from _data_files(outcome, options, bool(servers))
    if outcome.collected.reset_at:
        yield _reset(outcome)
    if oldest:
        yield f"Pipeline: the oldest data that counts is {age_of(oldest)} old"
    for (elsewhere, here), hows in sorted(prefixes(outcome.combined.mapped).items()):
        files = count(hows.total(), "file", "files")
        how = ", ".join(f"{number} by {how}" for how, number in sorted(hows.items()))
        yield f"Mapped: {files} measured below {elsewhere} to {shown_path(here, options.root)} ({how})"
    yield from _not_counted(outcome, options)


def lost_servers(outcome: Outcome) -> list[str]:
    """Say which servers were killed before they had written anything; not those that a reset has emptied."""
    lost = [
        each
        for each in outcome.collected.deliveries
        if each.record.origin == "pipeline" and each.life == "dead" and not (each.record.ended or each.newest)
        if each.record.started >= outcome.collected.reset_at
    ]
    processes = count(sum(each.record.folded for each in lost), "killed process", "killed processes")
    return [say("pipeline-lost", processes=processes, which=_pids(lost))] if lost else []


def _not_counted(outcome: Outcome, options: Options) -> Iterator[str]:
    """Name the measured files that are none of the project's, and those that its configuration leaves out."""
    omitted = outcome.combined.omitted
    outside = [path for path in outcome.combined.foreign if path not in omitted]
    for why, paths in (("outside the project", outside), ("omitted", sorted(omitted))):
        if paths:
            files = count(len(paths), "measured file", "measured files")
            yield f"Not counted: {files} {why} ({first_of([shown_path(path, options.root) for path in paths])})"


def _processes(shown: list[Delivery]) -> Iterator[str]:
    """Yield one line for each way in which processes are there, or were."""
    live = [each for each in shown if each.life == "live"]
    if live:
        processes = count(len(live), "live process", "live processes")
        asks = any(each.asked for each in live)
        said = f"{sum(each.answered for each in live)} of {processes} delivered" if asks else f"{processes}, not asked"
        yield f"Pipeline: {said} ({_pids(live)})"
    for each in (each for each in shown if each.life == "remote"):
        if each.is_copied:
            place = data_folder_of(Path(each.record.place))
            yield f"Pipeline: {_pids([each])} records in {place}, not here; {_newest(each)}"
            continue
        yield (
            f"Pipeline: {_pids([each])} on {each.record.host} runs on another host or in another pid namespace and "
            f"cannot be asked; {_newest(each)}"
        )
    ended = [each for each in shown if each.life == "dead" and each.record.ended]
    if ended:
        # the newest stands for all of them: it dates the data
        newest = max(ended, key=lambda each: each.newest)
        number = sum(each.record.folded for each in ended)
        yield f"Pipeline: {count(number, 'ended process', 'ended processes')}, {_newest(newest)}"
    killed = [each for each in shown if each.life == "dead" and not each.record.ended]
    if killed:
        number = sum(each.record.folded for each in killed)
        newest = max(killed, key=lambda each: each.newest)
        which = _pids([newest]) if number == 1 else f"the last one {_pids([newest])}"
        processes = count(number, "killed process", "killed processes")
        yield f"Pipeline: {processes} ({which}), {_newest(newest)}, {gap(newest)}"


def _told_apart(deliveries: Iterable[Delivery]) -> Iterator[str]:
    """Say in how many of this session's servers tests were told apart, and which requests were nobody's."""
    records = [each.record for each in deliveries]
    began = max((record.started for record in records if record.id == record.session), default=0.0)
    servers = [each for each in deliveries if each.record.origin == "pipeline" and _has_told(each, began)]
    accounts = [each.answer or each.record for each in servers]
    served = [account for account in accounts if account.told or account.nobodys or account.not_told]
    if not served:
        unseen = [each for each in servers if began and each.newest > began]
        if unseen:
            yield f"Tests not told apart in {_pids(unseen)}: no request to a server that we know was seen there"
        return
    nobodys, several = sum(each.nobodys for each in served), sum(each.among_several for each in served)
    meanwhile = f" ({several} while several tests ran)" if several else ""
    left = f"; {count(nobodys, 'request was', 'requests were')} nobody's{meanwhile}" if nobodys else ""
    told_apart = sum(bool(account.told) for account in served)
    yield f"Tests told apart in {told_apart} of {count(len(served), 'server', 'servers')}{left}"
    for each, account in zip(servers, accounts, strict=True):
        if account.not_told:
            yield f"Tests not told apart in {_pids([each])}: {account.not_told}"


def _has_told(each: Delivery, moment: float) -> bool:
    """Tell whether a server has said which requests it has had since *moment*: it was asked, or has ended since."""
    return each.answer is not None or each.record.ended > moment


def _newest(each: Delivery) -> str:
    return f"last segment {age_of(each.newest)} ago" if each.newest else "no segment yet"


def gap(each: Delivery) -> str:
    """Say how much of what a killed process reached may be missing."""
    silent_s = each.alive_at - each.newest
    lived = f"last sign of life {silent_s:.1f} s after it; " if silent_s >= 0.1 else ""  # noqa: PLR2004 - as shown
    return f"{lived}what it reached in its last {each.record.interval_s:g} s may be missing"


def _data_files(outcome: Outcome, options: Options, has_servers: bool) -> Iterator[str]:  # noqa: FBT001
    files: dict[str, list[DataFile]] = {}
    for file in outcome.collected.data_files:
        if not (has_servers and file.is_derived):  # a publication of segments that were read says nothing new
            # files of coverage.py do not say whose data they hold: their name has to
            is_tests = "pipeline" not in file.origins if file.origins else is_tests_file(file.path.name)
            files.setdefault("Tests" if is_tests else "Pipeline", []).append(file)
    for whose, several in files.items():
        if len(several) > SHOWN_FILES:
            yield f"{whose}: read {_summed_up(several)}"
            continue
        for file in several:
            unverified = "" if file.published else ", unverified: it does not say which source it measured"
            path = shown_path(file.label or str(file.path), options.root)
            age = f"measured {age_of(file.measured)} ago" if file.measured else f"written {age_of(file.written)} ago"
            yield f"{whose}: read {path}, {age}{_whence(file)}{unverified}"


def _whence(file: DataFile) -> str:
    """Say where servers recorded what a data file holds, unless it lies there."""
    here = os.path.realpath(file.path.parent)
    places = sorted(place for place in file.places if os.path.realpath(place) != here)
    gone = "" if all(map(os.path.exists, places)) else ", which is not here"
    return f" in {first_of(places)}{gone}" if places and "pipeline" in file.origins else ""


def _summed_up(files: list[DataFile]) -> str:
    """Say in one line what there is to say of many data files."""
    unverified = sum(not file.published for file in files)
    which = "" if unverified < len(files) else ", all"
    doubt = f"{which or f', {unverified} of them'} unverified: they do not say which source they measured"
    oldest, newest = (age_of(pick(file.written for file in files)) for pick in (min, max))
    return f"{len(files)} data files, written {oldest} to {newest} ago{doubt if unverified else ''}"


def _reset(outcome: Outcome) -> str:
    """Say since when the pipeline's row counts, and what it took along from before."""
    carried: dict[str, segment.Lines] = {}
    for part in outcome.collected.parts:
        if part.label.startup and part.label.origin == "pipeline":
            for source, measured in part.files.items():
                # the union, not the sum: each worker of a server has run the same start-up lines
                carried[source.path] = carried.get(source.path, 0) | segment.to_lines(measured)
    lines = count(sum(each.bit_count() for each in carried.values()), "line", "lines")
    return f"Pipeline: reset {age_of(outcome.collected.reset_at)} ago; {lines} of start-up carried over from before"


def _pids(deliveries: Iterable[Delivery]) -> str:
    return ", ".join(f"pid {each.record.pid}" for each in deliveries)
