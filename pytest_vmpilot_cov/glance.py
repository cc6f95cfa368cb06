"""Could a session have shell scripts for tests? A glance that loads next to nothing: every pytest pays for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from server_hook.configuration import CANDIDATES

SETTINGS = (b"e2e_scripts", b"script_timeout_s")
"""What a session without the flag heeds, too."""


def may_name_scripts(root: Path, named: str) -> bool:
    """Tell whether the configuration could name shell scripts that are tests; who is told yes reads it properly.

    Args:
        root: pytest's rootdir.
        named: the value of ``--cov-config``.
    """
    if named != ".coveragerc" or os.environ.get("COVERAGE_RCFILE"):
        return True
    return any(_mentions_scripts(f"{folder}/{name}") for folder in (root, *root.parents) for name in CANDIDATES)


def _mentions_scripts(path: str) -> bool:
    with suppress(OSError), open(path, "rb") as file:
        text = file.read()
        return any(name in text for name in SETTINGS)
    return False
