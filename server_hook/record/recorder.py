"""Measure this process: start coverage.py, and drain what it has measured into segments."""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from server_hook import clock, coverage_private
from server_hook.config.settings import Settings, apply_settings, open_coverage
from server_hook.control.channel import Answerer
from server_hook.environment import process_state
from server_hook.problems import Problems, log_problem
from server_hook.record import collectors, tracers
from server_hook.record.c_forks import go_on_in_child
from server_hook.record.drain import Drain
from server_hook.record.presence import Presence
from server_hook.record.reached import Reached
from server_hook.record.reloads import watch_compiles_after
from server_hook.record.thread import RecorderThread, holding
from server_hook.record.unmeasured import check_measured
from server_hook.store import records, segment, segments
from server_hook.store.publish import MOST_BEHIND, is_crowded, publish_pipeline  # early: signals come inside imports
from server_hook.store.working_folder import again_if_gone

if TYPE_CHECKING:
    from coverage.collector import Collector

REST_FACTOR = 50
"""A cut is followed by at least this many times its own cost without one: recording takes at most 2 % of a core."""

_getpid, _new_lock = os.getpid, _thread.RLock  # tests of the application replace such by mocks


def current() -> Recorder | None:
    """Return the recorder of this process; a process has at most one."""
    recorder = process_state().recorder
    return recorder if recorder is not None and recorder.is_here() else None


def notice_load(path: str) -> None:
    """Tell the recorder of this process that a file is loaded; never raise into the program that loads it."""
    if recorder := current():
        recorder.notice_load(path)


