"""Test processes with a board, made up."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from server_hook.attribution.boards import Board
from server_hook.store import records, working_folder
from server_hook.systems.systems import system


@dataclass
class Posting:
    """A data folder in which test processes put up boards."""

    folder: Path

    def board(self, test: str, pid: int = 0) -> Board:
        """Put up the board of a test process that runs a test.

        Args:
            test: its name and phase.
            pid: that of the process; this one by default.
        """
        pid = pid or os.getpid()
        folder = working_folder.make_folder(str(self.folder), f"{pid}-{os.urandom(4).hex()}")
        record = records.describe_process(os.path.basename(folder), "unit", "s", {})
        records.write_record(folder, record._replace(pid=pid, ticks=system.start_of(pid)))
        board = Board(folder)
        board.show(test)
        return board


@pytest.fixture
def posting(tmp_path: Path) -> Posting:
    """Give a data folder without a board."""
    return Posting(tmp_path)
