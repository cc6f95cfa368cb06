"""Where a process of this machine listens, and who listens at a port, as far as the system tells."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from collections.abc import Iterator

_LISTENS = "0A"
"""The kernel's TCP_LISTEN."""
_ANSWER_S = 5.0
"""How long a connection may take to be accepted."""


def listening_at(pid: int) -> list[str]:
    """List the TCP addresses at which a process listens, such as ``127.0.0.1:9099``; empty if unknown."""
    inodes = set(_socket_inodes(pid))
    addresses = [
        address
        for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6))
        for address, inode in _listeners(f"/proc/{pid}/net/{table}", family)  # of its own network namespace
        if inode in inodes
    ]
    return list(dict.fromkeys(addresses))


def listeners_at(port: int) -> dict[int, set[str]]:
    """Tell which processes listen at a TCP port: pid -> its addresses there.

    Empty if none does, or if it cannot be told: without /proc, and for processes of other users.
    """
    addresses = {
        inode: address
        for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6))
        for address, inode in _listeners(f"/proc/net/{table}", family)
        if address.endswith(f":{port}")
    }
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()] if addresses else []
    held = {pid: {addresses[inode] for inode in _socket_inodes(pid) if inode in addresses} for pid in pids}
    return {pid: own for pid, own in held.items() if own}


def is_taken(port: int) -> bool:
    """Tell whether somebody listens at a TCP port of this machine, without saying who."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), _ANSWER_S):
        return True
    return False


def _socket_inodes(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                link = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{number}"))
                if link:
                    yield link[1]


def _listeners(table: str, family: int) -> Iterator[tuple[str, str]]:
    """Read a kernel's table of sockets (proc_net_tcp(5)): local address, state and inode of each."""
    with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
        for row in [line.split() for line in file][1:]:
            if row[3] == _LISTENS:
                host, _, port = row[1].partition(":")
                words = struct.iter_unpack("=I", bytes.fromhex(host))  # the kernel prints each in the machine's order
                octets = b"".join(struct.pack(">I", word) for (word,) in words)
                name = socket.inet_ntop(family, octets)
                yield f"[{name}]:{int(port, 16)}" if ":" in name else f"{name}:{int(port, 16)}", row[9]
