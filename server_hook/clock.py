"""Clocks that tests of the application do not stop: freezegun replaces ``time.time`` and its like, not these."""

from __future__ import annotations

import time

_read = time.clock_gettime

LAST_MOMENT = 1e11
"""No moment is later, in seconds since the epoch."""


def now() -> float:
    """Return the seconds since the epoch."""
    return _read(time.CLOCK_REALTIME)


def steady() -> float:
    """Return seconds that only go forward."""
    return _read(time.CLOCK_MONOTONIC)


def cpu() -> float:
    """Return the seconds of CPU that this thread has used."""
    return _read(time.CLOCK_THREAD_CPUTIME_ID)


def is_moment(value: object) -> bool:
    """Tell whether a value is a moment that can be told, in seconds since the epoch."""
    return type(value) in (int, float) and 0 <= value <= LAST_MOMENT  # type: ignore[operator]
