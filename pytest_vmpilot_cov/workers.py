"""pytest-xdist's side: a worker measures for the session of the process that started it, and gives no verdict."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.session import OUTSIDE, Session, take_over
from server_hook import announce
from server_hook.recorder import Recorder
from server_hook.settings import Settings
from server_hook.startup import SESSION_VARIABLE

if TYPE_CHECKING:
    from pytest_vmpilot_cov.verdict import Outcome


def is_worker() -> bool:
    """Tell whether this process is a worker itself, and not a child that has inherited a worker's environment."""
    return "PYTEST_XDIST_WORKER" in os.environ and "-c" in sys.orig_argv[:3]


def read_leader() -> announce.Record | None:
    """Read the record of the process that leads this worker's session."""
    folder = os.environ.get(SESSION_VARIABLE, "")
    return announce.read_record(Path(folder)) if folder else None


class WorkerSession(Session):
    """A session that measures as its leader does, into the leader's data folder."""

    def _make_recorder(self) -> Recorder:
        leader = read_leader()
        if leader is None:
            return super()._make_recorder()
        data_folder = Path(os.environ[SESSION_VARIABLE]).parent.parent
        return Recorder(Settings.from_record(leader.settings), str(data_folder), OUTSIDE, leader.session)

    def _reason_to_stand_back(self, known: argparse.Namespace) -> str:
        if read_leader() is None:  # it gives way to a debugger
            take_over()
            return "the leader of this session does not measure"
        return super()._reason_to_stand_back(known)

    def _lead(self) -> None:
        """Leave it to the leader."""

    def _judge(self) -> Outcome | None:
        """Leave it to the leader."""
        return None
