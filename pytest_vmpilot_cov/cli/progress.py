"""Progress: on a terminal, what is being read if that takes long."""

from __future__ import annotations

import sys
import time

from server_hook.problems import printable

QUIET_S, BETWEEN_S = 2.0, 0.1


class Progress:
    """Show on a terminal what is being read if that takes long; elsewhere show nothing."""

    def __init__(self) -> None:
        """Start the clock."""
        self._begun, self._said, self._count = time.monotonic(), 0.0, 0

    def tick(self, what: str) -> None:
        """Show what is read next, if it is time."""
        self._count += 1
        now = time.monotonic()
        what = printable(what)
        if now - self._begun > QUIET_S and now - self._said > BETWEEN_S and sys.stderr.isatty():
            self._said = now
            sys.stderr.write(f"\r\x1b[K{f'vmpilot-cov: reading, {self._count} files so far: {what}'[:100]}")
            sys.stderr.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._said:
            self._said = 0.0
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
