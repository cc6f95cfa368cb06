"""The bounds of a test's child: what it runs is the test's for as long as the test runs, and nobody's after that.

A child may outlive its test, as a program in the background or a fixture for many tests does. So it looks at the board
of its test process before it writes anything down for the test.
"""

from __future__ import annotations

from collections.abc import Mapping

from server_hook.attribution import boards
from server_hook.environment import BOARD_VARIABLE, CONTEXT_VARIABLE


class Bounds:
    """Until when this process works for the test that has started it."""

    def __init__(self, test: str, board: str) -> None:
        """Begin within them.

        Args:
            test: the name of the test, and the phase in which it started this process.
            board: the path of the board of its test process.
        """
        self.test = test
        self._board = board
        self._are_left = False

    def hold(self) -> bool:
        """Tell whether the test still runs; once it doesn't, it never does again."""
        if not self._are_left:
            try:
                self._are_left = boards.name_of(boards.read(self._board)) != boards.name_of(self.test)
            except OSError:  # its session is over
                self._are_left = True
        return not self._are_left

    def answer(self, test: str) -> None:
        """Work for the test no longer once this process answers the request of another one, or of another phase.

        Args:
            test: whose request it answers, with the phase; empty for nobody's.
        """
        self._are_left = self._are_left or test != self.test


def bounds_of(environment: Mapping[str, str]) -> Bounds | None:
    """Return the bounds of a process by its environment; None if no test has started it."""
    test, board = environment.get(CONTEXT_VARIABLE, ""), environment.get(BOARD_VARIABLE, "")
    return Bounds(test, board) if test and board else None
