"""Files outside the source that are copies of single files of it: a server is given them one by one, as by an upload.

Whole trees that are copied or installed are found at the start, by ``sources``.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from typing import TYPE_CHECKING

from server_hook.coverage_private import asks_for, omits

if TYPE_CHECKING:
    from coverage import Coverage

_OTHERS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", os.path.dirname(os.__file__) + os.sep)
"""Where the code of others lies: packages, and the standard library."""


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
        self._passed_over = (*_OTHERS, folder.rstrip(os.sep) + os.sep)
        self._by_name: dict[str, list[str]] | None = None

    def is_one(self, path: str) -> bool:
        """Tell whether a file is a copy of one in the source, or an earlier version of it; never raise.

        Args:
            path: its path; it lies outside the source.
        """
        name = os.path.basename(path)
        # such as __init__.py: a few words, alike in any package
        if not name.endswith(".py") or name.startswith("__") or any(each in path for each in self._passed_over):
            return False
        with contextlib.suppress(OSError, ValueError):
            own = [each for each in self._named(name) if are_alike(each, path)]
            return any(asks_for(self._cov, each) for each in own) and not omits(self._cov, path)
        return False

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


def are_alike(one: str, other: str) -> bool:
    """Tell whether two files have most of their lines in common: a copy may be of an earlier version.

    Raises:
        OSError: when one of them cannot be read.
    """
    mine, yours = _lines_of(one), _lines_of(other)
    return 2 * len(mine & yours) > max(len(mine), len(yours))


def _lines_of(path: str) -> set[bytes]:
    with open(path, "rb") as file:
        return {line.strip() for line in file} - {b""}
