"""Measure this process: start coverage.py, and cut what it has measured into segments."""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from coverage import Coverage

from server_hook import clock, coverage_private
from server_hook.config.settings import Settings, apply_settings, open_coverage
from server_hook.control import channel
from server_hook.problems import HookError, Trouble
from server_hook.record.drain import Drain
from server_hook.record.thread import RecorderThread
from server_hook.record.verbs import answer
from server_hook.store import clean_up, records, segment, working_folder
from server_hook.store.publish import publish_pipeline  # early: a signal may come inside a late import

REST_FACTOR = 50
"""A cut is followed by at least this many times its own cost without one: recording takes at most 2 % of a core."""
LOCK_WAIT_S = 5.0
"""How long an ending process waits for a cut that is under way; then it goes on without the lock."""

_getpid, _new_lock = os.getpid, _thread.RLock  # tests of the application replace such by mocks
_current: Recorder | None = None


def current() -> Recorder | None:
    """Return the recorder of this process; a process has at most one."""
    return _current if _current is not None and _current.pid == _getpid() else None


def inherited() -> Recorder | None:
    """Return the recorder of the parent, in a child that was forked from a recorded process."""
    return _current if _current is not None and _current.pid != _getpid() else None


class Recorder:
    """The one object that measures one process and publishes its segments.

    What the tracer has measured goes live sets -> parts in memory (at a cut) -> a segment on disk (at a flush). The
    origin can change at any time; what was measured before the change belongs to the earlier one.
    """

    def __init__(self, settings: Settings, data_folder: str, origin: str, session: str = "") -> None:
        """Prepare to measure; nothing is started or written yet.

        Args:
            settings: how to measure.
            data_folder: the folder that holds, or will hold, ``.vmpilot-cov``.
            origin: unit, e2e or pipeline.
            session: the id of the test session that this process belongs to, if any.
        """
        self.settings = settings
        self.data_folder = data_folder
        self.session = session
        self.pid = _getpid()
        self.parent = os.getppid()
        self.is_fork = False
        """Whether a recorded process forked this one: as long as it lives, it is the one that publishes."""
        self.has_forked = False
        self.id = f"{_getpid()}-{os.urandom(4).hex()}"
        self.folder = os.path.join(data_folder, working_folder.WORKING_FOLDER, self.id)
        self.cov = open_coverage(settings.config_file)
        self.cutter = Drain(self.cov, segment.Label(origin), branch=settings.branch)
        self.channel: channel.Channel | None = None
        self.record: records.Record | None = None
        self.trouble = Trouble()
        self.segments = 0
        self.flushed_at = 0.0
        self.rest_s = 0.0
        self._rested_at = 0.0
        self.pulse = RecorderThread(self._beat, lambda: self.channel, settings.interval_s)
        self._lock = _new_lock()
        self._root = _identity_of("/")
        self._started_at = clock.now()

    def start(self) -> None:
        """Start to measure, and a thread that writes a segment each interval and answers the control channel.

        Raises:
            HookError: when only the pure-Python tracer is there, which breaks servers.
            coverage.exceptions.CoverageException: when coverage.py refuses the settings.
        """
        global _current  # noqa: PLW0603 - one recorder a process is what the module is about
        apply_settings(self.cov, self.settings, to_measure=True)
        self.cov.on_first_sight = self._meet
        coverage_private.start(self.cov)
        self.core = coverage_private.core_in_use(self.cov)
        if self.core == "pytrace" and self.origin == "pipeline":
            self.cov.stop()
            raise HookError(
                "the pure-Python tracer breaks requests and is not used in a server; install coverage with its "
                "C extension, or take COVERAGE_CORE, [run] core and timid away (pytrace-refused)"
            )
        coverage_private.before_each_flush(self.cov, self.flush)
        _current = self
        self.pulse.start()

    @property
    def origin(self) -> str:
        """The origin that is counted for now."""
        return self.cutter.label.origin

    def switch(self, label: segment.Label) -> None:
        """Count what is measured from now on under another label."""
        if label == self.cutter.label:
            return
        with self._locked():
            self.cutter.cut()
            self.cutter.label = label
        self._see_all_again()

    def flush(self) -> None:
        """Cut, and write all that is in memory as one segment; on failure it stays in memory."""
        begun = clock.cpu()
        with self._locked():
            if self.segments and not os.path.exists(self.folder):
                self.cutter.recall()  # somebody has taken the written segments away
            parts = self.cutter.cut()
            if parts:
                self._write(parts)
        self.rest_s = REST_FACTOR * (clock.cpu() - begun)
        self._rested_at = clock.steady() + self.rest_s

    def reset(self) -> None:
        """Begin a new epoch: what was measured so far is written, and every line is new again."""
        with self._locked():
            self.flush()
            self.cutter.begin_epoch(clock.now())
        self._see_all_again()
        self.flush()

    def _see_all_again(self) -> None:
        if self.core == "sysmon":
            sys.monitoring.restart_events()  # type: ignore[attr-defined,unused-ignore]

    def _write(self, parts: list[segment.Part]) -> None:
        try:
            self.announce()
            self.segments += 1
            segment.write(self.folder, self.segments, parts)
        except OSError as error:
            self.trouble.unwritable(self.folder, error)
        else:
            self.cutter.written(parts)
            self.flushed_at = clock.now()
            self.trouble.writable()

    def finish(self) -> None:
        """Write the last segment, say that the process ends, and publish what a server has recorded."""
        self.pulse.stop()  # while the channel is there to wake its thread
        self.flush()
        with self._locked():
            if not self.segments:
                self.discard()
            self._close_channel()
            if self.record is not None:
                self.record = self.record._replace(ended=clock.now(), problem=self.trouble.latest)
                with self._reporting(self.folder):
                    records.write_record(self.folder, self.record)
        is_publisher = not self.is_fork or os.getppid() != self.parent
        if self.origin == "pipeline" and is_publisher and (self.segments or self.has_forked):
            with self._reporting(self.data_folder):
                publish_pipeline(self.data_folder, self.settings.relative_to)

    def discard(self) -> None:
        """Leave nothing behind: nothing was measured, or another recorder takes the process over."""
        self._close_channel()
        if self.record is not None:
            clean_up.remove_process(Path(self.folder))
            self.record = None

    def stop(self) -> None:
        """Stop to measure for good, without writing anything."""
        global _current  # noqa: PLW0603
        if _current is self:
            _current = None
        self.pulse.stop()
        self.cov.on_first_sight = None
        self.cov.stop()

    def release_parent(self) -> None:
        """Leave the inherited measurement behind, in a forked child: what it holds is the parent's."""
        global _current  # noqa: PLW0603
        _current = None
        if self.channel is not None:
            self.channel.forget()
        self.cov.on_first_sight = None
        self.cov.stop()

    def recorder_of_child(self) -> Recorder:
        """Make the recorder of a forked child: measured alike, for the same origin, in a folder of its own."""
        child = Recorder(self.settings, self.data_folder, self.origin, self.session)
        child.cutter.label = self.cutter.label
        child.is_fork, child.parent = True, self.pid  # who may have ended since the fork
        return child

    def resume(self) -> None:
        """Go on after an end that did not come, as when an exec fails."""
        if self.record is not None:
            self.record = None
            self.announce()
        self.pulse.start()

    def announce(self) -> None:
        """Make this process's folder and record, and open its control channel; again if somebody took them away.

        Raises:
            OSError: when the folder cannot be written.
        """
        folder_is_there = os.path.exists(self.folder)
        if self.record is not None and folder_is_there and not (self.channel and self.channel.is_lost):
            return
        with self._locked():
            working_folder.make_folder(self.data_folder, self.id)
            if self.channel is None or self.channel.is_lost:
                self._open_channel()
            record = records.describe_process(self.id, self.origin, self.session, self.settings._asdict())
            self.record = record._replace(
                started=self._started_at,
                core=self.core,
                core_reason=self.settings.core_reason,
                socket=self.channel.path if self.channel else "",
                problem=self.trouble.latest,
            )
            records.write_record(self.folder, self.record)

    def notice_load(self, path: str) -> None:
        """Notice that a source file is loaded, perhaps again and with another content."""
        if self.cutter.may_have_seen(path):
            with self._locked():
                self.cutter.source_reloaded(path)

    def _beat(self) -> float:
        """Do what is due each interval; return the seconds until the next one."""
        with self._reporting(self.folder):
            if Coverage.current() not in (self.cov, None):  # None: a test has stopped ours, by its fixture cov
                self.trouble.report("foreign-collector", "another coverage.py measures this process, this one does not")
            self.trouble.notice_debugger(self.core)
            if _identity_of("/") != self._root:
                raise PermissionError(0, "the process has changed its root")
            if clock.steady() >= self._rested_at:
                self.flush()
            if self.record is None:
                return self.settings.interval_s  # a process that runs no file of the source leaves nothing behind
            self.announce()
            with suppress(FileNotFoundError):  # taken away this moment: the next beat makes it anew
                os.utime(f"{self.folder}/{records.RECORD}")
        return max(self.settings.interval_s, min(self.rest_s, records.SILENCE_S / 3))  # while it rests, it lives

    def _meet(self, path: str) -> None:
        """Take the fingerprint of a source file that runs for the first time; be announced from then on."""
        with self._reporting(self.folder):
            self.cutter.meet(path)
            if self.record is None:
                self.announce()

    def _open_channel(self) -> None:
        try:
            self.channel = channel.Channel(f"{channel.socket_folder()}/{self.id}.sock", partial(answer, self))
        except OSError as error:
            self.trouble.latest = f"it cannot be asked while it runs: {error}"

    def _close_channel(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    @contextmanager
    def _reporting(self, folder: str) -> Iterator[None]:
        """Let nothing out: this runs in a thread of ours, inside an import of the application, or at its end."""
        try:
            yield
        except OSError as error:
            self.trouble.unwritable(folder, error)
        except Exception as error:  # noqa: BLE001
            self.trouble.report("recorder-disturbed", f"recording was disturbed: {type(error).__name__}: {error}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock, but never wait for ever in a process that is about to end."""
        held = self._lock.acquire(timeout=LOCK_WAIT_S)
        try:
            yield
        finally:
            if held:
                self._lock.release()


def _identity_of(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
