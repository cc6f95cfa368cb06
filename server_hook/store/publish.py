"""Publish: make the data files that others read out of the segments; made anew at any time, never the only copy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from server_hook import clock
from server_hook.problems import log_problem
from server_hook.store import additions, clean_up, compaction, epochs, published, records, segment, working_folder
from server_hook.store.publication import blocks_in, holds_arcs, is_published_here, write_or_remove
from server_hook.store.segment import ByLabel, Part
from server_hook.store.working_folder import lock
from server_hook.systems.systems import system

PIPELINE_FILE = ".coverage.pipeline"
ENDING_WAIT_S = 0.5
"""How long a process that ends waits for others that publish; they see its last segment before they are done."""
MOST_BEHIND = compaction.FOLD_AT
"""How many processes that were killed, or that others left behind, the end of one process takes along."""


def publish_pipeline(data_folder: str, relative_to: str = "", most_behind: int | None = None) -> str:
    """Publish ``.coverage.pipeline`` as the union of all pipeline processes recorded beside it; return its path.

    Args:
        data_folder: where the segments lie, and the file goes.
        relative_to: the folder that sources are named relative to, for ``[run] relative_files``; empty for absolute.
        most_behind: of how many processes that have rested, and are not in the file yet, it reads; None for all.
    """
    target = os.path.join(data_folder, PIPELINE_FILE)
    if not any(working_folder.process_folders(Path(data_folder))):
        return target
    until, left_out = clock.steady() + ENDING_WAIT_S, 0
    with lock(data_folder, ENDING_WAIT_S) as held:
        present = _folded(data_folder, relative_to) if held else {}
        seen: set[tuple[str, int]] = set()
        while not seen.issuperset(present.items()):
            if seen and clock.steady() > until:
                break  # others end all the time; this process must end, too
            seen.update(present.items())
            keep_foreign(target, data_folder)
            left_out = _publish(data_folder, relative_to, most_behind, present)
            # a process that could not wait for the lock has left its last segment for this one
            present = published.states(Path(data_folder))
    if left_out:
        log_problem(
            f"{target} is without {left_out} processes that were left behind; the next ends add them, and vmpilot-cov "
            "combine counts them now (publication-behind)"
        )
    return target


def _basis(data_folder: str, relative_to: str) -> list[object]:
    """Return what decides what a published file holds of the folders that it was made of."""
    return [relative_to, epochs.last_reset(data_folder)]


def _folded(data_folder: str, relative_to: str) -> published.States:
    """Fold folders, write down what the published file holds after that, and return the folders that are there."""
    here, target, basis = Path(data_folder), os.path.join(data_folder, PIPELINE_FILE), _basis(data_folder, relative_to)
    before, folded = published.states(here), compaction.Folded()
    with contextlib.suppress(OSError):  # what is not folded counts all the same
        folded = compaction.compact(here)
    if not folded:
        return before
    # what else has changed meanwhile is seen when the file is published
    replaced = {each for several in folded.values() for each in several}
    present = {name: state for name, state in before.items() if name not in replaced}
    present.update((name, published.state(here, name)) for name in folded)
    if made := published.read(data_folder, target, basis):
        held, anew = made
        published.write(data_folder, target, basis, published.after_folding(held, before, present, folded), anew)
    return present


def _publish(data_folder: str, relative_to: str, most_behind: int | None, present: published.States) -> int:
    """Add to the published file what is new; make it anew if something that it holds counts no more.

    Returns:
        How many processes are left to the next ends.
    """
    target, basis = os.path.join(data_folder, PIPELINE_FILE), _basis(data_folder, relative_to)
    held, anew = published.read(data_folder, target, basis) or ({}, 0.0)
    oldest: dict[str, float] = {}
    read: set[str] = set()
    if anew and held.keys() <= present.keys():
        new = {name: state for name, state in present.items() if state != held.get(name)}
        chosen = _chosen(new, most_behind)
        parts = list(_noting(read_parts(Path(data_folder), chosen, read), oldest))
        if all(part.epoch < anew for part in parts):  # else it may hold what a process ran before it was reset
            united = relative(newest(parts), relative_to)
            if additions.add(target, united, oldest):
                published.write(data_folder, target, basis, {**held, **{name: present[name] for name in read}}, anew)
                return len(new) - len(chosen)
    anew, oldest, read = clock.now(), {}, set()
    chosen = _chosen(present, most_behind)
    parts_of_all = _noting(read_parts(Path(data_folder), chosen, read), oldest)
    united = relative(newest(parts_of_all), relative_to)
    # coverage.py combines it with what a session has published, perhaps with branches
    branch = any(holds_arcs(os.path.join(data_folder, name)) for name in (PIPELINE_FILE, ".coverage"))
    write_or_remove(target, united, branch=branch, oldest=oldest, blocks=blocks_in(Path(target)))
    published.write(data_folder, target, basis, {name: present[name] for name in read}, anew)
    return len(present) - len(chosen)


def is_crowded(data_folder: str) -> bool:
    """Tell whether so many processes have recorded here that each end should take some along.

    A parent that lives publishes for its forks; but a server that renews its workers may have had thousands at its end.
    """
    return sum(1 for _ in working_folder.process_folders(Path(data_folder))) >= compaction.FOLD_AT


def _chosen(states: published.States, most_behind: int | None) -> list[str]:
    """Choose the folders to read: of those that have rested, only some."""
    rested_ns = (clock.now() - clean_up.REST_S) * 1e9
    behind = [name for name, state in states.items() if state < rested_ns]
    left_out = set(behind[most_behind:] if most_behind is not None else ())
    return [name for name in states if name not in left_out]


def _noting(parts: Iterable[Part], oldest: dict[str, float]) -> Iterator[Part]:
    """Pass parts on, and note when the oldest of each origin began."""
    for part in parts:
        if part.files:
            oldest[part.label.origin] = min(part.begun, oldest.get(part.label.origin, part.begun))
        yield part


def read_parts(data_folder: Path, names: Iterable[str], read: set[str]) -> Iterator[Part]:
    """Read what pipeline processes of a data folder measured since the last reset.

    Torn segments are for ``collect`` to name.

    Args:
        data_folder: where they recorded.
        names: their folders' names.
        read: gets the names of those that have recorded anything.
    """
    reset_at = epochs.last_reset(str(data_folder))
    for name in names:
        folder = data_folder / working_folder.WORKING_FOLDER / name
        whole = [parts for _, parts in segment.read_folder(folder) if not isinstance(parts, segment.TornError)]
        ours = [part for parts in whole for part in parts if part.label.origin == "pipeline"]
        read.update([name] if whole else [])
        yield from epochs.counted(ours, records.sign_of_life(folder), reset_at)


def newest(parts: Iterable[Part]) -> ByLabel:
    """Unite parts; where a file was measured in two states, keep the one measured last."""
    latest: dict[str, tuple[float, str]] = {}  # by path alone: all labels must agree on one state
    united: ByLabel = {}
    for part in parts:
        files = united.setdefault(part.label._replace(startup=False), {})
        for source, measured in part.files.items():
            latest[source.path] = max(latest.get(source.path, (0.0, "")), (part.begun, source.fingerprint))
            segment.unite(files, source, measured)
    states = {
        label: {source: each for source, each in files.items() if source.fingerprint == latest[source.path][1]}
        for label, files in united.items()
    }
    counted = {label: files for label, files in states.items() if files}
    segment.add_totals(counted)
    return counted


def relative(united: ByLabel, folder: str) -> ByLabel:
    """Name sources relative to a folder, as coverage.py's ``relative_files`` does; without a folder, as they are."""
    if not folder:
        return united
    return {
        label: {source._replace(path=os.path.relpath(source.path, folder)): each for source, each in files.items()}
        for label, files in united.items()
    }


def keep_foreign(target: str, data_folder: str) -> None:
    """Take a data file that was not published here (but copied, or made by coverage.py) among the segments.

    It is about to be published over, and may be the only copy.
    """
    working_folder.folder_identity(data_folder)  # first: without an identity no file counts as ours
    if not os.path.lexists(target) or is_published_here(target, data_folder):
        return
    refuge = ""
    try:
        refuge = working_folder.make_folder(data_folder, f"kept-{int(os.lstat(target).st_mtime_ns):x}")
        system.replace(target, os.path.join(refuge, os.path.basename(target)))
    except FileNotFoundError:  # coverage.py deletes what it combines, at any moment
        with contextlib.suppress(OSError):
            os.rmdir(refuge)
