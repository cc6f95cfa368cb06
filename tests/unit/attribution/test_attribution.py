"""When a test is over for a server, and what the server keeps of it."""

from __future__ import annotations

import time
from _thread import RLock
from typing import Any

import pytest

from server_hook.attribution import boards, serving, tags
from server_hook.attribution.attribution import Attribution
from server_hook.attribution.peers import Peers
from server_hook.attribution.serving import Ends, Serving
from tests.unit.attribution.conftest import Posting

FIRST, SECOND = "t.py::a|run", "t.py::b|run"


class Engine:
    """Stands in for what tells tests apart: notes which tests are at work."""

    def __init__(self) -> None:
        """Begin with none."""
        self.working: list[str] = []
        self.begin, self.end = self.working.append, self.working.remove


def no_ends() -> Ends:
    """See no connection."""
    return None, None


def ask(server: Attribution, test: str) -> None:
    """Let a server answer a request of a test, by its header."""
    server.end_request(server.begin_request([tags.to_header(test)], no_ends))


def test_locks_of_imports_that_are_replaced_cost_one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where gevent replaces the locks of an import that is under way, what tells tests apart is loaded a beat later."""
    cov: Any = None
    server, tries = Attribution(cov), []

    def load() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("cannot release un-acquired lock")

    monkeypatch.setattr(server, "_load", load)
    for _ in range(3):
        server.prepare()
    assert (len(tries), server.reason) == (2, "")


@pytest.fixture
def engine() -> Engine:
    """Give one at which no test is at work."""
    return Engine()


@pytest.fixture
def server(posting: Posting, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Attribution:
    """Give what tells tests apart in a server that sees the boards of a data folder."""
    monkeypatch.setattr(boards, "LOOK_S", 0.0)
    monkeypatch.setattr(serving, "carry", lambda: None)
    server = Attribution(None)  # type: ignore[arg-type]  # no Coverage is asked
    server._tags, server._is_prepared = tags, True
    server.serving = Serving(Peers([str(posting.folder)]), RLock)
    server.serving.engine = engine  # type: ignore[assignment]
    return server


def test_a_short_test_is_over_after_the_last_one(server: Attribution, engine: Engine, posting: Posting) -> None:
    """No test is at work once a cut sees that the session is over."""
    board = posting.board(FIRST)
    ask(server, FIRST)
    board.take_down()
    engine.drain = lambda _: None  # type: ignore[attr-defined]
    server.drain(lambda *_: None)
    assert engine.working == []


def test_a_test_that_is_over_is_not_believed_for_a_while(
    server: Attribution, engine: Engine, posting: Posting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that was believed a moment ago is nobody's as soon as its test is over."""
    monkeypatch.setattr(serving, "LOOK_S", 3600.0)
    board = posting.board(FIRST)
    for _ in range(2):
        ask(server, FIRST)
    assert server.account()["told"] == 2
    board.show(SECOND)
    ask(server, SECOND)
    ask(server, FIRST)
    assert engine.working == [SECOND]
    assert server.account()["told"] == 3


def test_a_short_test_is_over_when_another_begins(server: Attribution, engine: Engine, posting: Posting) -> None:
    """A test may begin and end between two looks; it may run again, and until then its late requests are nobody's."""
    board = posting.board(FIRST)
    ask(server, FIRST)
    board.show(SECOND)
    ask(server, SECOND)
    assert engine.working == [SECOND]
    ask(server, FIRST)
    assert engine.working == [SECOND]
    board.show(FIRST)
    ask(server, FIRST)
    assert engine.working == [FIRST]


@pytest.mark.parametrize(("is_answered", "limit"), [(True, "QUIET_S"), (False, "LOST_S")])
def test_a_test_that_no_board_shows_is_over_in_the_end(
    server: Attribution, engine: Engine, monkeypatch: pytest.MonkeyPatch, *, is_answered: bool, limit: str
) -> None:
    """It is over when it has gone quiet and another begins; much later if a connection never says that it closed."""
    request = server.begin_request([tags.to_header(FIRST)], no_ends)
    if is_answered:
        server.end_request(request)
    else:
        monkeypatch.setattr(serving, "QUIET_S", -1.0)
    ask(server, SECOND)
    assert engine.working == [FIRST, SECOND]
    monkeypatch.setattr(serving, limit, -1.0)
    ask(server, "t.py::c|run")
    assert FIRST not in engine.working


def test_a_clock_that_the_application_stops_changes_nothing(
    server: Attribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that came while freezegun had set all clocks years ahead makes none nobody's after that."""
    clocks = (time.monotonic, time.time, time.perf_counter)
    with monkeypatch.context() as frozen:
        for name, value in vars(serving).copy().items():  # as freezegun does, in every module
            if any(value is clock for clock in clocks):
                frozen.setattr(serving, name, lambda: 1e12)
        server.begin_request([], no_ends)
    assert server.serving is not None
    assert 0 < server.serving.nobodys_until < 1e12


def test_only_the_latest_tests_that_are_over_are_remembered(
    server: Attribution, engine: Engine, posting: Posting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that lives for weeks does not grow with each test: late requests are nobody's for the latest alone."""
    monkeypatch.setattr(serving, "MOST_ENDED", 3)
    board = posting.board("")
    names = [f"t.py::{number}|run" for number in range(6)]
    for name in names:
        board.show(name)
        ask(server, name)
    assert server.serving is not None
    assert list(server.serving._ended) == names[2:5]
    ask(server, names[4])
    assert engine.working == names[5:]
