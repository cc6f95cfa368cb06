"""The socket of a process that is gone: who is asked, what is removed, and what never is."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_hook.control import channel, client
from tests.unit.conftest import ended_pid


@pytest.fixture
def folder(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of this user's control sockets."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    return Path(channel.socket_folder())


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Give a socket that can listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        yield listener


def left_behind(path: Path) -> str:
    """Make the socket of a process that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ended:
        ended.bind(str(path))
    return str(path)


def test_where_nobody_listens_a_process_is_dead(folder: Path, listener: socket.socket) -> None:
    """A socket that refuses is of a dead process; one that listens, even with a full queue, is of one that lives."""
    assert client.is_dead(left_behind(folder / "7-ab.sock"), "7-ab", os.getuid())
    path = folder / "8-cd.sock"
    listener.bind(str(path))
    listener.listen(0)
    assert not client.is_dead(str(path), "8-cd", os.getuid())
    waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    for each in waiting:
        each.settimeout(0)
        each.connect_ex(str(path))
    assert not client.is_dead(str(path), "8-cd", os.getuid())
    for each in waiting:
        each.close()


def test_a_socket_of_another_name_or_owner_is_not_asked(folder: Path) -> None:
    """A record that leads to something else than the socket of its process says nothing of its life."""
    path = left_behind(folder / "7-ab.sock")
    assert not client.is_dead(path, "8-ab", os.getuid())
    assert not client.is_dead(path, "7-ab", os.getuid() + 1)
    assert not client.is_dead(str(folder / "9-none.sock"), "9-none", os.getuid())


@pytest.mark.parametrize(("older", "newer"), [("7-ab.sock", "7-cd.sock"), ("7-cd.sock", "7-ab.sock")])
def test_the_newest_socket_of_a_pid_is_that_of_the_process(folder: Path, older: str, newer: str) -> None:
    """A process that was killed has left its socket behind; the one that has its pid now is asked."""
    left_behind(folder / "77-zz.sock")
    os.utime(left_behind(folder / older), (1, 1))
    expected = left_behind(folder / newer)
    assert (client.socket_of(7), client.socket_of(8)) == (expected, "")


@pytest.mark.parametrize(("system", "is_kept"), [("linux", False), ("darwin", True)])
def test_a_refusal_may_be_of_a_full_queue(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    is_kept: bool,  # noqa: FBT001
) -> None:
    """Where a full queue refuses as well, the socket of a pid that lives is never removed; that of a dead one is."""
    monkeypatch.setattr(sys, "platform", system)
    path = left_behind(folder / f"{os.getpid()}-ab.sock")
    client.remove_dead(path)
    assert is_kept == os.path.exists(path)
    path = left_behind(folder / f"{ended_pid()}-ab.sock")
    client.remove_dead(path)
    assert not os.path.exists(path)


def test_what_killed_processes_left_is_removed(folder: Path, listener: socket.socket) -> None:
    """Sockets of dead pids go, whoever deleted their records; one of a live pid, one that answers, and files stay."""
    gone = ended_pid()
    left_behind(folder / f"{gone}-ab.sock")
    kept = {f"{os.getpid()}-ab.sock", f"{gone}-cd.sock", f"{gone}-ef.txt", "note.sock"}
    for name in kept - {f"{gone}-cd.sock"}:
        left_behind(folder / name)
    listener.bind(str(folder / f"{gone}-cd.sock"))  # of a process in another container
    listener.listen()
    client.remove_all_dead()
    assert set(os.listdir(folder)) == kept
