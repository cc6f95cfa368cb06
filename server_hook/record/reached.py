"""Whether a process has reached its source at all, and what it has run instead."""

from __future__ import annotations

import os
import sys


class Reached:
    """What is known of a process that may never run a file of its source: it leaves nothing behind but this."""

    def __init__(self, source: tuple[str, ...]) -> None:
        """Begin without a file.

        Args:
            source: the folders and packages that are measured.
        """
        self.any = False
        """Whether a file of the source has run."""
        self.elsewhere = ""
        """A file that has run outside the source and ends like one of it; empty for none."""
        names = {os.path.basename(each.rstrip(os.sep)): each for each in source}
        self._parts = {f"{os.sep}{name}{os.sep}": each for name, each in names.items() if name}

    def notice(self, filename: str, path: str) -> None:
        """Note a file that runs for the first time.

        Args:
            filename: what Python calls it.
            path: its path if it is measured, else empty.
        """
        self.any = self.any or bool(path)
        if self.any or self.elsewhere:
            return
        for part, source in self._parts.items():
            _, _, rest = filename.rpartition(part)
            # rpartition returns the whole name where the part is not in it
            if rest and rest != filename and self._is_like(filename, source, rest):
                self.elsewhere = filename

    def _is_like(self, filename: str, source: str, rest: str) -> bool:
        """Tell whether the source has such a file; where it is missing, anything but Python's own may be one of it."""
        if os.path.isdir(source):
            return os.path.isfile(os.path.join(source, rest))
        return not filename.startswith((sys.prefix + os.sep, sys.base_prefix + os.sep))
