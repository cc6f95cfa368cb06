"""The environment variables that tell children and servers how to measure; restored when the session ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from server_hook.environment import (
    BOARD_VARIABLE,
    CONTEXT_VARIABLE,
    DATA_DIR_VARIABLE,
    FOREIGN_VARIABLES,
    ORIGIN_VARIABLE,
    SESSION_VARIABLE,
    VARIABLE,
)

if TYPE_CHECKING:
    from pytest_vmpilot_cov.model import Options

BETWEEN_TESTS = "e2e"
"""The origin of children that no test started: the setup of E2E tests starts such children."""


class Environment:
    """What the children of this process inherit."""

    def __init__(self, *, hands_off: bool = False) -> None:
        """Change nothing yet.

        Args:
            hands_off: whether another coverage.py measures the children; nothing is changed then.
        """
        self._hands_off = hands_off
        self._before: dict[str, str | None] = {}

    def lead(self, config: str, folder: str) -> None:
        """Tell children which configuration and which session they belong to.

        Args:
            config: the path of the configuration, or of its folder.
            folder: the folder of this process; its record says how children measure.
        """
        self._set(VARIABLE, config)
        self._set(SESSION_VARIABLE, folder)

    def measure_children(self) -> None:
        """Measure children ourselves: remove the variables that would start coverage.py in them."""
        self._set(ORIGIN_VARIABLE, BETWEEN_TESTS)
        for name in FOREIGN_VARIABLES:  # two collectors in one child take the tracer from each other
            self._set(name, None)

    def leave_children_alone(self) -> None:
        """Measure no children: a debugger follows them as well."""
        for name in (VARIABLE, SESSION_VARIABLE, ORIGIN_VARIABLE, CONTEXT_VARIABLE, BOARD_VARIABLE):
            self._set(name, None)

    def count_children_for(self, origin: str, test: str = "") -> None:
        """Count children that start from now on for an origin, and for a test as long as that runs.

        Args:
            origin: unit or e2e.
            test: name and phase of the test; empty for none.
        """
        if os.environ.get(ORIGIN_VARIABLE) != origin:
            self._set(ORIGIN_VARIABLE, origin)
        if os.environ.get(CONTEXT_VARIABLE, "") != test:
            self._set(CONTEXT_VARIABLE, test or None)

    def show_board(self, path: str) -> None:
        """Tell children where they see which test runs."""
        self._set(BOARD_VARIABLE, path)

    @contextmanager
    def recording_no_children(self) -> Iterator[None]:
        """Keep children that start meanwhile from recording."""
        variable = os.environ.pop(VARIABLE, None)
        try:
            yield
        finally:
            if variable is not None:
                os.environ[VARIABLE] = variable

    def give_back(self) -> None:
        """Restore every variable."""
        for name, value in self._before.items():
            _put(name, value)

    def _set(self, name: str, value: str | None) -> None:
        if not self._hands_off:
            self._before.setdefault(name, os.environ.get(name))  # only the first value is the user's
            _put(name, value)


def variables_for_servers(options: Options) -> dict[str, str]:
    """Return the variables of a server that a test starts: absolute paths of its configuration, session and data.

    A server measures as the session does, but its data is not the session's.
    """
    # absolute paths only: a server that changes its working folder hands these on to its own children
    inherited = {name: os.environ[name] for name in (VARIABLE, SESSION_VARIABLE) if name in os.environ}
    places = {place.where: str(place.value) for place in options.data_places if place.where == DATA_DIR_VARIABLE}
    return {**inherited, **places, ORIGIN_VARIABLE: "pipeline"}


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
