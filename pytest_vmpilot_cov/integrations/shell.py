"""A shell that has ``VMPILOT_COV`` for its servers: a session that does not measure does not hand it on."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.stash import HEADER
from server_hook.environment import SESSION_VARIABLE, VARIABLE

if TYPE_CHECKING:
    import pytest


def withhold_variable(config: pytest.Config) -> None:
    """Take the variable out of the environment for as long as this session lasts, and say so in its header.

    Otherwise every Python process that its tests start would count as the pipeline.
    """
    if SESSION_VARIABLE in os.environ:  # inside a session that measures, the variable is that session's
        return
    value = os.environ.pop(VARIABLE)
    config.add_cleanup(partial(os.environ.update, {VARIABLE: value}))
    config.stash.setdefault(HEADER, []).append(f"vmpilot-cov: {say('variable-withheld', value=value)}")
