"""Publish: make the data files that others read out of the segments; made anew at any time, never the only copy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from server_hook import clock
from server_hook.store import compaction, epochs, records, safe_files, segment, working_folder
from server_hook.store.publication import blocks_in, holds_arcs, is_published_here, write_or_remove
from server_hook.store.segment import ByLabel, Part
from server_hook.store.working_folder import lock

PIPELINE_FILE = ".coverage.pipeline"
ENDING_WAIT_S = 0.5
"""How long a process that ends waits for others that publish; they see its last segment before they are done."""


def publish_pipeline(data_folder: str, relative_to: str = "") -> str:
    """Publish ``.coverage.pipeline`` as the union of all pipeline processes recorded beside it; return its path.

    Args:
        data_folder: where the segments lie, and the file goes.
        relative_to: the folder that sources are named relative to, for ``[run] relative_files``; empty for absolute.
    """
    target = os.path.join(data_folder, PIPELINE_FILE)
    if not any(working_folder.process_folders(Path(data_folder))):
        return target
    until = clock.steady() + ENDING_WAIT_S
    with lock(data_folder, ENDING_WAIT_S) as held:
        branch = held and holds_arcs(target)  # a session may have published it so, to be combined with its own arcs
        if held:
            with contextlib.suppress(OSError):  # what is not folded counts all the same
                compaction.compact(Path(data_folder))
        seen: set[Path] = set()
        while held and (present := _segments_of(Path(data_folder))) > seen:
            if seen and clock.steady() > until:
                break  # others end all the time; this process must end, too
            seen = present  # a process that could not wait for the lock has left its last segment for this one
            keep_foreign(target, data_folder)
            oldest: dict[str, float] = {}
            united = relative(newest(_noting(read_parts(Path(data_folder)), oldest)), relative_to)
            write_or_remove(target, united, branch=branch, oldest=oldest, blocks=blocks_in(Path(target)))
    return target


def _segments_of(data_folder: Path) -> set[Path]:
    folders = working_folder.process_folders(data_folder)
    return {folder / name for folder in folders for name in safe_files.names_in(folder, segment.SUFFIX)}


def _noting(parts: Iterable[Part], oldest: dict[str, float]) -> Iterator[Part]:
    """Pass parts on, and note when the oldest of each origin began."""
    for part in parts:
        if part.files:
            oldest[part.label.origin] = min(part.begun, oldest.get(part.label.origin, part.begun))
        yield part


def read_parts(data_folder: Path) -> Iterator[Part]:
    """Read what the pipeline processes of a data folder measured since the last reset.

    Torn segments are for ``collect`` to name.
    """
    reset_at = epochs.last_reset(str(data_folder))
    for folder in working_folder.process_folders(data_folder):
        whole = [parts for _, parts in segment.read_folder(folder) if not isinstance(parts, segment.TornError)]
        ours = [part for parts in whole for part in parts if part.label.origin == "pipeline"]
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
        os.replace(target, os.path.join(refuge, os.path.basename(target)))
    except FileNotFoundError:  # coverage.py deletes what it combines, at any moment
        with contextlib.suppress(OSError):
            os.rmdir(refuge)
