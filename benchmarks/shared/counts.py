"""Count the instructions of a process with valgrind: they don't depend on the load of the machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from shared.pairs import run

MISSING = "no valgrind: install it (apt-get update && apt-get install -y valgrind)"
_COUNTER = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def can_count() -> bool:
    """Return whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def count(command: Sequence[str], folder: Path, **env: str) -> int:
    """Run a command under valgrind; return how many instructions its own process took."""
    output = run([*_COUNTER, *command], folder, **env).output
    numbers = re.findall(r"I\s+refs:\s+([\d,]+)", output)
    assert numbers, output
    return int(numbers[-1].replace(",", ""))
