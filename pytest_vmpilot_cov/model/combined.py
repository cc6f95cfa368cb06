"""What counts: the union of all parts, in the project's own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.model.value import Value

if TYPE_CHECKING:  # every pytest session of the environment imports this module, so it loads nothing else
    from server_hook.store.segment import ByLabel


class LeftOut(Value):
    """Lines whose file has changed since they were measured."""

    path: str
    origin: str
    lines: int
    kept: bool = False
    """Whether they count all the same, because ``stale = keep`` asks for it."""


class Mapped(Value):
    """A file that was measured in another place, and the file of this project that it is."""

    measured: str
    path: str
    how: str
    """content, path, likeness or [paths]: what says so."""


class Combined(Value):
    """The union of all parts, cut down to the project's files as they are now."""

    counted: ByLabel
    """All of each origin, and of each origin the share of each test, where tests were told apart."""
    untouched: Mapping[str, str]
    """Source files of the project that never ran -> the coverage plugin that reports each, empty for Python."""
    outside: ByLabel = field(default_factory=dict)
    """What each origin ran outside its tests, where tests were told apart; empty where they were not."""
    stale: tuple[LeftOut, ...] = ()
    foreign: tuple[str, ...] = ()
    """Measured files that are none of the project's: listed, not counted."""
    omitted: frozenset[str] = frozenset()
    """Those of them that ``[run] omit`` leaves out."""
    no_source: tuple[str, ...] = ()
    """Measured files that are no file here, nor a member of a zip file: generated, virtual or deleted; not counted."""
    unverified: tuple[str, ...] = ()
    """Files that could not be read when they were measured: they count, changed since or not."""
    mapped: tuple[Mapped, ...] = ()
    lines_only: tuple[str, ...] = ()
    """Origins of which some data has no branches, where other data has."""
    oldest: Mapping[str, float] = field(default_factory=dict)
    """When the oldest counted part of each origin began, in seconds since the epoch."""
    problems: tuple[str, ...] = ()
