"""What the search takes out of archives and stores: data files, segments and archives, copied below one folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from pytest_vmpilot_cov.collect.data_file import MAGIC
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model.value import Value
from server_hook.problems import one_line
from server_hook.store import records, segment, working_folder

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
BESIDE_SEGMENTS = (records.RECORD, working_folder.RESETS, working_folder.IDENTITY)
REPORTS = (
    ".py",
    ".pyc",
    ".xml",
    ".json",
    ".html",
    ".js",
    ".css",
    ".png",
    ".md",
    ".txt",
    ".info",
    ".lcov",
    ".sh",
    ".toml",
)
"""Files that may have ``coverage`` in their name and hold no data; they are never opened."""
MOST_BYTES = 16 << 30
"""How much one command copies at most; an archive that unpacks to more is a mistake, or an attack."""
CHUNK_BYTES = 1 << 20


class Member(Value):
    """A file in an archive or a store."""

    name: str
    """Its path in there."""
    written: float
    """When it was written, in seconds since the epoch; 0 if unknown."""
    open: Callable[[], IO[bytes]]
    refused: str = ""
    """Why it cannot be read; empty if it can."""


@dataclass
class Intake:
    """What one command could not take in, and how much it may still copy."""

    tick: Callable[[str], object]
    problems: list[str] = field(default_factory=list)
    room_bytes: int = field(default_factory=lambda: MOST_BYTES)

    def refuse(self, label: str, why: object) -> None:
        """Note what does not count, and why."""
        self.problems.append(say("data-unreadable", path=label, why=one_line(why)))

    def copy(self, member: Member, folder: Path, label: str) -> Path | None:
        """Copy a member below *folder*; return None if it holds no data, or, after noting why, if it may not be copied.

        Raises:
            Exception: whatever the archive, the store or the file system raises.
        """
        # names in archives are untrusted: one such as ``../x`` would be written outside the folder
        why = member.refused or why_outside(member.name)
        if why:
            self.refuse(label, why)
            return None
        self.tick(label)
        target = folder / member.name
        try:
            return target if self._copy(member, target) else None
        except BaseException:
            target.unlink(missing_ok=True)  # half a file must not count
            raise

    def _copy(self, member: Member, target: Path) -> bool:
        """Copy a member if it holds anything that counts; tell whether it does."""
        with member.open() as source:
            first = source.read(CHUNK_BYTES)
            # people rename data files, so the content decides about any other name
            if not (is_data_name(member.name) or is_kept_whole(member.name) or first.startswith(MAGIC)):
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as copy:
                while first and self.room_bytes > 0:
                    copy.write(first)
                    self.room_bytes -= len(first)
                    first = source.read(CHUNK_BYTES)
        if first:
            raise OSError(f"more than {MOST_BYTES / (1 << 30):g} GiB would have to be copied")
        # the age of the data is that of the original
        with contextlib.suppress(OSError, OverflowError):
            os.utime(target, (member.written, member.written))
        return True


def is_wanted(name: str) -> bool:
    """Tell by its name whether a file may be data, a segment, or an archive."""
    return is_data_name(name) or is_kept_whole(name) or may_be_data(name)


def is_archive_name(name: str) -> bool:
    """Tell by its name whether a file is an archive."""
    return name.lower().endswith(ARCHIVES)


def is_kept_whole(name: str) -> bool:
    """Tell by its name whether a file belongs to segments, or is an archive."""
    base = PurePosixPath(name).name
    return base in BESIDE_SEGMENTS or base.endswith(segment.SUFFIX) or is_archive_name(base)


def is_data_name(name: str) -> bool:
    """Tell whether a file has the name of a data file, whatever is in it."""
    base = PurePosixPath(name).name
    # SQLite keeps a journal beside the file that it writes
    return base == ".coverage" or (base.startswith(".coverage.") and not base.endswith(("-journal", *REPORTS)))


def may_be_data(name: str) -> bool:
    """Tell whether to look inside a file: CI drops hidden files, so people rename theirs."""
    base = PurePosixPath(name).name.lower()
    return "coverage" in base and not base.endswith(("-journal", *REPORTS)) and base != ".coveragerc"


def why_outside(name: str) -> str:
    """Say why a name may not be used below a folder; empty if it may."""
    if name.startswith("/"):
        return "its name is absolute"
    return "its name leads out of the archive" if ".." in PurePosixPath(name).parts else ""
