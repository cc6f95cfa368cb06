"""Work in another folder for a while, and come back even if the earlier one has been removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from server_hook.systems.systems import system


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in *folder*, then come back."""
    with system.coming_back():
        os.chdir(folder)
        yield
