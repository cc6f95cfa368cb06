from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_vmpilot_cov.collect import ask
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from server_hook.control.channel import Answer, Channel
from server_hook.store import records
from server_hook.store.records import Record
from server_hook.store.segment import Source, bitmap
from tests.unit.conftest import a_part, recorded, some_options


def live(identifier: str, **changes: str) -> Record:
    """Make the record of a pipeline server that lives: the process that has started this one stands in for it."""
    plain = records.describe_process(identifier, "pipeline", "", {})
    return plain._replace(pid=os.getppid(), ticks=0, **changes)  # type: ignore[arg-type]  # only texts are changed


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
    path = str(short_folder / "c.sock")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, Answer("1-a", 1, problem=problem)) as asked:
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    assert ([("dump", True)], True, True, problem) == (asked, delivery.asked, delivery.answered, delivery.problem)


def test_a_process_may_fail_to_dump(tmp_path: Path, short_folder: Path) -> None:
    """A process that answers with an error has not delivered, and its reason is kept."""
    path = str(short_folder / "c.sock")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, OSError("no")):
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    expected = (False, "OSError: no")
    assert expected == (delivery.answered, delivery.problem)


def test_only_the_announced_process_is_believed(tmp_path: Path, short_folder: Path) -> None:
    """An answer of another process at the same address is none."""
    path = str(short_folder / "c.sock")
    recorded(tmp_path, live("1-a", socket=path))
    with answering(path, Answer("2-b", 22)):
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    expected = (False, "process 22 answered in its place")
    assert expected == (delivery.answered, delivery.problem)


def test_nobody_is_asked_where_asking_is_off(tmp_path: Path, short_folder: Path) -> None:
    """A report on what lies there disturbs no server."""
    path = str(short_folder / "c.sock")
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
    channel = Channel(str(short_folder / "c.sock"), lambda _do, _request: Answer("1-a", 1))
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
    channel = Channel(str(short_folder / "silent.sock"), lambda _do, _request: Answer("1-a", 1))
    for number in range(40):
        recorded(tmp_path, live(f"1-{number:02}", socket=channel.path))
    path = str(short_folder / "c.sock")
    recorded(tmp_path, live("2-b", socket=path))
    with answering(path, Answer("2-b", 1)):
        deliveries = collect(some_options(tmp_path), Scope()).deliveries
    channel.close()
    assert [each.record.id for each in deliveries if each.answered] == ["2-b"]
