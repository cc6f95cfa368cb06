from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_vmpilot_cov.collect import ask
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from server_hook.control import client
from server_hook.control.channel import Answer, Channel
from server_hook.store import records
from server_hook.store.records import Record
from server_hook.store.segment import Source, bitmap
from tests.unit.conftest import a_part, recorded, some_options

ANSWER = Answer("1-a", 1)


def live(identifier: str, **changes: str) -> Record:
    """Make the record of a pipeline server that lives: the process that has started this one stands in for it."""
    plain = records.describe_process(identifier, "pipeline", "", {})
    return plain._replace(pid=os.getppid(), ticks=0, **changes)  # type: ignore[arg-type]  # only texts are changed


def socket_in(folder: Path, identifier: str) -> str:
    """Return where the control socket of one of this user's processes lies below a folder."""
    around = folder / f"vmpilot-cov-{os.getuid()}"
    around.mkdir(mode=0o700, exist_ok=True)
    return str(around / f"{identifier}.sock")


@contextmanager
def answering(path: str, answer: Answer | Exception) -> Iterator[list[tuple[str, bool]]]:
    """Answer at a control socket from another thread; note what was asked."""
    asked: list[tuple[str, bool]] = []

    def note(do: str, _request: object) -> Answer:
        asked.append((do, True))
        if isinstance(answer, Exception):
            raise answer
        return answer

    channel = Channel(path, note)
    done: list[bool] = []

    def serve() -> None:
        while not done:
            channel.serve(60)

    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve)
        try:
            yield asked
        finally:
            done.append(True)
            channel.wake()
            serving.result()
            for _ in range(3):  # what is left of the waking
                channel.serve(0)
            channel.close()


@pytest.mark.parametrize("problem", ["", "the disk is full"])
def test_a_live_process_is_asked_for_a_dump(tmp_path: Path, short_folder: Path, problem: str) -> None:
    """A live process is asked for its data, and what it says is wrong is kept."""
    path = socket_in(short_folder, "1-a")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, Answer("1-a", 1, problem=problem)) as asked:
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    assert ([("dump", True)], True, True, problem) == (asked, delivery.asked, delivery.answered, delivery.problem)


def test_a_process_may_fail_to_dump(tmp_path: Path, short_folder: Path) -> None:
    """A process that answers with an error has not delivered, and its reason is kept."""
    path = socket_in(short_folder, "1-a")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, OSError("no")):
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    expected = (False, "OSError: no")
    assert expected == (delivery.answered, delivery.problem)


def test_only_the_announced_process_is_believed(tmp_path: Path, short_folder: Path) -> None:
    """An answer of another process at the same address is none."""
    path = socket_in(short_folder, "1-a")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, Answer("2-b", 22)):
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    expected = (False, "process 22 answered in its place")
    assert expected == (delivery.answered, delivery.problem)


