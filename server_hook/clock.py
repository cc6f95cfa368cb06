"""Clocks that tests of the application do not stop: freezegun replaces ``time.time`` and its like, not these."""

from __future__ import annotations

import time

_read = time.clock_gettime


def now() -> float:
    """Return the seconds since the epoch."""
    return _read(time.CLOCK_REALTIME)


def steady() -> float:
    """Return seconds that only go forward."""
    return _read(time.CLOCK_MONOTONIC)


def cpu() -> float:
    """Return the seconds of CPU that this thread has used."""
    return _read(time.CLOCK_THREAD_CPUTIME_ID)
