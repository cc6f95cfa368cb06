"""What pytest's configuration keeps for the plugin: its keys in ``config.stash``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_vmpilot_cov.session.run import Run
    from pytest_vmpilot_cov.session.scripts import Scripts
    from pytest_vmpilot_cov.session.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()
"""What measures this process."""
RUN: pytest.StashKey[Run] = pytest.StashKey()
"""What gives the verdict, in the process that leads the session."""
SCRIPTS: pytest.StashKey[Scripts] = pytest.StashKey()
"""The shell scripts that are tests."""

HEADER: pytest.StashKey[list[str]] = pytest.StashKey()
"""What the header says of a session that we do not measure."""
WARNING: pytest.StashKey[str] = pytest.StashKey()
"""What the section says of a session that is not measured, although it may have been meant to be."""
