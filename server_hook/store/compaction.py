"""Folders of ended processes -> one: a server that renews its workers does not pay for each that it ever had.

Folding changes no figure, no age and no account. What becomes one was measured with the same settings in the same
epoch, and each source keeps when it was measured first and last. Killed processes keep their folders: reports name
each of them.

It may be broken off at any moment: the united folder is renamed into place before the first of the others goes, and
what is in both counts once. Whoever reads folders meanwhile looks for united ones when he is done.
"""

# No annotations from __future__ here: NamedTuple would compile each of its fields' at the start of every process.
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from server_hook import clock
from server_hook.store import epochs, records, segment, working_folder
from server_hook.store.records import Record
from server_hook.store.segment import Label, Measured, Part, Source

FOLD_AT = 64
"""How many folders there have to be before any are folded."""
REST_S = 60.0
"""How long a process must have ended: who is about to report on it finds it as it was."""
ASIDE = ".folding-"
"""What the name of a folder begins with that is not yet in its place."""


class _Ended(NamedTuple):
    """What an ended process has left."""

    folder: Path
    record: Record
    sign_of_life: float
    parts: list[Part]


def compact(data_folder: Path) -> None:
    """Fold what can be; call it while the folder's lock is held.

    Raises:
        OSError: when the working folder cannot be written.
    """
    folders = list(working_folder.process_folders(data_folder))
    if len(folders) < FOLD_AT:
        return
    alike: dict[tuple[object, ...], list[_Ended]] = {}
    for each in filter(None, map(_read_ended, folders)):
        key = (
            epochs.last_reset(str(data_folder), each.sign_of_life),
            json.dumps(each.record.settings, sort_keys=True),
            each.record.problem,
        )
        alike.setdefault(key, []).append(each)
    for several in alike.values():
        if len(several) > 1:
            _unite(data_folder / working_folder.WORKING_FOLDER, several)


def _read_ended(folder: Path) -> _Ended | None:
    """Read what a process has left if it can be folded: if it ended by itself, long enough ago, and was never reset."""
    record = records.read_record(folder)
    if record is None or record.origin != "pipeline" or not 0 < record.ended < clock.now() - REST_S:
        return None
    if not os.access(folder, os.W_OK) or any(not _is_ours(name) for name in os.listdir(folder)):
        return None
    parts: list[Part] = []
    for _, read in segment.read_folder(folder):
        if isinstance(read, segment.TornError):
            return None
        parts += read
    if not any(part.files for part in parts) or any(part.epoch for part in parts):
        return None
    return _Ended(folder, record, records.sign_of_life(folder), parts)


def _is_ours(name: str) -> bool:
    return name == records.RECORD or name.endswith(segment.SUFFIX)


def _unite(working: Path, several: list[_Ended]) -> None:
    from shutil import rmtree  # its import is a part of every start

    for left in working.glob(f"{ASIDE}*"):  # by one that was broken off
        rmtree(left, ignore_errors=True)
    identifier = f"folded-{os.urandom(4).hex()}"
    aside = working / f"{ASIDE}{identifier}"  # where there are no locks somebody else may fold, too
    aside.mkdir()
    last = max(several, key=lambda each: each.record.ended)
    record = last.record._replace(
        id=identifier,
        started=min(each.record.started for each in several),
        folded=sum(each.record.folded for each in several),
        socket="",
    )
    segment.write(str(aside), 1, united(part for each in several for part in each.parts))
    records.write_record(str(aside), record)
    sign_of_life = max(each.sign_of_life for each in several)
    os.utime(aside / records.RECORD, (sign_of_life, sign_of_life))
    os.rename(aside, working / identifier)
    for each in several:
        rmtree(each.folder, ignore_errors=True)


def united(parts: Iterable[Part]) -> Iterator[Part]:
    """Unite parts of one epoch, so that of each source the first and the last moment are kept."""
    known: dict[tuple[Label, Source], tuple[Measured, float, float]] = {}
    ended: dict[Label, float] = {}
    for part in (part for part in parts if part.files):
        ended[part.label] = max(ended.get(part.label, 0.0), part.ended)
        for source, measured in part.files.items():
            before, first, last = known.get((part.label, source), (None, part.begun, part.begun))
            joined = segment.join(before, measured)
            known[part.label, source] = joined, min(first, part.begun), max(last, part.begun)
    spans: dict[tuple[Label, float], Part] = {}
    for (label, source), (measured, *moments) in known.items():
        for begun in set(moments):
            part = spans.setdefault((label, begun), Part(label, begun, ended[label]))
            part.files[source] = measured
    yield from spans.values()
