"""Who is at the other end of a connection: real sockets, real processes, and boards of made up test processes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server_hook.attribution import kernel, peers
from server_hook.attribution.peers import NOBODY, Peers, Witness
from server_hook.environment import CONTEXT_VARIABLE, ORIGIN_VARIABLE
from server_hook.store import records, working_folder
from server_hook.systems.systems import system
from tests.conftest import needs_proc
from tests.unit.attribution.conftest import Posting

TEST = "tests/test_chat.py::test_a|run"
CLIENT = """
import socket, sys
family, host, port = sys.argv[1:]
with socket.socket(int(family)) as client:
    client.connect((host, int(port)) if port else host)
    client.recv(1)
"""
NESTED = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', *sys.argv[1:]]))"
HOSTS = {"127.0.0.1": "127.0.0.1", "::1": "::1", "::": "127.0.0.1"}
"""Where a server listens, and what its client connects to."""


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Listen as a server does, for both families at ``::``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as listener:
        yield listener


@contextmanager
def connected(listener: socket.socket, host: str = "127.0.0.1", **environment: str) -> Iterator[socket.socket]:
    """Let a process connect that a child of this one has started; yield the server's end."""
    client_family = socket.AF_INET6 if ":" in host else listener.family if not host else socket.AF_INET
    name = listener.getsockname()
    address = [host, str(name[1])] if host else [name, ""]
    command = [sys.executable, "-c", NESTED, CLIENT, str(int(client_family)), *address]
    with subprocess.Popen(command, env={**os.environ, **environment}):
        server, _ = listener.accept()
        with server:
            yield server


def asked(clients: Peers, server: socket.socket) -> Witness:
    """Ask who is at the other end of a connection."""
    return clients.test_of(server.getsockname(), server.getpeername())


@needs_proc
@pytest.mark.parametrize("host", HOSTS)
def test_a_descendant_of_a_test_process_is_its_tests(posting: Posting, host: str) -> None:
    """A grandchild's connection is of the test that the board shows, over IPv4, IPv6 and from one to the other."""
    board, clients = posting.board(TEST), Peers([str(posting.folder)])
    with listening(host) as listener, connected(listener, HOSTS[host]) as server:
        assert asked(clients, server) == Witness(TEST, "process")
        board.show("tests/test_chat.py::test_b|run")  # a browser that serves all tests
        assert asked(clients, server) == Witness("tests/test_chat.py::test_b|run", "process")
        board.show("")
        assert asked(clients, server) == NOBODY


@needs_proc
def test_the_test_process_itself_is_its_tests(posting: Posting) -> None:
    """A raw socket of the test process is of the test that runs."""
    posting.board(TEST)
    clients = Peers([str(posting.folder)])
    with listening() as listener, socket.create_connection(listener.getsockname()):
        server, _ = listener.accept()
        with server:
            assert asked(clients, server) == Witness(TEST, "process")


def test_a_stranger_is_nobody_although_one_test_runs(posting: Posting) -> None:
    """A process on this machine that no test process has started is nobody's."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        posting.board(TEST, pid=other.pid)
        clients = Peers([str(posting.folder)])
        with listening() as listener, connected(listener) as server:
            assert asked(clients, server) == asked(clients, server) == NOBODY
        other.communicate(b"\n")


def test_several_tests_are_counted(posting: Posting) -> None:
    """What is nobody's while two tests ran is marked as such."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        for test in (TEST, "t.py::b|run"):
            posting.board(test, pid=other.pid)
        with listening() as listener, connected(listener) as server:
            assert asked(Peers([str(posting.folder)]), server) == Witness(several=True)
        other.communicate(b"\n")


@needs_proc
def test_a_unix_socket_tells_its_process(posting: Posting, tmp_path: Path) -> None:
    """A connection over a Unix socket is looked up by its descriptor."""
    posting.board(TEST)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with connected(listener, "") as server:
            assert Peers([str(posting.folder)]).test_of(None, server.fileno()) == Witness(TEST, "process")
            server.getsockname()  # still open


@needs_proc
@pytest.mark.parametrize(("started", "expected"), [
    ("tests/test_chat.py::test_a|run", TEST),
    ("tests/test_chat.py::test_before|run", ""),
    ("tests/test_chat.py::test_before|setup", TEST),
])  # fmt: skip
def test_a_client_that_outlives_its_test(posting: Posting, started: str, expected: str) -> None:
    """What a test's call has started works for no later test; what a set-up has started may be a fixture for many."""
    posting.board(TEST)
    with listening() as listener, connected(listener, **{CONTEXT_VARIABLE: started}) as server:
        assert asked(Peers([str(posting.folder)]), server).test == expected


