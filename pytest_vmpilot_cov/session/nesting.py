"""A session inside a session: ``pytest.main`` in a test, or a pytest that a test starts.

The outer session goes on and counts what the inner one runs. The inner one gives a verdict of its own only if the flag
is on its own command line; in addopts it has no effect there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.session.xdist import is_worker
from server_hook.environment import SESSION_VARIABLE, process_state
from server_hook.store import records

if TYPE_CHECKING:
    import pytest

FLAG = "--vmpilot-cov"


def outer_session() -> str:
    """Return the id of the session around this one, in this process or in the one that started it; empty for none."""
    here = process_state().session
    folder = os.environ.get(SESSION_VARIABLE, "")
    if here or is_worker() or not folder:  # a worker is a part of its leader's session, not inside it
        return here
    # the variable may outlive its session
    record = records.read_record(Path(folder))
    if record is None or records.life_of(record, records.heartbeat_age_s(Path(folder))) == "dead":
        return ""
    return record.session


def has_own_verdict(config: pytest.Config) -> bool:
    """Tell whether a session's own command line asks for a verdict."""
    return FLAG in map(str, config.invocation_params.args)


def inner_id(outer: str) -> str:
    """Make the id of an inner session; the outer one counts its data, too (``records.is_of``)."""
    return f"{outer}.{os.urandom(4).hex()}"
