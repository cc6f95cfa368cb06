"""Work in another folder for a while, and come back even if the earlier one has been removed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in *folder*, then come back."""
    # by descriptor: contextlib.chdir fails if a test has removed the folder it worked in; O_PATH needs no right to read
    before = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)
