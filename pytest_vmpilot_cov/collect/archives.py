"""Archives of CI artifacts -> the data in them, copied below a folder; nothing is ever written outside it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_vmpilot_cov.collect.intake import Intake, Member, is_archive_name, is_wanted

if TYPE_CHECKING:
    import tarfile
    import zipfile

DEEPEST = 5
"""How deep archives may be nested."""
_ZSTD = b"\x28\xb5\x2f\xfd"


def is_archive(path: Path) -> bool:
    """Tell whether a file is an archive, by its name or its content."""
    import tarfile
    import zipfile

    return is_archive_name(path.name) or zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def unpack(path: Path, label: str, folder: Path, intake: Intake, depth: int = 1) -> None:
    """Copy the data in an archive below *folder*, each member under its own name; archives in it become folders.

    Args:
        path: the archive.
        label: what to call it.
        folder: where the copies go.
        intake: takes them, and notes what cannot be read; what was read before counts.
        depth: how deep this one is nested; 1 for one that lies in no other.
    """
    if depth > DEEPEST:
        intake.refuse(label, f"it lies in {DEEPEST} other archives; unpack some of them")
        return
    before = ""
    try:
        for member in _members(path):
            if is_wanted(member.name) and _take(member, f"{label}/{member.name}", folder, intake, depth):
                before = "; the files in it before that count"
    except Exception as error:  # noqa: BLE001 - zipfile and tarfile raise what a damaged one makes of them
        intake.refuse(label, f"{_zstd(path) or _why(error)}{before}")


def _take(member: Member, label: str, folder: Path, intake: Intake, depth: int) -> bool:
    """Copy a member; return whether it could be read."""
    try:
        copy = intake.copy(member, folder, label)
    except Exception as error:  # noqa: BLE001 - the same
        intake.refuse(label, _why(error))
        return False
    if copy is not None and is_archive_name(copy.name):
        aside = copy.with_name(f".{copy.name}.packed")
        os.replace(copy, aside)  # its folder gets its name
        copy.mkdir(exist_ok=True)
        unpack(aside, label, copy, intake, depth + 1)
        aside.unlink()
    return copy is not None


def _members(path: Path) -> Iterator[Member]:
    """Yield the files of an archive one by one: a tar is read once, and is not kept in memory."""
    import tarfile
    import zipfile

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            yield from (_in_zip(packed, each) for each in packed.infolist() if not each.is_dir())
    elif path.name.lower().endswith(".zip"):  # else tarfile would say what is wrong with it as a tar
        raise zipfile.BadZipFile("it is no zip file, or its end is missing")
    else:
        with tarfile.open(path, "r|*") as tar:
            yield from (_in_tar(tar, each) for each in tar if not each.isdir())


def _in_zip(packed: zipfile.ZipFile, each: zipfile.ZipInfo) -> Member:
    refused = "it is encrypted" if each.flag_bits & 1 else ""
    if stat.S_ISLNK(each.external_attr >> 16):
        refused = "it is a link, and links are not followed"
    written = time.mktime((*each.date_time, 0, 0, -1))
    return Member(each.filename, written, partial(packed.open, each), refused)


def _in_tar(tar: tarfile.TarFile, each: tarfile.TarInfo) -> Member:
    refused = "" if each.isreg() else "it is no file"
    if each.issym() or each.islnk():
        refused = "it is a link, and links are not followed"
    return Member(each.name.removeprefix("./"), float(each.mtime), partial(_extracted, tar, each), refused)


def _extracted(tar: tarfile.TarFile, each: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(each)
    assert file is not None, "only regular files are opened"
    return file


def _zstd(path: Path) -> str:
    """Say what is missing to read an archive packed with zstd, which tarfile supports from Python 3.14 on."""
    import tarfile

    with path.open("rb") as file:
        is_unread = file.read(len(_ZSTD)) == _ZSTD and "zst" not in tarfile.TarFile.OPEN_METH
    return "this Python reads no zstd (from 3.14 on it does); pack it with gzip" if is_unread else ""


def _why(error: Exception) -> object:
    """Say why something cannot be read, even if the exception has no text."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