def test_a_pipeline_that_the_session_has_started_is_no_client_of_a_test(posting: Posting) -> None:
    """A server asks for whoever asks it, so it is nobody's, though a descendant of the test process."""
    posting.board(TEST)
    with listening() as listener, connected(listener, **{ORIGIN_VARIABLE: "pipeline"}) as server:
        assert asked(Peers([str(posting.folder)]), server) == NOBODY


@needs_proc
def test_a_descendant_that_is_recorded_as_a_pipeline_is_no_client(posting: Posting) -> None:
    """The record tells of a pipeline, too, where the environment does not: ``server_command``."""
    posting.board(TEST)
    clients = Peers([str(posting.folder)])
    with listening() as listener, connected(listener) as server:
        assert asked(clients, server).test == TEST
        inode = kernel.inode_of(server.getpeername(), server.getsockname())
        pid = kernel.holder_of(inode, [os.getpid()], 60)
        folder = working_folder.make_folder(str(posting.folder), f"{pid}-0")
        record = records.describe_process(f"{pid}-0", "pipeline", "", {})
        records.write_record(folder, record._replace(pid=pid, ticks=system.start_of(pid)))
        assert asked(Peers([str(posting.folder)]), server) == NOBODY


@needs_proc
def test_a_session_inside_a_test_has_its_own_board(posting: Posting) -> None:
    """The nearest test process decides, also while it runs no test."""
    posting.board(TEST)
    with listening() as listener, connected(listener) as server:
        inode = kernel.inode_of(server.getpeername(), server.getsockname())
        inner = posting.board("inner.py::test|run", pid=kernel.holder_of(inode, [os.getpid()], 60))
        assert asked(Peers([str(posting.folder)]), server).test == "inner.py::test|run"
        inner.show("")
        assert asked(Peers([str(posting.folder)]), server) == NOBODY


@needs_proc
def test_ports_that_are_used_again(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection between the same ports is looked up anew."""
    monkeypatch.setattr(peers, "SURE_S", 0.0)
    posting.board(TEST)
    clients = Peers([str(posting.folder)])
    with listening() as listener:
        with connected(listener) as server:
            ends = server.getsockname(), server.getpeername()
            assert clients.test_of(*ends).test == TEST
        assert clients.test_of(*ends) == NOBODY  # closed


def test_a_client_on_another_machine_is_the_only_tests(posting: Posting) -> None:
    """A client that cannot be looked up is that of the only test that runs, and nobody's while several do."""
    clients = Peers([str(posting.folder)])
    ends = ("192.0.2.1", 80), ("192.0.2.7", 40000)
    assert clients.test_of(*ends) == NOBODY
    posting.board(TEST)
    clients = Peers([str(posting.folder)])
    assert clients.test_of(*ends) == Witness(TEST, "only test")
    posting.board("t.py::b|run")
    assert Peers([str(posting.folder)]).test_of(*ends) == Witness(several=True)


@pytest.mark.parametrize("peer", [("10.1.2.3", 0), ("testclient", 50000), ("a.name.example", 80), ("", 0), None])
def test_what_is_no_address_is_nobody(posting: Posting, peer: peers.Address | None) -> None:
    """What a proxy or a test client has put in the place of an address tells nothing."""
    posting.board(TEST)
    assert Peers([str(posting.folder)]).test_of(("127.0.0.1", 80), peer) == NOBODY


def test_where_the_kernel_tells_nothing(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without netlink, or with a filter of system calls, a client on this machine is nobody's."""
    posting.board(TEST)
    with listening() as listener, connected(listener) as server:
        monkeypatch.setattr(kernel, "_NETLINK", None)
        assert asked(Peers([str(posting.folder)]), server) == NOBODY


def test_a_search_has_an_end(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes too long finds nobody."""
    posting.board(TEST)
    monkeypatch.setattr(peers, "SEARCH_S", 0.0)
    with listening() as listener, connected(listener) as server:
        assert asked(Peers([str(posting.folder)]), server) == NOBODY


@needs_proc
def test_a_connection_is_looked_up_once(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests that follow on a connection need neither the kernel nor a search."""
    monkeypatch.setattr(peers, "SURE_S", 1e9)
    posting.board(TEST)
    clients = Peers([str(posting.folder)])
    with listening() as listener, connected(listener) as server:
        assert asked(clients, server).test == TEST
        monkeypatch.setattr(kernel, "inode_of", None)
        assert asked(clients, server).test == TEST


@needs_proc
@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_tools_that_know_nothing_of_tests(posting: Posting, tool: str) -> None:
    """A request of a tool in any language is found by its process."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    posting.board(TEST)
    with listening() as listener, subprocess.Popen([tool, f"http://127.0.0.1:{listener.getsockname()[1]}/"]) as process:
        server, _ = listener.accept()
        try:
            with server:
                assert asked(Peers([str(posting.folder)]), server) == Witness(TEST, "process")
        finally:
            process.kill()  # it would try again, for as long as the listener is open
