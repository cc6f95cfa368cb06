"""What pytest's configuration keeps for the plugin: its keys in ``config.stash``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_vmpilot_cov.session.scripts import Scripts
    from pytest_vmpilot_cov.session.session import Session


HEADER: pytest.StashKey[list[str]] = pytest.StashKey()
"""What the header says of a session without us."""
WARNING: pytest.StashKey[str] = pytest.StashKey()
"""What the section says of a session that nobody measures, although somebody may have meant it to be."""

SESSION: pytest.StashKey[Session] = pytest.StashKey()
SCRIPTS: pytest.StashKey[Scripts] = pytest.StashKey()
