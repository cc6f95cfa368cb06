"""The variables that tell children and servers how they are measured, given back when the session is over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from server_hook.environment import (
    DATA_DIR_VARIABLE,
    FOREIGN_VARIABLES,
    ORIGIN_VARIABLE,
    SESSION_VARIABLE,
    VARIABLE,
)

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Options

BETWEEN_TESTS = "e2e"
"""What children count for that no test has started: E2E set-ups start such."""


class Environment:
    """What the children of this process inherit."""

    def __init__(self, *, hands_off: bool = False) -> None:
        """Change nothing yet.

        Args:
            hands_off: whether another coverage.py measures the children, so that nothing is ever changed.
        """
        self._hands_off = hands_off
        self._before: dict[str, str | None] = {}

    def lead(self, config: str, folder: str) -> None:
        """Tell children which configuration they are measured with, and whose they are.

        Args:
            config: the path of the configuration, or of its folder.
            folder: that of this process; its record says how children measure.
        """
        self._set(VARIABLE, config)
        self._set(SESSION_VARIABLE, folder)

    def measure_children(self) -> None:
        """Measure children by us alone; the variables by which coverage.py would start itself go."""
        self._set(ORIGIN_VARIABLE, BETWEEN_TESTS)
        for name in FOREIGN_VARIABLES:
            self._set(name, None)

    def leave_children_alone(self) -> None:
        """Measure no child: a debugger follows them as well."""
        for name in (VARIABLE, SESSION_VARIABLE, ORIGIN_VARIABLE):
            self._set(name, None)

    def count_children_for(self, origin: str) -> None:
        """Let the children that are started from now on count for an origin."""
        if os.environ.get(ORIGIN_VARIABLE) != origin:
            self._set(ORIGIN_VARIABLE, origin)

    @contextmanager
    def recording_no_children(self) -> Iterator[None]:
        """Let the children that are started meanwhile record nothing."""
        variable = os.environ.pop(VARIABLE, None)
        try:
            yield
        finally:
            if variable is not None:
                os.environ[VARIABLE] = variable

    def give_back(self) -> None:
        """Set every variable to what it was."""
        for name, value in self._before.items():
            _put(name, value)

    def _set(self, name: str, value: str | None) -> None:
        if not self._hands_off:
            self._before.setdefault(name, os.environ.get(name))
            _put(name, value)


def variables_for_servers(options: Options) -> dict[str, str]:
    """Collect, in absolute terms, where servers find the configuration, this session, and the place of their data.

    A server is not the session's child, and its data not the session's: it only measures as the session does.
    """
    inherited = {name: os.environ[name] for name in (VARIABLE, SESSION_VARIABLE) if name in os.environ}
    places = {place.where: str(place.value) for place in options.places if place.where == DATA_DIR_VARIABLE}
    return {**inherited, **places, ORIGIN_VARIABLE: "pipeline"}


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
