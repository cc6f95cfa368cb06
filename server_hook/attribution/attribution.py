"""Which test's work runs in this process: what servers tell of their requests, and what the cut takes from it.

This module is loaded at every recorded start and loads nothing itself. What tells tests apart is loaded by ``prepare``,
at the recorder's first beat: a process that gives up its rights later cannot read our files any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from server_hook import coverage_private
from server_hook.problems import log_problem

if TYPE_CHECKING:
    from contextvars import Token

    from coverage import Coverage

    from server_hook.attribution.monitoring import ByMonitoring
    from server_hook.store.segment import Measured

Address: TypeAlias = tuple[str, int]
"""Host and port, as sockets give them."""


class Counts:
    """How many requests were whose."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.tagged = 0
        """Requests whose header named their test."""
        self.by_process = 0
        """Requests whose test was found by the process at the other end of the connection."""
        self.nobodys = 0
        self.nobodys_among_several = 0
        """Nobody's requests that came while several tests ran."""


class Attribution:
    """Whose work runs in one recorded process."""

    def __init__(self, cov: Coverage) -> None:
        """Begin with nobody's.

        Args:
            cov: the Coverage that measures this process.
        """
        self.counts = Counts()
        self.reason = ""
        """Why tests are not told apart here; empty while they are, or nobody has asked."""
        self._cov = cov
        self._is_prepared = False
        self._engine: ByMonitoring | None = None

    def prepare(self) -> None:
        """Load what tells tests apart; nothing is armed before a test's first request."""
        if self._is_prepared:
            return
        self._is_prepared = True
        from server_hook.attribution import tags

        self._test, self._from_headers = tags.TEST, tags.from_headers
        if sys.version_info >= (3, 12):
            from server_hook.attribution.monitoring import ByMonitoring

            self._engine = ByMonitoring(lambda name, frame: coverage_private.measured_path(self._cov, name, frame))

    def begin_request(
        self,
        baggage: Iterable[str],
        local: Address | None,  # noqa: ARG002
        peer: Address | None,  # noqa: ARG002
    ) -> Token[str] | None:
        """Notice that a request begins, and whose it is, in the context that will answer it; never raise.

        Args:
            baggage: the values of its headers of this name.
            local: this end of its connection.
            peer: the other end.

        Returns:
            what ``end_request`` takes; None if there is nothing to undo.
        """
        try:
            self.prepare()
            test = self._from_headers(baggage)
            if test:
                self.counts.tagged += 1
                if self._engine is not None:
                    self._engine.begin(test)
            else:
                self.counts.nobodys += 1
            return self._test.set(test) if test != self._test.get() else None
        except Exception as error:  # noqa: BLE001 - a request must not fail for us
            self._disturbed(error)
            return None

    def end_request(self, token: Token[str] | None) -> None:
        """Notice that a request is answered, in the context in which it began; never raise."""
        if token is not None:
            try:
                self._test.reset(token)
            except Exception as error:  # noqa: BLE001 - a request must not fail for us
                self._disturbed(error)

    def drain(self, add: Callable[[str, str, Measured], None]) -> None:
        """Add what each test's work has run since the last drain.

        Args:
            add: takes a test, the path of a source file, and the lines or arcs of it.
        """
        if self._engine is not None:
            self._engine.drain(add)

    def close(self) -> None:
        """Tell tests apart no longer, as in a forked child."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _disturbed(self, error: Exception) -> None:
        if not self.reason:
            self.reason = f"{type(error).__name__}: {error}"
            log_problem(f"a request was not told apart: {self.reason} (attribution-disturbed)")
