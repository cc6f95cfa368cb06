"""Progress: what is being read, on a terminal, once that takes long."""

from __future__ import annotations

import sys
import time

from server_hook.problems import printable

QUIET_S, BETWEEN_S = 2.0, 0.1


class Progress:
    """Say on a terminal what is being read, once that takes long; anywhere else nothing."""

    def __init__(self) -> None:
        """Begin to wait."""
        self._begun, self._said, self._count = time.monotonic(), 0.0, 0

    def tick(self, what: str) -> None:
        """Say what comes next, if it is time for that."""
        self._count += 1
        now = time.monotonic()
        what = printable(what)
        if now - self._begun > QUIET_S and now - self._said > BETWEEN_S and sys.stderr.isatty():
            self._said = now
            sys.stderr.write(f"\r\x1b[K{f'vmpilot-cov: reading, {self._count} files so far: {what}'[:100]}")
            sys.stderr.flush()

    def close(self) -> None:
        """Take away what was said."""
        if self._said:
            self._said = 0.0
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
