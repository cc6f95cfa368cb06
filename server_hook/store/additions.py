"""Add what was measured since to a data file that was published: that costs what is new, not what is there."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from server_hook.coverage_tables import add_measured, open_to_write, writes_known_schema
from server_hook.store import publication, segment
from server_hook.store.publication import TABLE, Moments
from server_hook.store.segment import ByLabel
from server_hook.systems.systems import system


def add(target: str, united: ByLabel, oldest: Moments) -> bool:
    """Add to a published file, aside, and rename it into place; return whether that could be done.

    It can't where a source has another content than the file has seen, where a plugin measured it, or where branches
    meet a file of lines: then the file has to be made anew.

    Args:
        target: a data file of servers that ``publication`` has written.
        united: what is new.
        oldest: when the oldest measurement of each origin in it began.

    Raises:
        OSError: when the folder or the file cannot be written.
    """
    united = publication.in_utf8(united)
    if not any(united.values()):
        return True
    if not writes_known_schema():
        return False
    with publication.aside_of(target) as aside:
        _copy(target, aside)
        with open_to_write(aside) as base:
            branch = base.execute("SELECT value FROM meta WHERE key = 'has_arcs'").fetchone() == ("1",)
            marks = publication.fingerprints_in(base) or {}
            if not _fits(united, marks, branch=branch):
                return False
            encode = segment.to_arcs if branch else publication.numbits
            add_measured(base, publication.by_context(united), encode)
            new = {
                label: {each: ran for each, ran in files.items() if (label.origin, each.path) not in marks}
                for label, files in publication.origins_of(united).items()
            }
            publication.add_fingerprints(base, new, os.path.dirname(target), oldest)
            _make_older(base, oldest)
        system.replace(aside, target)
    return True


def _copy(path: str, to: str) -> None:
    """Copy what a file holds; to import ``shutil``, with its archives, would be most of what a short process adds."""
    with open(path, "rb", buffering=0) as file, open(to, "wb") as copy:
        with contextlib.suppress(AttributeError, OSError):  # a system or a file system that cannot do it by itself
            while os.copy_file_range(file.fileno(), copy.fileno(), 1 << 30):  # type: ignore[attr-defined,unused-ignore]
                pass
        while octets := file.read(1 << 20):
            copy.write(octets)


def _fits(united: ByLabel, marks: publication.Marks, *, branch: bool) -> bool:
    sources = {(label.origin, source) for label, files in united.items() for source in files}  # each once, of all tests
    return (branch or not publication.has_arcs(united)) and all(
        not source.tracer and marks.get((origin, source.path), source.fingerprint) == source.fingerprint
        for origin, source in sources
    )


def _make_older(base: sqlite3.Connection, oldest: Moments) -> None:
    """Let no origin look younger than the oldest of its measurements."""
    rows = [(moment, origin, moment) for origin, moment in oldest.items()]
    base.executemany(f"UPDATE {TABLE} SET begun = ? WHERE context = ? AND begun > ?", rows)  # noqa: S608 - constant
