"""Files measured in another place -> this project's own: by content, by the end of their path, by ``[paths]``.

A container, another checkout or an installed copy has the same sources below other folders. What a file held when it
was measured identifies it best; an edited file is identified by the end of its path. Paths may come from Windows.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath

from pytest_vmpilot_cov.model import Mapped
from server_hook.config.lone_copies import is_version_of
from server_hook.store.segment import Source

LEAST_PARTS = 2
"""How many parts two paths must have in common: ``main.py`` or ``__init__.py`` alone proves nothing."""
_DRIVE = re.compile(r"[a-zA-Z]:[\\/]|\\\\")
"""How an absolute Windows path begins."""


class PathMap:
    """Map files from elsewhere to files of the project."""

    def __init__(
        self, project_files: Iterable[str], fingerprint: Callable[[str], str], by_setting: Callable[[str], str]
    ) -> None:
        """Prepare to map.

        Args:
            project_files: the paths of the project's source files.
            fingerprint: gives the fingerprint of the file at a path as it is now.
            by_setting: applies ``[paths]`` of the configuration to a path; returns it unchanged if nothing applies.
        """
        self._files = frozenset(project_files)
        self._fingerprint = fingerprint
        self.by_setting = by_setting
        self._by_content: dict[str, list[str]] | None = None
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._files):
            self._by_name[PurePosixPath(path).name].append(path)

    def find(self, source: Source, *, is_here: bool) -> Mapped | None:
        """Return where a file from elsewhere belongs, and what tells it; None if nothing does.

        Args:
            source: what was measured.
            is_here: whether this machine has a file at that path, too: then it may belong to another project, and the
                end of its path proves nothing; most of its lines do.
        """
        by_content = self._alike(source.fingerprint) if source.fingerprint else []
        if by_content:
            # the content is proof enough: of several equal files, one common part of the path decides
            path = by_content[0] if len(by_content) == 1 else _longest_end(source.path, by_content, 1)
            if path:  # else equally like several: [paths] may tell
                return Mapped(source.path, path, "content")
        path = self.by_setting(source.path)
        if path in self._files:
            return Mapped(source.path, path, "[paths]")
        named_alike = self._by_name[parts_of(source.path)[-1]]
        if is_here:
            alike = [each for each in named_alike if is_version_of(source.path, each)]
            return Mapped(source.path, alike[0], "likeness") if len(alike) == 1 else None
        path = _longest_end(source.path, named_alike, LEAST_PARTS)
        return Mapped(source.path, path, "path") if path else None

    def find_copied(self, source: Source) -> Mapped | None:
        """Return the file that a copy inside the project is a copy of, such as one in an environment below ``.tox``.

        Its content must be the same, and its path must end with the whole name of the module: ``__init__.py`` files
        of a few words are alike all over a project. A file of the project's own is no copy.
        """
        is_own = not source.fingerprint or source.path in self._files
        alike = [] if is_own else self._alike(source.fingerprint)
        alike = [path for path in alike if common_end(source.path, path) >= _parts_of_module(path)]
        path = _longest_end(source.path, alike, 1)
        return Mapped(source.path, path, "content") if path else None

    def _alike(self, mark: str) -> list[str]:
        if self._by_content is None:  # reads every file, so not before something lies in another place
            self._by_content = defaultdict(list)
            for path in sorted(self._files):
                self._by_content[self._fingerprint(path)].append(path)
        return self._by_content.get(mark, [])


def _longest_end(path: str, candidates: Iterable[str], least: int) -> str:
    """Return the one candidate that ends most like *path*; empty if two do, or if the common end is too short."""
    ends = [(common_end(path, candidate), candidate) for candidate in candidates]
    longest = max((length for length, _ in ends), default=0)
    best = [candidate for length, candidate in ends if length == longest]
    return best[0] if longest >= least and len(best) == 1 else ""


def is_of_windows(path: str) -> bool:
    """Tell a Windows path, absolute or relative, from a path of this machine."""
    return bool(_DRIVE.match(path)) or ("\\" in path and not os.path.exists(path))


def parts_of(path: str) -> tuple[str, ...]:
    """Split a path into its parts, whichever system it comes from."""
    parts = PureWindowsPath(path).parts if is_of_windows(path) else PurePosixPath(path).parts
    return parts or (path,)  # of one that leads nowhere, such as "."


def _parts_of_module(path: str) -> int:
    """Count the parts at the end of a path that name a module: its packages, and the module itself."""
    count, folder = 1, os.path.dirname(path)
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        count, folder = count + 1, os.path.dirname(folder)
    return count


def common_end(one: str, other: str) -> int:
    """Count the parts that two paths have in common at their ends."""
    pairs = zip(reversed(parts_of(one)), reversed(parts_of(other)), strict=False)
    count = 0
    for mine, yours in pairs:
        if mine != yours:
            break
        count += 1
    return count


def _without_end(path: str, parts: int) -> str:
    whole = PureWindowsPath(path) if is_of_windows(path) else PurePosixPath(path)
    return str(type(whole)(*whole.parts[: len(whole.parts) - parts]))


def prefixes(mapped: Iterable[Mapped]) -> Mapping[tuple[str, str], Counter[str]]:
    """Sum up single files: (folder elsewhere, folder here) -> how many files were mapped, by each way of telling."""
    folders: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in mapped:
        same = common_end(each.measured, each.path)
        folders[_without_end(each.measured, same), _without_end(each.path, same)][each.how] += 1
    return folders


def paths_section(mapped: Iterable[Mapped]) -> list[str]:
    """Return the lines of a section ``[paths]`` that does the same for coverage.py's own commands."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for elsewhere, here in prefixes(mapped):
        if elsewhere != ".":  # relative on Windows: coverage.py maps these by itself
            by_folder[here].append(elsewhere)
    lines = ["[paths]"]
    for number, (here, elsewhere_) in enumerate(sorted(by_folder.items()), 1):
        lines += [f"place{number} =", f"    {here}", *(f"    {folder}" for folder in sorted(elsewhere_))]
    return lines