def test_nobody_is_asked_where_asking_is_off(tmp_path: Path, short_folder: Path) -> None:
    """A report on what lies there disturbs no server."""
    path = socket_in(short_folder, "1-a")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, Answer("1-a", 1)) as asked:
        (delivery,) = collect(some_options(tmp_path), Scope(ask=False)).deliveries
    assert (asked, delivery.life, delivery.answered) == ([], "live", False)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (live("1-a"), "it has no control channel"),
        (live("1-a")._replace(problem="it cannot be asked: no room"), "it cannot be asked: no room"),
        (live("1-a", socket="/nowhere/c.sock"), "its control channel failed (No such file or directory)"),
        (live("1-a", host="another"), "it runs on another host or in another pid namespace and cannot be asked"),
        (live("1-a")._replace(pid=os.getpid()), ""),
        (live("1-a")._replace(ended=1.0), ""),
    ],
    ids=["no channel", "its own words", "gone", "elsewhere", "this process", "ended"],
)
def test_who_cannot_be_asked_is_noted(tmp_path: Path, record: Record, expected: str) -> None:
    """Why a process did not deliver is noted; this process and those that have ended are not asked at all."""
    recorded(tmp_path, record)
    (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    assert (False, expected) == (delivery.answered, delivery.problem)


def test_who_is_silent_is_not_waited_for(tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not answer in time is noted, and what it wrote before counts."""
    monkeypatch.setattr(ask, "WAIT_S", 0.05)
    channel = Channel(socket_in(short_folder, "1-a"), lambda _do, _request: ANSWER)
    recorded(tmp_path, live("1-a", socket=channel.path), a_part("pipeline", {Source("/app/main.py"): bitmap([1])}))
    (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    channel.close()
    expected = (False, "no answer within 0.05 s", True)
    assert expected == (delivery.answered, delivery.problem, delivery.executed)


def test_nobody_waits_behind_others_who_are_silent(
    tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process is asked at once, however many others there are that do not answer."""
    monkeypatch.setattr(ask, "WAIT_S", 5.0)
    silent = [Channel(socket_in(short_folder, f"1-{number:02}"), lambda _do, _request: ANSWER) for number in range(40)]
    for channel in silent:
        recorded(tmp_path, live(Path(channel.path).stem, socket=channel.path))
    path = socket_in(short_folder, "2-b")
    recorded(tmp_path, live("2-b", socket=path))
    with answering(path, Answer("2-b", 1)):
        deliveries = collect(some_options(tmp_path), Scope()).deliveries
    for channel in silent:
        channel.close()
    assert [each.record.id for each in deliveries if each.answered] == ["2-b"]


Lie = Callable[[Path], str]


def a_link(folder: Path) -> str:
    """Lead to a socket of this user by a link."""
    path = socket_in(folder, "1-a")
    os.symlink(folder / "bait", path)
    return path


def another_name(folder: Path) -> str:
    """Name the socket of another process."""
    path = socket_in(folder, "2-b")
    os.link(folder / "bait", path)
    return path


def a_public_folder(folder: Path) -> str:
    """Name a socket in a folder that others may enter."""
    path = socket_in(folder, "1-a")
    os.link(folder / "bait", path)
    Path(path).parent.chmod(0o755)
    return path


def another_folder(folder: Path) -> str:
    """Name a socket that is no control socket."""
    return str(folder / "bait")


def a_linked_folder(folder: Path) -> str:
    """Name a socket in a folder that a link leads to."""
    (folder / "private").mkdir(mode=0o700)
    os.link(folder / "bait", folder / "private/1-a.sock")
    (folder / f"vmpilot-cov-{os.getuid()}").symlink_to("private")
    return str(folder / f"vmpilot-cov-{os.getuid()}/1-a.sock")


def no_file(_folder: Path) -> str:
    """Name a socket outside the file system."""
    return "\0vmpilot-cov"


def far_away(folder: Path) -> str:
    """Name a socket relative to the working folder."""
    path = socket_in(folder, "1-a")
    os.link(folder / "bait", path)
    return os.path.relpath(path, folder)


LIES = [a_link, another_name, a_public_folder, another_folder, a_linked_folder, no_file, far_away]


@pytest.mark.parametrize("lie", LIES)
def test_a_record_makes_nobody_connect_elsewhere(
    tmp_path: Path, short_folder: Path, lie: Lie, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a socket that its process itself can have made is connected to; any other one is named and left alone."""
    monkeypatch.chdir(short_folder)
    with socket.socket(socket.AF_UNIX) as bait:
        bait.bind(str(short_folder / "bait"))
        bait.listen()
        bait.settimeout(0)
        recorded(tmp_path, live("1-a", socket=lie(short_folder)))
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
        assert delivery.problem.endswith("is not the control socket of this process")
        with pytest.raises(BlockingIOError):
            bait.accept()


def test_an_answer_of_another_user_is_none(tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers has to be the user whose record it is."""
    path = socket_in(short_folder, "1-a")
    recorded(tmp_path, live("1-a", socket=path))
    monkeypatch.setattr(client, "why_not_asked", lambda *_: "")
    monkeypatch.setattr(records, "owner_of", lambda _: os.getuid() + 1)
    with answering(path, ANSWER) as asked:
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    assert ([], f"user {os.getuid()} answers in its place") == (asked, delivery.problem)


STRANGE = {
    "deep": b"[" * 200_000 + b"\n",
    "no number": b'{"ok":NaN,"id":Infinity}\n',
    "a list": b'[["ok",1],["id","1-a"]]\n',
    "endless": b"x" * (2 << 20),
    "no text": b"\xff\n",
    "nothing": b"",
}


@pytest.mark.parametrize("octets", STRANGE.values(), ids=STRANGE)
def test_a_strange_answer_is_no_harm(tmp_path: Path, short_folder: Path, octets: bytes) -> None:
    """Whatever comes back, the process is named and nothing of the answer is believed."""
    path = socket_in(short_folder, "1-a")
    recorded(tmp_path, live("1-a", socket=path))

    def talk() -> None:
        request = b""
        while not request:  # without /proc, somebody knocks first: whether it lives
            with listener.accept()[0] as client, contextlib.suppress(OSError):
                request = client.recv(4096)
                client.sendall(octets)

    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(1) as pool:
        listener.bind(path)
        listener.listen()
        talking = pool.submit(talk)
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
        talking.result()
    assert (delivery.answered, "its control channel failed" in delivery.problem) == (False, True)
