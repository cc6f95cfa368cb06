from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from server_hook.control import channel as channel_
from server_hook.control.channel import Channel
from tests.conftest import needs_proc


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Give a list of sockets that are closed at the end."""
    made: list[socket.socket] = []
    yield made
    for each in made:
        each.close()


@pytest.fixture
def client_of(sockets: list[socket.socket]) -> Callable[[str], socket.socket]:
    """Give a function that connects to a socket's name."""

    def connect(path: str) -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sockets.append(client)
        client.settimeout(0)
        client.connect(path)
        return client

    return connect


@pytest.fixture
def listener(short_folder: Path, sockets: list[socket.socket]) -> socket.socket:
    """Give the listening socket of an application."""
    application = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sockets.append(application)
    application.settimeout(0)
    application.bind(str(short_folder / "application.sock"))
    application.listen()
    return application


def open_channel(folder: Path) -> Channel:
    """Open a channel that answers nothing of interest."""
    return Channel(str(folder / "c.sock"), lambda _do, _request: {})


def number_of(channel: Channel) -> int:
    """Return the descriptor that a channel listens with."""
    assert channel._listener is not None
    return channel._listener.fileno()


def take_number(owner: socket.socket, number: int) -> socket.socket:
    """Do as an application that closes descriptors that are not its own, and is given their numbers for its own."""
    os.dup2(owner.fileno(), number)
    return socket.socket(fileno=number)


def is_open(owner: socket.socket) -> bool:
    """Tell whether the descriptor of a socket is open and still is a listening socket."""
    try:
        return bool(owner.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


def test_a_descriptor_that_was_closed_is_forgotten(short_folder: Path) -> None:
    """A channel whose descriptor the application has closed serves nobody and closes without an error."""
    channel = open_channel(short_folder)
    os.close(number_of(channel))
    channel.serve(0)
    assert channel.is_lost
    channel.close()


def test_a_descriptor_of_another_owner_is_never_touched(
    short_folder: Path,
    listener: socket.socket,
    sockets: list[socket.socket],
    client_of: Callable[[str], socket.socket],
) -> None:
    """A channel whose descriptor is the application's now takes none of its connections and leaves it open."""
    channel = open_channel(short_folder)
    owner = take_number(listener, number_of(channel))
    sockets.append(owner)
    client_of(listener.getsockname())
    channel.serve(0)
    assert channel.is_lost
    sockets.append(owner.accept()[0])  # it is still there to be accepted
    channel.close()
    assert is_open(owner)


@pytest.mark.parametrize("end", [Channel.close, Channel.forget])
def test_ending_leaves_another_owner_alone(
    short_folder: Path, listener: socket.socket, sockets: list[socket.socket], end: Callable[[Channel], None]
) -> None:
    """A channel that ends does not close a descriptor that has become somebody else's."""
    channel = open_channel(short_folder)
    owner = take_number(listener, number_of(channel))
    sockets.append(owner)
    end(channel)
    assert is_open(owner)


def test_connections_of_a_lost_channel_are_let_go(
    short_folder: Path,
    listener: socket.socket,
    sockets: list[socket.socket],
    client_of: Callable[[str], socket.socket],
) -> None:
    """With its own descriptor a channel lets its connections go: ours are closed, another owner's are not."""
    channel = open_channel(short_folder)
    kept, lost = client_of(channel.path), client_of(channel.path)
    channel.serve(0)
    channel.serve(0)
    first, second = channel._connections
    owners = [take_number(listener, number) for number in (number_of(channel), second)]
    sockets += [*owners, lost]
    channel.serve(0)
    expected = b""
    assert expected == kept.recv(1)
    assert [is_open(owner) for owner in owners] == [True, True]
    assert first not in channel._connections


def test_a_connection_of_another_owner_is_never_read(
    short_folder: Path, sockets: list[socket.socket], client_of: Callable[[str], socket.socket]
) -> None:
    """A connection whose descriptor is the application's now is not read: what comes in there is not ours."""
    channel = open_channel(short_folder)
    client_of(channel.path)
    channel.serve(0)
    (number,) = channel._connections
    ours, theirs = socket.socketpair()
    sockets += [ours, theirs, take_number(ours, number)]
    theirs.sendall(b"for the application\n")
    channel.serve(0)
    ours.settimeout(0)
    expected = b"for the application\n"
    try:
        assert expected == ours.recv(100)
    finally:
        channel.close()


def test_a_closed_channel_takes_its_name_away(short_folder: Path) -> None:
    """After the end nothing is left in the folder, and closing again does nothing."""
    channel = open_channel(short_folder)
    channel.close()
    channel.close()
    assert not list(short_folder.iterdir())


def test_a_forked_child_leaves_the_name_to_its_parent(short_folder: Path) -> None:
    """Forgetting a channel closes its descriptor and leaves its name."""
    channel = open_channel(short_folder)
    number = number_of(channel)
    channel.forget()
    assert [short_folder / "c.sock"] == list(short_folder.iterdir())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_closed_channel_ends_its_connections(short_folder: Path, client_of: Callable[[str], socket.socket]) -> None:
    """Who has connected and was not answered yet learns at once that the process ends."""
    channel = open_channel(short_folder)
    client = client_of(channel.path)
    channel.serve(0)
    channel.close()
    expected = b""
    assert expected == client.recv(1)


@needs_proc
@pytest.mark.parametrize("name", ["x" * 120, "missing/c.sock", "taken.sock"])
def test_a_channel_that_cannot_listen_leaves_nothing_open(short_folder: Path, name: str) -> None:
    """Where nothing can listen the channel is refused, and its descriptor is closed."""
    (short_folder / "taken.sock").touch()
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=r"too long|No such file|in use"):
        Channel(str(short_folder / name), lambda _do, _request: {})
    assert before == os.listdir("/proc/self/fd")


