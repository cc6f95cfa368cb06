"""The requests that a process answers, and whose work each is, until its test is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from server_hook.attribution import tags
from server_hook.attribution.carrying import carry
from server_hook.clock import steady

if TYPE_CHECKING:
    from server_hook.attribution.monitoring import ByMonitoring
    from server_hook.attribution.peers import Peers
    from server_hook.attribution.swapping import ByTracer

QUIET_S, LOST_S = 2.0, 600.0
"""Seconds from its last request until a test that no board shows is over, as another begins; more with one open."""
MOST_TESTS = 1000
MOST_ENDED = 4096
"""How many tests that are over are remembered: a server may live for weeks."""
LOOK_S = 0.01
"""For how many seconds there is taken to be no session where none was seen."""

Address: TypeAlias = tuple[Any, ...]
"""Host and port, as sockets give them."""
Ends: TypeAlias = "tuple[Address | None, Address | int | None]"
"""This end of a connection and the other one; of a Unix socket, None and the descriptor of this end."""


class Counts:
    """How many requests were whose, while a session that names its tests ran; of the latest such session."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.tagged = 0
        """Requests whose header named their test."""
        self.by_process = 0
        """Requests whose test was found by the process at the other end of the connection."""
        self.nobodys = 0
        self.nobodys_among_several = 0
        """Nobody's requests that came while several tests ran."""


class Test:
    """A test whose requests have come here, and that is not over."""

    def __init__(self, name: str) -> None:
        """Begin without a request."""
        self.name = name
        self.was_shown = False
        """Whether a board has shown it."""
        self.requests = 0  # those that are not answered yet
        self.heard_at = 0.0


class Serving:
    """Whose requests this process answers."""

    def __init__(self, peers: Peers, new_lock: Callable[[], Any]) -> None:
        """Begin without a test.

        Args:
            peers: finds the tests of requests that name none.
            new_lock: makes a ``_thread.RLock``; this module is loaded too late to keep it from gevent.
        """
        self._new_lock = new_lock
        self.lock = new_lock()
        self.counts = Counts()
        self.nobodys_until = 0.0
        """Until when a request that names no test is nobody's without a look: no session is there."""
        self.engine: ByMonitoring | ByTracer | None = None
        """What tells their work apart; without one, a request still has its test for whoever is asked on its behalf."""
        self.lately: dict[str, Test] = {}
        """The tests at work by the header of their requests, believed until the next look is due."""
        self.look_due = 0.0
        self._peers = peers
        self.tests: dict[str, Test] = {}
        """Those whose requests have come here, and that are not over."""
        self._sessions = 0
        self._ended: dict[str, None] = {}
        """Tests that boards have shown and show no more, the latest ones."""

    def test_of(self, baggage: Sequence[str], ends: Callable[..., Ends], ends_of: tuple[object, ...]) -> str:
        """Return whose request begins, and count it; empty for nobody's.

        Args:
            baggage: the values of its headers of this name.
            ends: returns the two ends of its connection; called only if they may name a test.
            ends_of: what it is called with.
        """
        boards = self._peers.boards
        is_session = bool(boards.posted())
        if boards.sessions != self._sessions:
            self.counts, self._sessions = Counts(), boards.sessions
        test = tags.from_headers(baggage)
        if test and self._begin(test):
            self.counts.tagged += 1
            self._believe_for_a_while(test, baggage)
            return test
        if is_session:  # also where the header's test is over: a WebSocket stays open
            witness = self._peers.test_of(*ends(*ends_of))
            if witness.test and self._begin(witness.test):
                self.counts.by_process += 1
                return witness.test
            self.counts.nobodys_among_several += witness.several
        self.counts.nobodys += is_session
        if not is_session and not test:
            self.nobodys_until = steady() + LOOK_S
        return ""

    def end_those_over(self, unless: str = "") -> bool:
        """End the tests that are over; return whether a board shows the one that begins.

        Where no board shows a test, it is over when it has gone quiet and another one begins.

        Args:
            unless: the test that begins; empty for none.
        """
        if not self.tests and not unless:
            return False
        running = set(map(_without_phase, self._peers.boards.running(MOST_TESTS)))
        for name, test in self.tests.copy().items():
            if _without_phase(name) in running:
                test.was_shown = True
            elif test.was_shown:
                self._remember(name)
                self.end(name)
            # LOST_S: a connection of the library websockets never says that it is closed
            elif unless and steady() - test.heard_at > (LOST_S if test.requests else QUIET_S):
                self.end(name)
        if is_shown := _without_phase(unless) in running:
            self._ended.pop(unless, None)
        return is_shown

    def end(self, name: str) -> None:
        """Let a test be over."""
        with self.lock:
            self.tests.pop(name, None)
            self.lately = {}
            if self.engine is not None:
                self.engine.end(name)

    def end_all(self) -> None:
        """Let all tests be over, in a child that was forked in the middle of them."""
        self.lock = self._new_lock()  # a thread that held the old one is not here to release it
        self.counts = Counts()
        if self.engine is not None:
            self.engine.lock = self.lock
            for test in self.tests:
                self.engine.end(test)
        self.tests, self.lately = {}, {}

    def close(self) -> None:
        """Tell tests apart no longer."""
        engine, self.engine, self.tests, self.lately = self.engine, None, {}, {}
        if engine is not None:
            engine.close()

    def _begin(self, name: str) -> bool:
        """Tell a test apart from now on; return whether it is not over."""
        if self.engine is None:
            return True
        with self.lock:
            test = self.tests.get(name)
            if test is None:
                is_shown = self.end_those_over(unless=name)
                if name in self._ended:
                    return False
                carry()
                self.engine.begin(name)
                test = self.tests.setdefault(name, Test(name))
                test.was_shown = is_shown  # a short test is over before the next look
            test.requests += 1
            test.heard_at = steady()
        return True

    def _believe_for_a_while(self, name: str, baggage: Sequence[str]) -> None:
        test, moment = self.tests.get(name), steady()
        if moment >= self.look_due:
            self.lately = {}  # a header may hold what differs from request to request
        if test is not None and len(baggage) == 1:
            self.lately[baggage[0]], self.look_due = test, moment + LOOK_S

    def _remember(self, name: str) -> None:
        self._ended[name] = None
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]


def _without_phase(test: str) -> str:
    return test.rpartition("|")[0] or test
