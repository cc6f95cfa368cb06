"""The recorder's thread: when who wakes it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from server_hook.control.channel import Channel
from server_hook.record import thread as threads
from server_hook.record.thread import RecorderThread

if TYPE_CHECKING:
    import pytest


class SlowChannel:
    """A channel that takes long until it is served."""

    def __init__(self) -> None:
        """Prepare to be served."""
        self.is_served = False

    @property
    def is_lost(self) -> bool:
        """Take as long as on a busy machine."""
        time.sleep(0.05)
        self.is_served = True
        return False

    def serve(self, timeout_s: float, other: int = -1) -> None:  # noqa: ARG002 - as Channel.serve
        """Wait, as if no client came."""
        time.sleep(0.05)

    def wake(self) -> None:
        """Do nothing: it never waits for long."""


def test_who_wakes_it_goes_on_when_it_waits_for_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that forks in C right after it was announced does not meet a thread that wants Python's lock."""
    monkeypatch.setattr(threads, "SETTLE_S", 60)
    channels: list[SlowChannel] = []
    thread = RecorderThread(lambda: 3600.0, lambda: cast("Channel", channels[0]) if channels else None, 3600)
    thread.start()
    try:
        channels.append(SlowChannel())
        thread.wake()
        assert channels[0].is_served
    finally:
        thread.stop()
