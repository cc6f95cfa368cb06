"""Files outside the source that are copies of single files of it: a server is given them one by one, as by an upload.

Whole trees that are copied or installed are found at the start, by ``sources``.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from server_hook.coverage_private import asks_for, omits

if TYPE_CHECKING:
    from coverage import Coverage

_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
"""What stands in the path of installed packages."""
_STANDARD = os.path.dirname(os.__file__) + os.sep


class LoneCopies:
    """Tells the copies of single source files, at the first run of each file outside the source."""

    def __init__(self, source: tuple[str, ...], folder: str, cov: Coverage) -> None:
        """Begin; no folder is read before a file may be a copy.

        Args:
            source: the folders that are measured; what else it names is passed over.
            folder: the configuration's folder: a project may have two files that are alike.
            cov: the Coverage that measures them, once it has started.
        """
        self._source, self._cov = source, cov
        self._passed_over = _STANDARD, folder.rstrip(os.sep) + os.sep
        self._by_name: dict[str, list[str]] | None = None

    def is_one(self, path: str) -> bool:
        """Tell whether a file is a copy of one in the source, or an earlier version of it; never raise.

        Args:
            path: its path; it lies outside the source.
        """
        if not path.endswith(".py") or path.startswith(self._passed_over) or any(each in path for each in _PACKAGES):
            return False
        own = [each for each in self._named(os.path.basename(path)) if is_version_of(path, each)]
        return any(asks_for(self._cov, each) for each in own) and not omits(self._cov, path)

    def _named(self, name: str) -> list[str]:
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for source in self._source:
                for folder, below, files in os.walk(source):
                    # in place, so that os.walk looks into packages only: a project's folder may hold its environments
                    below[:] = [each for each in below if os.path.isfile(os.path.join(folder, each, "__init__.py"))]
                    for each in files:
                        self._by_name[each].append(os.path.join(folder, each))
        return self._by_name.get(name, [])


def is_version_of(path: str, own: str) -> bool:
    """Tell whether a file is a copy of one with its name, perhaps of an earlier version: most lines are in both."""
    if os.path.basename(own).startswith("__"):  # such as __init__.py: a few words, alike in any package
        return False
    try:
        theirs, ours = _lines_of(path), _lines_of(own)
    except (OSError, ValueError):  # it is gone, or no path at all
        return False
    return 2 * len(theirs & ours) > max(len(theirs), len(ours))


def _lines_of(path: str) -> set[bytes]:
    with open(path, "rb") as file:
        return {line.strip() for line in file} - {b""}
