"""The fixtures of pytest-cov; a plugin of their own, because of two the one registered last wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_vmpilot_cov.stash import SESSION

if TYPE_CHECKING:
    from coverage import Coverage


def __dir__() -> list[str]:
    """List the fixtures alone, as a ``PluginObject`` does its hooks."""
    return ["cov", "no_cover"]


@pytest.fixture
def no_cover() -> None:
    """Leave out of the coverage what the test runs, as the marker ``no_cover`` does."""


@pytest.fixture
def cov(pytestconfig: pytest.Config) -> Coverage | None:
    """Give the ``coverage.Coverage`` that measures this process; None when nothing does."""
    session = pytestconfig.stash.get(SESSION, None)
    return None if session is None else session.cov
