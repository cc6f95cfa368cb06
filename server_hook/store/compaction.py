"""Folders of ended processes -> one: a server that renews its workers does not pay for each that it ever had.

Folding changes no figure, no age and no account. What becomes one was measured with the same settings in the same
epoch, and each source keeps when it was measured first and last. Ended and killed processes are folded apart.

It may be broken off at any moment: the united folder is renamed into place before the first of the others goes, and
what is in both counts once. A reader of the folders looks for united ones again when it is done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from server_hook import clock
from server_hook.rows import Row
from server_hook.store import clean_up, epochs, records, segment, segments, working_folder
from server_hook.store.clean_up import COMPACTING, REST_S
from server_hook.store.records import Record
from server_hook.store.segment import Label, Measured, Part, Source

FOLD_AT = 64
"""How many folders there have to be before any are folded."""
FOLD_BYTES = 1 << 18
"""How much is folded at once: small folders first, so that what is large is seldom read again."""
CROWDED = 4 * FOLD_AT
"""How many folders there have to be before two are folded that are larger than that."""
LOOK_AT = 8 * FOLD_AT
"""How many folders are looked at to find the small ones."""
Folded: TypeAlias = dict[str, list[str]]
"""New folders, and those that each of them replaces, by name."""


class _Gone(Row):
    """What a process has left that has ended or was killed."""

    folder: Path
    record: Record
    sign_of_life: float
    parts: list[Part]


def compact(data_folder: Path) -> Folded:
    """Fold some of what can be; call it while the folder's lock is held.

    Raises:
        OSError: when the working folder cannot be written.
    """
    working = data_folder / working_folder.WORKING_FOLDER
    clean_up.remove_left_over(working)
    folders = [path for path, _ in working_folder.walk(data_folder)]
    if len(folders) < FOLD_AT:
        return {}
    alike: dict[tuple[object, ...], list[_Gone]] = {}
    room = FOLD_BYTES
    rested = islice(filter(_has_rested, map(Path, folders)), LOOK_AT)
    for size, folder in sorted((_size_of(folder), folder) for folder in rested):
        if room < size and (len(folders) < CROWDED or any(len(several) > 1 for several in alike.values())):
            break
        each = _read_gone(folder)
        if each is not None:
            room -= size
            key = (
                bool(each.record.ended),
                epochs.last_reset(str(data_folder), each.sign_of_life),
                json.dumps(each.record.settings, sort_keys=True),
                each.record.problem,
            )
            alike.setdefault(key, []).append(each)
    return {_unite(working, each): [gone.folder.name for gone in each] for each in alike.values() if len(each) > 1}


def _has_rested(folder: Path) -> bool:
    return records.sign_of_life(folder) <= clock.now() - REST_S


def _size_of(folder: Path) -> int:
    """Return about how much has to be read of a process: of most, and of all that were folded, the first segment."""
    try:
        return os.stat(f"{folder}/000001{segment.SUFFIX}").st_size
    except OSError:
        return 0


def _read_gone(folder: Path) -> _Gone | None:
    """Read what a process has left that counts, if it can be folded: if it is gone, and long enough."""
    record, sign_of_life = records.read_record(folder), records.sign_of_life(folder)
    if record is None or record.origin != "pipeline" or records.is_alive(folder, record):
        return None
    if (record.ended or sign_of_life) > clock.now() - REST_S or not os.access(folder, os.W_OK):
        return None
    if any(not clean_up.is_own_name(name) for name in os.listdir(folder)):
        return None
    parts: list[Part] = []
    for _, read in segment.read_folder(folder):
        if isinstance(read, segment.TornError):
            return None  # it stays for collect to name
        parts += read
    if not parts and not record.ended:  # killed before it had written anything
        clean_up.remove_process(folder)
    parts = list(epochs.counted(parts, sign_of_life, 0.0))  # it was reset for good: its earlier epochs are over
    if not any(part.files for part in parts):
        return None
    return _Gone(folder, record, sign_of_life, parts)


def _unite(working: Path, several: list[_Gone]) -> str:
    """Fold several folders into one; return its name."""
    identifier = f"folded-{os.urandom(4).hex()}"
    aside = working / f"{COMPACTING}{identifier}"  # where there are no locks somebody else may fold, too
    aside.mkdir()
    last = max(several, key=lambda each: (each.record.ended, max(part.ended for part in each.parts)))
    record = last.record._replace(
        id=identifier,
        started=min(each.record.started for each in several),
        folded=sum(each.record.folded for each in several),
        socket="",
    )
    for number, octets in enumerate(segments.encode(list(united(part for each in several for part in each.parts))), 1):
        segments.write(str(aside), number, octets)
    records.write_record(str(aside), record)
    # before the rename: a reader must not take this moment for the last sign of life
    os.utime(aside / records.RECORD, (last.sign_of_life, last.sign_of_life))
    os.utime(aside, (last.sign_of_life, last.sign_of_life))  # it has rested: nobody writes into it any more
    os.rename(aside, working / identifier)  # before the others go: what is in both counts once
    for each in several:
        clean_up.remove_process(each.folder)
    return identifier


def united(parts: Iterable[Part]) -> Iterator[Part]:
    """Unite parts of one epoch, so that of each source the first and the last moment are kept."""
    whole: dict[tuple[Label, Source], Measured] = {}
    moments: dict[tuple[Label, Source], tuple[float, float]] = {}
    ended: dict[Label, float] = {}
    for part in (part for part in parts if part.files):
        ended[part.label] = max(ended.get(part.label, 0.0), part.ended)
        for source, measured in part.files.items():
            key = part.label, source
            segment.unite(whole, key, measured)
            first, last = moments.get(key, (part.begun, part.begun))
            moments[key] = min(first, part.begun), max(last, part.begun)
    spans: dict[tuple[Label, float], Part] = {}
    # each source twice: under its first moment for its age, under its last to tell which of two contents is newer
    for (label, source), measured in whole.items():
        for begun in set(moments[label, source]):
            part = spans.setdefault((label, begun), Part(label, begun, ended[label]))
            part.files[source] = measured
    yield from spans.values()
