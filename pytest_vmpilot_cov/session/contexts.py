"""``--cov-context=test``: label what each test runs with its name and phase, as pytest-cov does.

The test process labels its own lines. Its children, and servers that it has not started, are told which test runs.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vmpilot_cov.hooks.hookspecs import PluginObject
from server_hook.attribution.boards import Board
from server_hook.attribution.imports import watch_imports
from server_hook.environment import process_state

if TYPE_CHECKING:
    from pytest_vmpilot_cov.session.child_environment import Environment
    from pytest_vmpilot_cov.session.session import Session


class RunningTest:
    """Tell servers which test runs, by the board and by the requests that this process sends."""

    def __init__(self, folder: str, environment: Environment, tagged_hosts: tuple[str, ...]) -> None:
        """Put up the board of this process.

        Args:
            folder: that of this process, below the working folder.
            environment: what its children inherit.
            tagged_hosts: the hosts whose requests name the test that sends them.
        """
        state = process_state()
        self._board: Board | None = None
        self._outer = state.test, state.tagged_hosts
        state.tagged_hosts = tagged_hosts
        watch_imports()  # a coverage.py that was there first has not done it
        with suppress(OSError):  # the tags of requests are enough for most
            self._board = Board(folder)
            environment.show_board(self._board.path)

    def show(self, test: str) -> None:
        """Say which test runs from now on.

        Args:
            test: its name and phase; empty for none.
        """
        process_state().test = test
        if self._board is not None:
            self._board.show(test)

    def close(self) -> None:
        """Say that no test of this session runs any more."""
        process_state().test, process_state().tagged_hosts = self._outer
        if self._board is not None:
            self._board.take_down()


class TestContexts(PluginObject):
    """Switch the context at the phases of each test; a plugin of its own, registered only on request."""

    __test__ = False  # its name begins with Test

    def __init__(self, session: Session) -> None:
        """Prepare to label what *session* measures."""
        self._session = session

    @pytest.hookimpl(tryfirst=True)  # before pytest sets up the fixtures
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin with a test's set-up."""
        self._session.enter_phase(item, "setup")

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # before what leaves out the tests that ask for it
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Go on with the test itself."""
        self._session.enter_phase(item, "run")
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """End with its tear-down."""
        self._session.enter_phase(item, "teardown")
