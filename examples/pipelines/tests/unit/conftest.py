"""What the unit tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assistant import Assistant, Settings
from assistant.database import Database
from assistant.tools import Context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a home of their own."""
    return Settings(home=tmp_path / "home", files=tmp_path / "files", keep_conversations=3)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Return an open database."""
    database = Database(settings.database)
    yield database
    database.close()


@pytest.fixture
def context(settings: Settings, database: Database) -> Context:
    """Return what a tool gets to know."""
    return Context("ann", settings, database)


@pytest.fixture
def assistant(settings: Settings) -> Iterator[Assistant]:
    """Return an assistant with a database of its own."""
    with Assistant(settings) as assistant:
        yield assistant
