"""The witness for a request that names no test: the process at the other end of its connection, and that one's board.

In this order. A client on this machine is a test's if it is the test process or a descendant of it: curl, a browser, a
shell script. A descendant that is recorded as a pipeline serves many, and is not asked on behalf of one. A client on
another machine or in another container cannot be seen: it is taken for that of the only test that runs. All else is
nobody's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TypeAlias

from server_hook.attribution import kernel
from server_hook.attribution.boards import UNNAMED, Boards, Posted, name_of
from server_hook.clock import steady
from server_hook.environment import CONTEXT_VARIABLE, ORIGIN_VARIABLE
from server_hook.rows import Row
from server_hook.store import records
from server_hook.store.working_folder import WORKING_FOLDER

SEARCH_S = 0.25
"""How many seconds of CPU a search for the process may take; after that, the connection is nobody's.

A search takes a fraction of a millisecond beside a test process alone, and tens of them beside a browser.
"""
SURE_S = 0.1
"""For how many seconds a connection counts as the one it was; its ports may be another's after that."""
MOST_CONNECTIONS = 4096

Address: TypeAlias = tuple[str | int, ...]
"""Host and port, as sockets give them."""


class Witness(Row):
    """Whose a request is."""

    test: str = ""
    """Name and phase of the test; empty for nobody's."""
    how: str = ""
    """How that was found out: "process" or "only test"."""
    several: bool = False
    """Whether the request is nobody's while more than one test ran."""


NOBODY = Witness()


class _Client(Row):
    """What is at the other end of a connection."""

    inode: int
    board: Posted | None
    """That of the test process it belongs to; None for a stranger."""
    bound_to: str
    """The test whose call started the client, without the phase; it works for no other. Empty for one that may."""
    seen_at: float


class Peers:
    """The clients of one process."""

    def __init__(self, data_folders: list[str]) -> None:
        """Look at nothing yet.

        Args:
            data_folders: where boards may be: the data folders of this process and of the sessions.
        """
        self.boards = Boards(data_folders)
        self._data_folders = data_folders
        self._clients: dict[tuple[Address | None, Address | int], _Client] = {}
        self._hosts: dict[str, bool] = {}

    def test_of(self, local: Address | None, peer: Address | int | None) -> Witness:
        """Return the test whose client sends a request.

        Args:
            local: this end of the connection.
            peer: the other end; for a Unix socket, the descriptor of this end. None where neither is to be had.

        Raises:
            ValueError: when an address is not one.
            OSError: when it isn't of a kind that this machine knows.
        """
        boards = self.boards.posted()
        if not boards or peer is None:
            return NOBODY
        if isinstance(peer, tuple) and self._is_elsewhere(peer):
            tests = self.boards.running(most=2)
            if len(tests) == 1 and tests[0] != UNNAMED:
                return Witness(tests[0], "only test")
            return Witness(several=len(tests) > 1)
        client = self._client(local, peer, boards)
        test = client.board.test() if client is not None and client.board is not None else ""
        if client is not None and test not in ("", UNNAMED) and client.bound_to in ("", name_of(test)):
            return Witness(test, "process")
        return Witness(several=self.boards.are_several())

    def _is_elsewhere(self, peer: Address) -> bool:
        """Tell whether the other end is on another machine or in another container."""
        host, port = str(peer[0]), peer[1]
        if not port or not kernel.is_address(host):  # what a proxy has said of somebody behind it
            return False
        if host not in self._hosts:
            if len(self._hosts) >= MOST_CONNECTIONS:
                self._hosts.clear()
            self._hosts[host] = kernel.is_local(host)
        return not self._hosts[host]

    def _client(self, local: Address | None, peer: Address | int, boards: list[Posted]) -> _Client | None:
        """Return who is at the other end, from memory while that is sure; None while no test runs."""
        client = self._clients.get((local, peer))
        if client is not None and steady() - client.seen_at < SURE_S:
            return client
        running = [] if client is not None else [board for board in boards if board.test()]
        if client is None and not running:
            return None
        inode, pid = self._look_up(local, peer)
        if client is not None and inode and client.inode == inode:
            client = client._replace(seen_at=steady())
        else:
            client = self._find(inode, pid, [*running, *boards])
        if len(self._clients) >= MOST_CONNECTIONS:
            self._clients.clear()
        if isinstance(peer, tuple):
            self._clients[local, peer] = client
        return client

    def _look_up(self, local: Address | None, peer: Address | int) -> tuple[int, int]:
        """Return the number of the socket at the other end, or its process where that is told at once."""
        if isinstance(peer, int):
            return 0, kernel.process_behind(peer)
        if local is None or not peer[1]:
            return 0, 0
        with contextlib.suppress(OSError):  # the kernel cannot be asked: macOS, a filter of system calls
            ends = [(str(end[0]), int(end[1])) for end in (peer, local)]
            return kernel.inode_of(ends[0], ends[1], int(peer[3]) if len(peer) > 3 else 0), 0  # noqa: PLR2004
        return 0, 0

    def _find(self, inode: int, pid: int, boards: list[Posted]) -> _Client:
        """Find the process that has a socket, and the test process that it is or comes from."""
        stranger = _Client(inode, None, "", steady())
        by_pid = {board.pid: board for board in boards if board.life() == "live"}  # a pid means nothing elsewhere
        if inode and not pid:
            pid = kernel.holder_of(inode, by_pid, SEARCH_S)
        bound_to = ""
        for each in kernel.ancestors(pid):
            if each in by_pid:
                return _Client(inode, by_pid[each], bound_to, steady())
            environment = kernel.environment_of(each)
            if environment.get(ORIGIN_VARIABLE.encode()) == b"pipeline" or self._is_pipeline(each):
                return stranger
            bound_to = bound_to or _bound_to(environment.get(CONTEXT_VARIABLE.encode(), b""))
        return stranger

    def _is_pipeline(self, pid: int) -> bool:
        """Tell whether a process is recorded as a pipeline, or is this one."""
        if pid == os.getpid():
            return True
        for folder in self._data_folders:
            working = os.path.join(folder, WORKING_FOLDER)
            names = kernel.names_in(working)
            for path in (Path(working, name) for name in names if name.startswith(f"{pid}-")):
                record = records.read_record(path)
                if record is not None and record.origin == "pipeline" and records.is_alive(path, record):
                    return True
        return False


def _bound_to(context: bytes) -> str:
    """Return the one test that a process can work for, by the phase in which it was started.

    What a test's call starts is that test's. What is started in a set-up may be a fixture for many tests: a browser.
    """
    test = context.decode("utf-8", "replace")
    return name_of(test) if test.endswith("|run") else ""
