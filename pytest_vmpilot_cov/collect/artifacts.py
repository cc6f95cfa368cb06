"""CI artifacts: the words of ``combine`` -> local data files and data folders to read, copied aside if necessary.

A word names a data file, a folder, a pattern, an archive or the URL of a store. ``unit=`` or another origin before it
says whose data the files are that do not say so themselves. If a folder has data of ours, all data files in it are
read. Any other folder is searched, with everything below it and every archive in it.
"""

from __future__ import annotations

import contextlib
import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pytest_vmpilot_cov.collect.archives import is_archive, unpack
from pytest_vmpilot_cov.collect.data_file import is_data_file
from pytest_vmpilot_cov.collect.intake import Intake, Member, is_archive_name, is_data_name, may_be_data
from pytest_vmpilot_cov.collect.object_stores import fetch, is_url
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import ORIGINS, Place, is_tests_file
from pytest_vmpilot_cov.model.value import Value
from server_hook.store import publication, publish, records, safe_files, segment, working_folder


class Artifacts(Value):
    """What to read, and what could not be read."""

    places: tuple[Place, ...]
    problems: tuple[str, ...]


@contextlib.contextmanager
def open_artifacts(words: Sequence[str], tick: Callable[[str], object]) -> Iterator[Artifacts]:
    """Open what the words name, for as long as it is needed; copies are removed afterwards.

    Raises:
        UsageError: when there is no such file or folder, or when a URL needs what is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-", ignore_cleanup_errors=True) as aside:
        gathering = _Search(Path(aside).resolve(), Intake(tick))
        for word in words:
            gathering.take(word)
        yield Artifacts(tuple(gathering.places.values()), tuple(gathering.intake.problems))


@dataclass
class _Search:
    """One command's search through everything that its words name."""

    aside: Path
    intake: Intake
    places: dict[Path, Place] = field(default_factory=dict)
    copies: int = 0
    count: int = 0

    def take(self, word: str) -> None:
        """Find what one word names."""
        origin, _, rest = word.partition("=")
        origin, word = (origin, rest) if origin in ORIGINS and rest else ("", word)
        # no data and no problem either: the word led nowhere
        before = self.count, len(self.intake.problems)
        if is_url(word) and not word.startswith("file://"):
            self._take_url(word, origin)
        else:
            self._take_path(word.removeprefix("file://"), origin)
        if before == (self.count, len(self.intake.problems)):
            self.intake.problems.append(say("data-nowhere", place=word))

    def _take_url(self, url: str, origin: str) -> None:
        folder = self._new_folder()
        file = fetch(url, folder, self.intake)
        if file is None:
            self._search(Place(folder, url.rstrip("/"), origin, is_copy=True))
        elif is_archive(file):
            self._open(Place(file, url, origin, is_copy=True))
        else:
            self._add(Place(file, url, origin, is_copy=True))

    def _take_path(self, word: str, origin: str) -> None:
        if os.path.exists(word):  # before any pattern: a name may have brackets in it
            self._take_named(_place(word, origin), is_typed=True)
            return
        names = sorted(glob.glob(word, recursive=True, include_hidden=True)) if glob.has_magic(word) else []
        if not names:
            raise UsageError(say("data-unreadable", path=word, why="there is no such file or folder"))
        for name in names:
            self._take_named(_place(name, origin), is_typed=False)

    def _take_named(self, place: Place, *, is_typed: bool) -> None:
        if os.path.isdir(place.path):
            names = _names_in(place.path)
            if any(map(_is_own, names)):
                self._add(place)
                self._find_foreign(place, filter(is_data_name, names))
            else:
                self._search(place)
        elif is_typed and os.path.isfile(place.path):
            # a file that was typed is read under any name; one that a pattern matched has to look like data
            (self._open if _is_packed(place.path) else self._add)(place)
        else:
            self._find(place, may_be=True)

    def _search(self, top: Place) -> None:
        """Find the data folders, data files and archives at and below a folder."""
        processes: dict[Path, list[Path]] = {}
        for here, folders, files in os.walk(top.path, onerror=lambda error: self._refuse(top, error)):
            folder = Path(here)
            own = set(filter(_is_own, (*folders, *files)))
            # in place: os.walk must not enter our own folders, and takes the others in a stable order
            folders[:] = sorted(set(folders) - own)
            if own:
                self._add(_below(top, folder))
            elif records.RECORD in files and any(name.endswith(segment.SUFFIX) for name in files):
                processes.setdefault(folder.parent, []).append(folder)
            self._find_foreign(_below(top, folder), files)
        for working, own_folders in processes.items():
            self._add(Place(self._gather_processes(working, own_folders, top), top.label, top.origin, is_copy=True))

    def _gather_processes(self, working: Path, processes: Sequence[Path], top: Place) -> Path:
        """Make a data folder for the folders of processes that lie in none: CI strips the uploaded folder itself."""
        made = self._new_folder()
        files = [path for folder in processes for path in sorted(folder.iterdir())]
        for path in [*files, *(path for path in [working / working_folder.RESETS] if path.is_file())]:
            place = _below(top, path)
            member = Member(str(path.relative_to(working)), path.stat().st_mtime, partial(_opened, path))
            try:
                self.intake.copy(member, made / working_folder.WORKING_FOLDER, place.label)
            except OSError as error:
                self._refuse(place, error)
        return made

    def _find_foreign(self, folder: Place, names: Iterable[str]) -> None:
        """Add the data files of a folder, except those made of the segments beside them, which are read as well."""
        for name in sorted(names):
            path = folder.path / name
            # what was published from segments is counted by these
            if not (_is_own(name) or publication.is_published_here(str(path), str(folder.path))):
                self._find(_below(folder, path), may_be=may_be_data(name))

    def _find(self, place: Place, *, may_be: bool) -> None:
        """Add a file that the search came across, if it is data."""
        name = place.path.name
        try:
            if not os.path.isfile(place.path):
                if is_data_name(name):
                    self.intake.refuse(place.label, "it is no file")
            elif is_data_name(name) or (may_be and is_data_file(place.path)):
                self._add(place)
            elif is_archive_name(name):
                self._open(place)
        except OSError as error:
            self._refuse(place, error)

    def _open(self, place: Place) -> None:
        folder = self._new_folder()
        unpack(place.path, place.label, folder, self.intake)
        self._search(Place(folder, place.label, place.origin, is_copy=True))

    def _add(self, place: Place) -> None:
        self.count += 1
        self.intake.tick(place.label)
        path = Path(os.path.realpath(place.path))
        # found twice, it keeps the label and origin of the first word
        self.places.setdefault(path, Place(path, place.label, place.origin, place.is_copy))

    def _refuse(self, place: Place, error: OSError) -> None:
        name = _below(place, Path(error.filename)).label if error.filename else place.label
        self.intake.refuse(name, error.strerror or error)

    def _new_folder(self) -> Path:
        self.copies += 1
        folder = self.aside / str(self.copies)
        folder.mkdir()
        return folder


def _opened(path: Path) -> BinaryIO:
    return BytesIO(safe_files.read(str(path), safe_files.MOST_SEGMENT_BYTES))


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # the search of the folder says why
        return []


def _is_own(name: str) -> bool:
    """Tell whether a file or folder makes the one that it lies in a data folder."""
    return name in (working_folder.WORKING_FOLDER, publish.PIPELINE_FILE) or is_tests_file(name)


def _below(top: Place, path: Path) -> Place:
    """Label a path below a place after that place."""
    if path == top.path:
        return top
    return Place(path, os.path.join(top.label, os.path.relpath(path, top.path)), top.origin, top.is_copy)


def _place(word: str, origin: str) -> Place:
    """Make a place of a local path; one inside a working folder, as ``**`` matches it, stands for its data folder."""
    path = Path(os.path.abspath(word))
    if working_folder.WORKING_FOLDER in path.parts:
        path = Path(*path.parts[: path.parts.index(working_folder.WORKING_FOLDER)])
    return Place(path, str(path), origin)


def _is_packed(path: Path) -> bool:
    """Tell whether a file is an archive; if it cannot be read, its reader says why."""
    try:
        return not is_data_file(path) and is_archive(path)
    except OSError:
        return False
