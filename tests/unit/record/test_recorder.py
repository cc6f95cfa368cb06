"""What one recorder does in two threads: its own, and the program's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server_hook.config.settings import read_settings
from server_hook.control.channel import Answer
from server_hook.record import presence
from server_hook.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_channel_is_opened_by_one_thread_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread opens the channel under the lock that the program's thread has while it announces the process."""
    recorder = Recorder(read_settings(str(tmp_path)), str(tmp_path), "pipeline")
    recorder.presence.answerer = lambda _do, _request: Answer("", 0)
    is_held: list[bool] = []

    class Channel:
        """Notes whether the lock is held."""

        def __init__(self, *_args: object) -> None:
            is_held.append(recorder._lock._is_owned())  # type: ignore[attr-defined]

    monkeypatch.setattr(presence, "Channel", Channel)
    monkeypatch.setattr(presence, "CAN_LISTEN", "yes")
    recorder._tick()
    assert is_held == [True]
