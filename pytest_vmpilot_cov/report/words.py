"""Words that several reports need: ages, numbers with their noun, command lines."""

from __future__ import annotations

import os
import time

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Delivery
from server_hook.problems import printable
from server_hook.store.records import Record


def not_reset(each: Delivery) -> str:
    """Say that a process has not begun a new epoch, and why."""
    return say("not-reset", pid=each.record.pid, command=command_of(each.record), why=each.problem)


def command_of(record: Record) -> str:
    """Show the command line of a process, shortened."""
    words = [os.path.basename(word) if number == 0 else word for number, word in enumerate(record.command)]
    text = printable(" ".join(words))
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - half a terminal's width


def count(number: int, one: str, many: str) -> str:
    """Say a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def age_of(moment: float) -> str:
    """Say how long ago a moment (seconds since the epoch) was."""
    seconds = max(0.0, time.time() - moment)  # the moment may come from a machine whose clock is ahead
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.1f} {name}" if unit == 1 else f"{seconds / unit:.0f} {name}"
    return count(round(seconds / 86400), "day", "days")
