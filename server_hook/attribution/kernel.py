"""What the kernel tells of connections and processes; where it tells nothing, as on macOS, the answers are empty.

``/proc/net/tcp`` tells of connections as well, but is written anew for each reader, in milliseconds; ``sock_diag``
looks one connection up in the kernel's own table.
"""

from __future__ import annotations

# not the module socket, in which gevent and tests of the application replace things
import _socket
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing

from server_hook.clock import cpu

_NETLINK: int | None = getattr(_socket, "AF_NETLINK", None)
_PEER_CREDENTIALS: int | None = getattr(_socket, "SO_PEERCRED", None)
_SOCK_DIAG, _BY_FAMILY, _REQUEST, _TCP, _LISTENING = 4, 20, 1, 6, 10
_HEAD = struct.Struct("=IHHII")
"""A netlink message: its length, its type, flags, a number, and the sender."""
_QUESTION = struct.Struct("=BBBBI2s2s16s16sIQ")
"""Family, protocol, extensions, padding, states; ports and addresses of both ends, interface, cookie."""
_ANSWER = struct.Struct("=BBBB48sIIIII")
"""Family, state, timer, retransmissions; the connection; expiry, both queues, user and inode."""
_MAPPED = "::ffff:"
_MOST_ANCESTORS = 64
_MOST_BYTES = 1 << 18
"""How much of a process's environment is read."""


def is_address(host: str) -> bool:
    """Tell whether a text is an address, and not a name, which somebody would have to look up."""
    family, host = _family_of(host)
    try:
        _socket.inet_pton(family, host)
    except OSError:
        return False
    return True


def is_local(host: str) -> bool:
    """Tell whether an address is one of this machine's, in this network namespace.

    Raises:
        OSError: when this machine does not know addresses of its kind.
    """
    family, host = _family_of(host)
    with closing(_socket.socket(family, _socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def inode_of(end: tuple[str, int], other: tuple[str, int], interface: int = 0) -> int:
    """Return the number of the socket at one end of a TCP connection; 0 where it isn't open on this machine.

    Args:
        end: host and port of that socket.
        other: those of the other end.
        interface: the number of the network interface of a link-local connection; 0 for other ones.

    Raises:
        OSError: when the kernel cannot be asked.
    """
    if _NETLINK is None:
        raise OSError("no netlink here")
    (family, host), (_, other_host) = _family_of(end[0]), _family_of(other[0])
    ports = (struct.pack("!H", port) for port in (end[1], other[1]))
    hosts = (_socket.inet_pton(family, each) for each in (host, other_host))
    question = _QUESTION.pack(family, _TCP, 0, 0, 0xFFFFFFFF, *ports, *hosts, interface, (1 << 64) - 1)
    with closing(_socket.socket(_NETLINK, _socket.SOCK_DGRAM, _SOCK_DIAG)) as kernel:
        kernel.setblocking(False)  # noqa: FBT003 - the answer is there when send returns
        kernel.send(_HEAD.pack(_HEAD.size + len(question), _BY_FAMILY, _REQUEST, 1, 0) + question)
        message = kernel.recv(1024)
    if len(message) < _HEAD.size + _ANSWER.size or _HEAD.unpack_from(message)[1] != _BY_FAMILY:
        return 0
    answer = _ANSWER.unpack_from(message, _HEAD.size)
    return 0 if answer[1] == _LISTENING else int(answer[-1])  # a listener stands in for a connection that is gone


def _family_of(host: str) -> tuple[int, str]:
    """Return an address's family, and the address without what other families and interfaces add to it."""
    if host.lower().startswith(_MAPPED):
        host = host[len(_MAPPED) :]
    return (_socket.AF_INET6 if ":" in host else _socket.AF_INET), host.partition("%")[0]


def process_behind(connection: int) -> int:
    """Return the process that opened the other end of a connected Unix socket; 0 where that is not told.

    Args:
        connection: a descriptor of this end.

    Raises:
        OSError: when it is no socket.
    """
    if _PEER_CREDENTIALS is None:
        return 0
    with closing(_socket.socket(fileno=os.dup(connection))) as end:
        is_unix = end.family == _socket.AF_UNIX
        return int.from_bytes(end.getsockopt(_socket.SOL_SOCKET, _PEER_CREDENTIALS, 12)[:4], "little") if is_unix else 0


def holder_of(inode: int, roots: Iterable[int], limit_s: float) -> int:
    """Return which process has a socket open, among some processes and their descendants; 0 for none.

    Args:
        inode: the number of the socket.
        roots: the processes to begin with, in this order.
        limit_s: after how many seconds of CPU to give up.
    """
    until, link = cpu() + limit_s, f"socket:[{inode}]"
    for pid in _with_descendants(roots):
        if cpu() >= until:
            break
        folder = f"/proc/{pid}/fd"
        if any(_link(f"{folder}/{name}") == link for name in names_in(folder)):
            return pid
    return 0


def ancestors(pid: int) -> Iterator[int]:
    """Walk from a process to its parent and on, itself included."""
    for _ in range(_MOST_ANCESTORS):
        if pid <= 0:
            return
        yield pid
        # the name stands in brackets, and may hold brackets and blanks itself
        after_name = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        pid = int(after_name[1]) if len(after_name) > 1 else 0


def environment_of(pid: int) -> dict[bytes, bytes]:
    """Return the environment with which a process's program was started; empty where it cannot be read."""
    entries = (entry.partition(b"=") for entry in _read(f"/proc/{pid}/environ").split(b"\0"))
    return {name: value for name, _, value in entries if name}


def _with_descendants(roots: Iterable[int]) -> Iterator[int]:
    met: set[int] = set()
    waiting = list(roots)
    for pid in waiting:  # it grows meanwhile
        if pid not in met:
            met.add(pid)
            yield pid
            for task in names_in(f"/proc/{pid}/task"):
                waiting += map(int, _read(f"/proc/{pid}/task/{task}/children").split())


def names_in(folder: str) -> list[str]:
    """List a folder; empty where that is not possible."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _read(path: str) -> bytes:
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(number, _MOST_BYTES)
    except OSError:  # its process has ended meanwhile
        return b""
    finally:
        os.close(number)
