"""``--cov-context=test``: label what each test runs with its name and phase, as pytest-cov does."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_vmpilot_cov.session.session import Session


class TestContexts:
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