@pytest.fixture
def runtime_folder(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that control sockets of this user lie in, not made yet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    return short_folder / f"vmpilot-cov-{os.getuid()}"


def test_the_socket_folder_is_for_this_user_alone(runtime_folder: Path) -> None:
    """The folder of control sockets is made so that nobody else may enter it, and used again."""
    assert str(runtime_folder) == channel_.socket_folder() == channel_.socket_folder()
    expected = 0o700
    assert expected == runtime_folder.stat().st_mode & 0o777


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777, 0o710, 0o701])
def test_a_socket_folder_that_others_may_enter_is_refused(runtime_folder: Path, mode: int) -> None:
    """A folder that others may enter is not used: whoever can reach a socket can ask."""
    runtime_folder.mkdir()
    runtime_folder.chmod(mode)
    expected = f"{runtime_folder} is not a folder that only this user may enter"
    with pytest.raises(PermissionError) as caught:
        channel_.socket_folder()
    assert expected == str(caught.value)


def test_a_socket_folder_of_somebody_else_is_refused(runtime_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that belongs to somebody else is not used, even if only its owner may enter it."""
    another = os.getuid() + 1
    runtime_folder.with_name(f"vmpilot-cov-{another}").mkdir(mode=0o700)
    monkeypatch.setattr(channel_, "os", SimpleNamespace(**{**vars(os), "getuid": lambda: another}))
    with pytest.raises(PermissionError, match=f"vmpilot-cov-{another} is not a folder"):
        channel_.socket_folder()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_socket_folder_that_is_none_is_refused(runtime_folder: Path, kind: str) -> None:
    """A link or a file in the folder's place is refused: somebody else may have put it there."""
    if kind == "link":
        (runtime_folder.parent / "elsewhere").mkdir(mode=0o700)
        runtime_folder.symlink_to("elsewhere")
    else:
        runtime_folder.touch(0o600)
    with pytest.raises(PermissionError):
        channel_.socket_folder()


def test_the_socket_folder_follows_tmpdir(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a runtime folder the sockets lie in the folder for temporary files."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(short_folder))
    assert f"{short_folder}/vmpilot-cov-{os.getuid()}" == channel_.socket_folder()


@pytest.mark.parametrize("odd", ["/nowhere/at/all", "/tmp/" + "x" * 60])
def test_a_base_that_cannot_be_used_is_passed_over(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """Where the runtime folder is missing or too long for a socket's name, /tmp is taken."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", odd)
    assert f"/tmp/vmpilot-cov-{os.getuid()}" == channel_.socket_folder()


def test_the_socket_folder_is_absolute(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a control socket holds in every working folder, whatever the environment says."""
    monkeypatch.chdir(short_folder)
    monkeypatch.setenv("XDG_RUNTIME_DIR", ".")
    assert os.path.isabs(channel_.socket_folder())
