"""The recorder's thread: it writes a segment each interval and answers the control channel.

It is started without ``threading``: gevent may patch that later, ``threading.enumerate()`` is the application's, and
nothing may wait for this thread when the process ends. It steps aside for every fork: from Python 3.12 on a fork out of
a process with more than one thread is warned of, and the application did not start this one.
"""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from server_hook.clock import steady
from server_hook.control.channel import Channel
from server_hook.environment import process_state
from server_hook.systems.systems import system

_sleep, _native_id = time.sleep, getattr(_thread, "get_native_id", lambda: 0)
_new_lock = _thread.allocate_lock

STOP_S = 1.0
"""How long a fork or an end waits for the thread, which may be writing a segment."""
LOCK_WAIT_S = 5.0
"""How long an ending process waits for a cut that is under way; then it goes on without the lock."""
LONGEST_S = 3600.0
"""Some clocks of the system refuse longer waits."""
SETTLE_S, STEP_S = 0.1, 0.0005
"""How long at most who wakes the thread waits until it waits again, and in which steps that is looked at."""
own_threads: set[int] = set()
"""What ``_thread.get_ident`` gives in the threads of this kind that ever ran here."""


@contextmanager
def holding(lock: _thread.RLock) -> Iterator[None]:
    """Hold a lock, but never wait forever in a process that is about to end."""
    is_held = lock.acquire(timeout=LOCK_WAIT_S)
    try:
        yield
    finally:
        if is_held:
            lock.release()


class RecorderThread:
    """A thread that can be stopped at any moment and started again."""

    def __init__(self, tick: Callable[[], float], channel: Callable[[], Channel | None], interval_s: float) -> None:
        """Prepare the thread.

        Args:
            tick: does what is due and returns the seconds until it is due again; must not raise.
            channel: returns the control channel, once there is one.
            interval_s: seconds until the first tick.
        """
        self.waits_for_fork = False
        """Set while a fork is under way: the wrapper around it starts the thread again."""
        self._tick = tick
        self._channel = channel
        self._due = steady() + interval_s
        self.is_wanted = False
        """Whether it is to run: it is not while it has stepped aside for a fork."""
        self._waits_at: Channel | None = None
        self._asleep = _new_lock()
        self._running = _new_lock()
        self._native = 0

    def start(self) -> None:
        """Start the thread, unless it runs."""
        self.is_wanted = True
        if self._running.acquire(blocking=False):  # the thread itself releases it when it ends
            self._asleep = _new_lock()
            self._asleep.acquire()  # held, so that the thread sleeps on it until _rouse lets it go
            try:
                system.start_thread(self._run)
            except RuntimeError:  # no thread can be had: what is measured is written at the end
                self._running.release()

    def stop(self) -> None:
        """End the thread, and wait until the system has forgotten it."""
        self.is_wanted = False
        channel = self._channel()
        if channel is not None:  # it waits in one of two places: for clients, or on its own lock
            channel.wake()
        self._rouse()
        if not self._running.acquire(timeout=STOP_S):
            return
        self._running.release()
        until = steady() + STOP_S
        # it has left Python, but a fork would still find it among the threads that the kernel counts
        while self._native and os.path.exists(f"/proc/self/task/{self._native}") and steady() < until:
            _sleep(0.0002)

    def wake(self) -> None:
        """Let the thread see that there is a control channel now, and go on when it waits there.

        What comes next may be a fork in C, which copies Python's own lock as it is. If the thread holds that lock then,
        or waits for it, the child waits forever for a thread that it does not have.
        """
        channel = self._channel()
        if channel is None or self._native == _native_id() or self._waits_at is channel:
            return
        self._rouse()
        until = steady() + SETTLE_S
        while self._waits_at is not channel and self._running.locked() and steady() < until:
            _sleep(STEP_S)
        _sleep(STEP_S)  # it says so a few steps of Python before

    def _rouse(self) -> None:
        with suppress(RuntimeError):  # it is awake, or waits for clients
            self._asleep.release()

    def _run(self) -> None:
        self._native = _native_id()
        own_threads.add(_thread.get_ident())
        try:
            while self.is_wanted:
                wakeup = process_state().wakeup
                wait_s = min(max(0.0, self._due - steady()), wakeup.attend() if wakeup else LONGEST_S)
                channel = self._channel()
                if channel is not None and not channel.is_lost:
                    self._waits_at = channel
                    channel.serve(min(wait_s, LONGEST_S), wakeup.fileno() if wakeup else -1)
                else:
                    self._asleep.acquire(timeout=min(wait_s, LONGEST_S))
                self._waits_at = None
                if self.is_wanted and steady() >= self._due:
                    self._due = steady() + self._tick()  # from the tick's begin: the clock is read first
        finally:
            self._running.release()
