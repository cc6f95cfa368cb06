"""Clocks that tests of the application do not stop: freezegun replaces ``time.time`` and its like, not these."""

from __future__ import annotations

from server_hook.systems.systems import system

_read, _WALL, _STEADY, _CPU = system.read_clock, system.WALL, system.STEADY, system.CPU

LAST_MOMENT = 1e11
"""No moment is later, in seconds since the epoch."""


def now() -> float:
    """Return the seconds since the epoch."""
    return _read(_WALL)


def steady() -> float:
    """Return seconds that only go forward."""
    return _read(_STEADY)


def cpu() -> float:
    """Return the seconds of CPU that this thread has used."""
    return _read(_CPU)


def is_moment(value: object) -> bool:
    """Tell whether a value is a moment that can be told, in seconds since the epoch."""
    return type(value) in (int, float) and 0 <= value <= LAST_MOMENT  # type: ignore[operator]
