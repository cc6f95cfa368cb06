"""Files measured in another place -> this project's own: by content, by the end of their path, by ``[paths]``.

A container, another checkout or an installed copy has the same sources below other folders. What a file held when it
was measured says best which one it is; an edited file is known by the end of its path.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from pytest_vmpilot_cov.model import Mapped
from server_hook.store.segment import Source

LEAST_PARTS = 2
"""How much of two paths must be the same: ``main.py`` alone, or ``__init__.py``, says nothing."""


class PathMap:
    """Find the project's file that a file from elsewhere is."""

    def __init__(
        self, project_files: Iterable[str], fingerprint: Callable[[str], str], by_setting: Callable[[str], str]
    ) -> None:
        """Prepare to map.

        Args:
            project_files: the paths of the project's source files.
            fingerprint: gives the fingerprint of the file at a path as it is now.
            by_setting: applies ``[paths]`` of the configuration to a path; gives it back where nothing applies.
        """
        self._files = sorted(set(project_files))
        self._fingerprint = fingerprint
        self.by_setting = by_setting
        self._by_content: dict[str, list[str]] | None = None
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in self._files:
            self._by_name[PurePosixPath(path).name].append(path)

    def find(self, source: Source, *, is_here: bool) -> Mapped | None:
        """Return where a file from elsewhere belongs, and how that is known; None where nothing says so.

        Args:
            source: what was measured.
            is_here: whether there is such a file on this machine, too: then it may as well be of another project, and
                the end of its path says nothing.
        """
        by_content = self._alike(source.fingerprint) if source.fingerprint else []
        if by_content:
            found = by_content[0] if len(by_content) == 1 else _longest_end(source.path, by_content, 1)
            if found:
                return Mapped(source.path, found, "content")
        alike = [] if is_here else self._by_name[PurePosixPath(source.path).name]
        found = _longest_end(source.path, alike, LEAST_PARTS)
        if found:
            return Mapped(source.path, found, "path")
        set_ = self.by_setting(source.path)
        return Mapped(source.path, set_, "[paths]") if set_ in self._files else None

    def _alike(self, mark: str) -> list[str]:
        if self._by_content is None:
            self._by_content = defaultdict(list)
            for path in self._files:
                self._by_content[self._fingerprint(path)].append(path)
        return self._by_content.get(mark, [])


def _longest_end(path: str, candidates: Iterable[str], least: int) -> str:
    """Return the one candidate whose path ends most as *path* does; empty where two do, or none does enough."""
    ends = [(common_end(path, candidate), candidate) for candidate in candidates]
    longest = max((length for length, _ in ends), default=0)
    best = [candidate for length, candidate in ends if length == longest]
    return best[0] if longest >= least and len(best) == 1 else ""


def common_end(one: str, other: str) -> int:
    """Count the parts at the end of two paths that are the same."""
    pairs = zip(reversed(PurePosixPath(one).parts), reversed(PurePosixPath(other).parts), strict=False)
    count = 0
    for mine, yours in pairs:
        if mine != yours:
            break
        count += 1
    return count


def prefixes(mapped: Iterable[Mapped]) -> Mapping[tuple[str, str], Counter[str]]:
    """Sum up single files: (folder elsewhere, folder here) -> how many files were mapped, by how that was known."""
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in mapped:
        same = common_end(each.measured, each.path)
        measured, path = PurePosixPath(each.measured), PurePosixPath(each.path)
        folders = (
            str(PurePosixPath(*measured.parts[: len(measured.parts) - same])),
            str(PurePosixPath(*path.parts[: len(path.parts) - same])),
        )
        found[folders][each.how] += 1
    return found


def paths_section(mapped: Iterable[Mapped]) -> list[str]:
    """Return the lines of the section ``[paths]`` that would do the same for coverage.py's own commands."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for elsewhere, here in prefixes(mapped):
        by_folder[here].append(elsewhere)
    lines = ["[paths]"]
    for number, (here, elsewhere_) in enumerate(sorted(by_folder.items()), 1):
        lines += [f"place{number} =", f"    {here}", *(f"    {folder}" for folder in sorted(elsewhere_))]
    return lines