class Recorder:
    """The one object that measures one process and publishes its segments.

    What the tracer has measured goes live sets -> parts in memory (at a cut) -> a segment on disk (at a flush). The
    origin can change at any time; what was measured before the change belongs to the earlier one.
    """

    def __init__(  # noqa: PLR0913 - what a process inherits, and what it is called by
        self,
        settings: Settings,
        data_folder: str,
        origin: str,
        session: str | None = "",
        *,
        name: str = "",
        parent: int = 0,
        cov: coverage_private.WatchedCoverage | None = None,
    ) -> None:
        """Prepare to measure; nothing is started or written yet.

        Args:
            settings: how to measure.
            data_folder: the folder that holds, or will hold, ``.vmpilot-cov``.
            origin: unit, e2e or pipeline.
            session: the id of the test session that this process belongs to, empty for none; None makes it a session.
            name: what its id ends with, so that a caller can find it by a name of its own.
            parent: the pid of the recorded process that forked this one; 0 where none did.
            cov: a Coverage that has read this configuration; makes one by default.
        """
        self.settings, self.data_folder = settings, data_folder
        self.pid, self.parent = _getpid(), parent or os.getppid()  # the process that forked it may have ended since
        self.is_fork = bool(parent)
        """Whether a recorded process forked this one; that one publishes as long as it lives."""
        self.problems = Problems()
        self.presence = Presence(data_folder, name, session, self.problems)
        self.cov = cov or open_coverage(settings.config_file)
        self.drain = Drain(self.cov, segment.Label(origin), branch=settings.branch)
        self.attribution, self.reached = self.drain.attribution, Reached(settings.source)
        self.segments, self.flushed_at, self.rest_s, self._rested_at = 0, 0.0, 0.0, 0.0
        self.thread = RecorderThread(self._tick, lambda: self.presence.channel, settings.interval_s)
        self._lock, self._is_forking, self.has_forked, self.core = _new_lock(), False, False, ""

    def start(self, answerer: Answerer | None = None) -> None:
        """Start to measure, and a thread that writes a segment each interval and answers the control channel.

        Args:
            answerer: answers what this process is asked; without one it cannot be asked.

        Raises:
            CoverageException: when coverage.py refuses the settings.
        """
        self.presence.answerer = answerer
        apply_settings(self.cov, self.settings, to_measure=True)
        self.cov.on_new_file = self._notice_file
        coverage_private.start(self.cov)
        self.core = coverage_private.core_in_use(self.cov)
        coverage_private.before_each_flush(self.cov, self.flush)
        process_state().recorder = self
        self.thread.start()

    @property
    def origin(self) -> str:
        """The origin that is counted for now."""
        return self.drain.label.origin

    def switch(self, label: segment.Label) -> None:
        """Count what is measured from now on under another label."""
        if label == self.drain.label or not self.is_here():
            return
        with holding(self._lock):
            self.drain.cut()
            self.drain.label, self.attribution.bounds = label, None
        tracers.see_all_again(self.cov, self.core)  # lines that ran under the earlier label count for this one, too

    def flush(self) -> None:
        """Cut, and write all that is in memory as one segment; on failure it stays in memory."""
        if self.is_here():
            began = clock.cpu()
            with self._undisturbed():
                again_if_gone(self._write)
            self.rest_s = REST_FACTOR * (clock.cpu() - began)
            self._rested_at = clock.steady() + self.rest_s

    def reset(self) -> None:
        """Begin a new epoch: what was measured so far is written, and every line is new again."""
        with holding(self._lock):
            self.flush()
            self.drain.begin_epoch(clock.now())
        tracers.see_all_again(self.cov, self.core)
        self.flush()

    def _write(self) -> None:
        if self.presence.record is None and not self.drain.cut():
            return
        self.announce()  # before the cut: it may queue all anew
        if parts := self.drain.cut():
            for octets in segments.encode(parts):
                self.segments += 1  # first: a signal handler in between must not take the same number
                segments.write(self.presence.folder, self.segments, octets)
            self.drain.mark_written(parts)
            self.flushed_at = clock.now()
            self.problems.writable()

    def finish(self) -> None:
        """Write the last segment, say that the process ends, and publish what a server has recorded."""
        self.thread.stop()  # while the channel is there to wake its thread
        self.flush()
        check_measured(self.cov, self.core, self.problems)
        if left_out := self.drain.left_out():
            self.problems.report("coverage-on-top", f"another coverage.py measured for a while, without {left_out[0]}")
        with holding(self._lock), self.problems.fenced(self.presence.folder):
            if not self.segments:
                self.presence.remove()
            again_if_gone(self._end)
        if self.origin == "pipeline" and (self.segments or self.has_forked):
            with self.problems.fenced(self.data_folder):
                if not self.is_fork or os.getppid() != self.parent or is_crowded(self.data_folder):
                    again_if_gone(lambda: publish_pipeline(self.data_folder, self.settings.relative_to, MOST_BEHIND))

    def _end(self) -> None:
        if self.presence.is_deleted:
            self._write()
        self.presence.end(**self.attribution.account())

    def stop(self) -> None:
        """Stop to measure for good, without writing anything."""
        if process_state().recorder is self:
            process_state().recorder = None
        self.thread.stop()
        self.cov.on_new_file = None
        self.drain.close()
        collectors.stop(self.cov)

    def hold(self) -> None:
        """Step aside for a fork that Python is about to make."""
        self._is_forking = True
        self.thread.stop()

    def go_on(self) -> None:
        """Go on in the parent, once the fork is made."""
        self._is_forking, self.has_forked = False, True
        if not self.thread.waits_for_fork:
            self.thread.start()

    def is_here(self) -> bool:
        """Tell whether this process is the one that is measured; move into a child that was forked outside Python.

        Such a child goes on measuring with what it has inherited, until the first call of this notices its pid.
        """
        if self.pid != _getpid() and not self._is_forking:  # os.fork is left to the hooks of lifecycle
            with self.problems.fenced(self.presence.folder):
                self._move_into_child()
        return self.pid == _getpid()

    def _move_into_child(self) -> None:
        parent, self.pid, self.parent = self.pid, _getpid(), os.getppid()
        self.is_fork = False  # the parent knows of no child, and may publish before it ends
        self.presence, self.drain = self.presence.of_child(), self.drain.of_child(self.cov)
        self.attribution = self.drain.attribution
        self.segments, self._lock = 0, _new_lock()  # a thread that held the old one is not here to release it
        self.thread = RecorderThread(self._tick, lambda: self.presence.channel, self.settings.interval_s)
        tracers.see_all_again(self.cov, self.core)  # sysmon's events that the parent has disabled were inherited, too
        self.thread.start()
        if self.reached.any:
            self.announce()
        if not go_on_in_child():
            log_problem(f"process {self.pid} was forked outside Python by {parent}; it is recorded now (fork-unseen)")

    def release_parent(self) -> None:
        """Leave the inherited measurement behind, in a forked child: what it holds is the parent's."""
        process_state().recorder = None
        self.presence.forget()
        self.cov.on_new_file = None
        collectors.stop(self.cov)

    def recorder_of_child(self) -> Recorder:
        """Make the recorder of a forked child: measured alike, for the same label, in a folder of its own."""
        child = Recorder(self.settings, self.data_folder, self.origin, self.presence.session, parent=self.pid)
        child.drain = self.drain.of_child(child.cov)
        child.attribution = child.drain.attribution
        return child

    def resume(self) -> None:
        """Go on after an end that did not come, as when an exec fails."""
        if self.presence.record is not None:
            self._announce_anew()  # the record says that it has ended
        self.thread.start()

    def announce(self) -> None:
        """Make this process's folder, record and control channel; again if somebody took any of them away.

        Raises:
            OSError: when the folder cannot be written.
        """
        if not self.presence.is_complete:
            self._announce_anew()

    def _announce_anew(self) -> None:
        with holding(self._lock):
            if self.presence.is_deleted:
                self.drain.requeue_all()
            again_if_gone(lambda: self.presence.announce(self.origin, self.core, self.settings))
        self.thread.wake()

    def notice_collector(self, collector: Collector) -> None:
        """Notice that a coverage.py has started; if it is not ours, it has taken the tracer from ours."""
        if not collectors.belongs_to(collector, self.cov):
            self.drain.others.add(collector, self._undisturbed, self.drain.cut)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Hold the lock, and let no error out."""
        with self.problems.fenced(self.presence.folder), holding(self._lock):
            yield

    def notice_load(self, path: str) -> None:
        """Notice that a source file is loaded, perhaps again and with another content."""
        with self.problems.fenced(self.presence.folder):
            if self.drain.may_have_seen(path):  # before the lock: every import comes through here
                with holding(self._lock):
                    self.drain.source_reloaded(path)

    def _tick(self) -> float:
        """Do what is due each interval; return the seconds until the next one."""
        with self.problems.fenced(self.presence.folder):
            check_measured(self.cov, self.core, self.problems)
            self.attribution.prepare()
            if clock.steady() >= self._rested_at:
                self.flush()
            if self.presence.record is None:  # a process that runs no file of the source leaves nothing behind
                with holding(self._lock):  # another thread, which runs the first such file, may announce meanwhile
                    self.presence.listen()
                return self.settings.interval_s
            self.announce()
            self.presence.beat()
        return max(self.settings.interval_s, min(self.rest_s, records.SILENCE_S / 3))  # while it rests, it lives

    def _notice_file(self, filename: str, path: str, frame: FrameType) -> None:
        """Take the fingerprint of a source file that runs for the first time; be announced from then on."""
        with self.problems.fenced(self.presence.folder):
            if not self.is_here():
                return
            if self.core == "ctrace" and "greenlet" in sys.modules:
                tracers.follow_greenlets(self.cov, frame)
            self.reached.notice(filename, path)
            if path:
                self.drain.add_source(path)
                watch_compiles_after(frame, notice_load)
                if self.presence.record is None:
                    self.announce()
