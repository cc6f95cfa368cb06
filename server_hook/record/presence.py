"""How others find this process: its folder, its record with the heartbeat, and its control channel."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from server_hook import clock
from server_hook.config.settings import Settings
from server_hook.control.channel import CAN_LISTEN, Answerer, Channel, socket_folder
from server_hook.problems import Problems
from server_hook.store import clean_up, records, working_folder


class Presence:
    """One process as it can be seen from outside; nothing is there before it is announced.

    Its folder is named after its id, and so is its socket. Any of it may be deleted at any moment; the next
    announcement makes it anew.
    """

    def __init__(
        self, data_folder: str, name: str, session: str | None, problems: Problems, answerer: Answerer | None = None
    ) -> None:
        """Prepare to be found.

        Args:
            data_folder: the folder that holds, or will hold, ``.vmpilot-cov``.
            name: what its id ends with, if anything; its folder and its socket are called by the id.
            session: the id of the test session that it belongs to, empty for none; None makes it a session itself.
            problems: what the record says is wrong.
            answerer: answers what comes in on the control channel; without one there is no channel.
        """
        self.id = "-".join(filter(None, (str(os.getpid()), os.urandom(4).hex(), name)))
        self.session = self.id if session is None else session
        self.folder = os.path.join(data_folder, working_folder.WORKING_FOLDER, self.id)
        self.answerer = answerer
        self.record: records.Record | None = None
        self.channel: Channel | None = None
        self._data_folder = data_folder
        self._problems = problems
        self._started_at = clock.now()
        self._root = _identity_of("/")

    def of_child(self) -> Presence:
        """Return that of a child that was forked outside Python, and close what it has inherited."""
        self.forget()
        return Presence(self._data_folder, "", self.session, self._problems, self.answerer)

    @property
    def is_complete(self) -> bool:
        """Whether the folder and the record were made and, like the channel, are still there."""
        channel_is_lost = self.channel is not None and self.channel.is_lost
        return self.record is not None and not channel_is_lost and not self.is_deleted

    @property
    def is_deleted(self) -> bool:
        """Whether the folder, with all that was written, was there and is gone."""
        return self.record is not None and not os.path.exists(self.folder)

    def announce(self, origin: str, core: str, settings: Settings) -> None:
        """Make the folder, open the control channel, and write the record.

        Raises:
            PermissionError: when the process has changed its root folder.
            OSError: when the folder cannot be written.
        """
        if _identity_of("/") != self._root:  # chroot: the same path leads elsewhere
            raise PermissionError(0, "the process has changed its root")
        working_folder.make_folder(self._data_folder, self.id)
        self.listen()  # first: the record names the socket
        record = records.describe_process(self.id, origin, self.session, settings._asdict())
        self.record = record._replace(
            started=self._started_at,
            core=core,
            place=self.folder,
            core_reason=settings.core_reason,
            socket=self.channel.path if self.channel else "",
            problem=self._problems.latest,
        )
        records.write_record(self.folder, self.record)

    def beat(self) -> None:
        """Give the sign of life that others judge by: the time stamp of the record."""
        with contextlib.suppress(FileNotFoundError):  # taken away this moment: the next beat makes it anew
            os.utime(f"{self.folder}/{records.RECORD}")

    def end(self, **account: Any) -> None:  # noqa: ANN401 - a field's value
        """Close the channel, and say in the record that the process ends, and what else is to be said of it.

        Raises:
            OSError: when the folder cannot be written.
        """
        self._close_channel()
        if self.record is not None:
            self.record = self.record._replace(ended=clock.now(), problem=self._problems.latest, **account)
            records.write_record(self.folder, self.record)

    def remove(self) -> None:
        """Leave nothing behind: nothing was measured, or another recorder takes the process over."""
        self._close_channel()
        if self.record is not None:
            self.record = None  # end() has nothing to write then
            clean_up.remove_process(Path(self.folder))

    def forget(self) -> None:
        """Close the descriptors alone, in a forked child: the socket's name and the folder are the parent's."""
        if self.channel is not None:
            self.channel.forget()

    def listen(self) -> None:
        """Open the control channel, unless it is open; a process that has nothing to show can be asked all the same."""
        if self.answerer is None or not CAN_LISTEN or not (self.channel is None or self.channel.is_lost):
            return
        try:
            self.channel = Channel(f"{socket_folder()}/{self.id}.sock", self.answerer)
        except OSError as error:
            self._problems.latest = f"it cannot be asked while it runs: {error}"

    def _close_channel(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None


def _identity_of(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
