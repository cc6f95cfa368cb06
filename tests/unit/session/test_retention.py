from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.session.retention import forget_earlier_sessions
from server_hook.control.channel import socket_folder
from tests.unit.conftest import ended_pid, some_options

if TYPE_CHECKING:
    import pytest


def test_a_session_removes_what_killed_processes_left(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control socket of a killed process goes even if its data folder is deleted; that of a live pid stays."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    for pid in (ended_pid(), os.getpid()):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
            left_behind.bind(f"{socket_folder()}/{pid}-ab.sock")
    forget_earlier_sessions(some_options(tmp_path))
    assert os.listdir(socket_folder()) == [f"{os.getpid()}-ab.sock"]
