from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from coverage import CoverageData

from pytest_vmpilot_cov import collect as collect_
from pytest_vmpilot_cov.collect import Scope, collect, folder_of
from pytest_vmpilot_cov.model import Collected, DataFile, Delivery, Options, Setting
from server_hook import announce, publish, segment
from server_hook.announce import Record
from server_hook.control import Channel
from server_hook.coverage_private import close_data
from server_hook.segment import Measured, Part, Source, bitmap
from tests.unit.conftest import a_part, opened_below, some_options

APP = Source("/app/main.py", "1" * 32)
LATER = 300.0


def process(folder: Path, record: Record, *parts: Part) -> Path:
    """Leave what a process has recorded in a data folder; return the process's own folder."""
    place = Path(announce.make_folder(str(folder), record.id))
    announce.write_record(str(place), record)
    if parts:
        segment.write(str(place), 1, parts)
    return place


def ended(identifier: str, origin: str, session: str = "") -> Record:
    """Make the record of a process that has ended."""
    return Record(identifier, os.getppid(), origin, session=session, ended=1.0)


def live(identifier: str, **changes: str) -> Record:
    """Make the record of a pipeline server that lives: the process that has started this one stands in for it."""
    plain = announce.describe_process(identifier, "pipeline", "", {})
    return replace(plain, pid=os.getppid(), ticks=0, **changes)  # type: ignore[arg-type]  # only texts are changed


def collected(options: Options, scope: Scope) -> tuple[list[str], list[str]]:
    """Collect; return which processes gave something, and the problems."""
    found = collect(options, scope)
    return [each.record.id for each in found.deliveries], list(found.problems)


def make_data_file(path: Path, lines: dict[str, list[int]]) -> Path:
    """Write a data file as coverage.py does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = CoverageData(basename=str(path))
    data.add_lines(lines)
    data.write()
    close_data(data)
    os.utime(path, (LATER, LATER))
    return path


def files_of(found: Collected) -> list[tuple[str, dict[Source, Measured]]]:
    """Show what was collected: the origin and the files of each part."""
    return [(part.label.origin, part.files) for part in found.parts]


def test_every_segment_of_every_process_is_read(tmp_path: Path) -> None:
    """All parts of all processes of a data folder are collected, with who gave them and how new they are."""
    one, two = a_part("unit", {APP: bitmap([1])}, ended=50.0), a_part("pipeline", {APP: bitmap([2])}, ended=70.0)
    first, second = ended("1-a", "unit"), ended("2-b", "pipeline")
    places = process(tmp_path, first, one), process(tmp_path, second, two, a_part("pipeline", {}, ended=60.0))
    silent = process(tmp_path, ended("3-c", "pipeline"))
    deliveries = (
        Delivery(first, "dead", places[0].resolve(), executed=True, newest=50.0),
        Delivery(second, "dead", places[1].resolve(), executed=True, newest=70.0),
        Delivery(ended("3-c", "pipeline"), "dead", silent.resolve()),
    )
    found = collect(some_options(tmp_path), Scope())
    assert deliveries == found.deliveries
    assert (one, two, a_part("pipeline", {}, ended=60.0)) == found.parts
    assert not found.problems


def test_a_torn_segment_is_named_and_the_others_count(tmp_path: Path) -> None:
    """A torn segment is a problem that names file and process; what else the process wrote counts."""
    place = process(tmp_path, ended("1-a", "unit"), a_part("unit", {APP: bitmap([1])}))
    (place / "000002.seg").write_bytes(b"")
    found = collect(some_options(tmp_path), Scope())
    problem = (
        f"{place.resolve()}/000002.seg of process 1-a does not count: it does not begin like a segment (segment-torn)"
    )
    assert ((a_part("unit", {APP: bitmap([1])}),), (problem,)) == (found.parts, found.problems)


def test_a_session_collects_its_own_tests_and_every_server(tmp_path: Path) -> None:
    """Of tests only those of the session count, of pipeline servers all, wherever they are announced."""
    server = tmp_path / "server"
    options = replace(some_options(tmp_path), places=(Setting(server), Setting(tmp_path), Setting(tmp_path / "gone")))
    for folder in (tmp_path, server):
        process(folder, ended("1-mine", "unit", "s1"))
        process(folder, ended("2-other", "e2e", "s2"))
        process(folder, ended("3-server", "pipeline"))
    expected: tuple[list[str], list[str]] = (["1-mine", "3-server", "3-server"], [])
    assert expected == collected(options, Scope("s1"))
    expected = (["1-mine", "2-other", "3-server"] * 2, [])
    assert expected == collected(options, Scope())


def test_only_what_was_named_is_collected(tmp_path: Path) -> None:
    """Named folders are read with everything in them, named files alone, and nothing else."""
    one, two = tmp_path / "one", tmp_path / "two"
    process(tmp_path, ended("1-a", "unit"))
    process(one, ended("2-b", "unit"))
    process(two, ended("3-c", "unit"))
    file = make_data_file(two / ".coverage.x", {"/app/x.py": [1]})
    found = collect(some_options(tmp_path), Scope(only=(one, file)))
    assert [each.record.id for each in found.deliveries] == ["2-b"]
    assert (DataFile(file.resolve(), LATER),) == found.data_files


def test_a_record_that_cannot_be_read_does_not_hide_segments(tmp_path: Path) -> None:
    """What a process has measured counts although its record is damaged."""
    place = process(tmp_path, ended("1-a", "unit"), a_part("unit", {APP: bitmap([1])}))
    (place / "record.json").write_text("{")
    found = collect(some_options(tmp_path), Scope("s1"))
    assert [("unit", {APP: bitmap([1])})] == files_of(found)
    assert [(each.record.id, each.life) for each in found.deliveries] == [("1-a", "dead")]


@contextmanager
def answering(path: str, answer: dict[str, object]) -> Iterator[list[tuple[str, bool]]]:
    """Answer at a control socket from another thread; note what was asked."""
    asked: list[tuple[str, bool]] = []

    def note(do: str, _request: object) -> dict[str, object]:
        asked.append((do, True))
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
    process(tmp_path, live("1-a", socket=path))
    with answering(path, {"problem": problem}) as asked:
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    assert ([("dump", True)], True, True, problem) == (asked, delivery.asked, delivery.answered, delivery.problem)


def test_a_process_may_fail_to_dump(tmp_path: Path, short_folder: Path) -> None:
    """A process that answers with an error has not delivered, and its reason is kept."""
    path = str(short_folder / "c.sock")
    process(tmp_path, live("1-a", socket=path))
    with answering(path, {"ok": False, "error": "OSError: no"}):
        (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    expected = (False, "OSError: no")
    assert expected == (delivery.answered, delivery.problem)


def test_nobody_is_asked_where_asking_is_off(tmp_path: Path, short_folder: Path) -> None:
    """A report on what lies there disturbs no server."""
    path = str(short_folder / "c.sock")
    process(tmp_path, live("1-a", socket=path))
    with answering(path, {}) as asked:
        (delivery,) = collect(some_options(tmp_path), Scope(ask=False)).deliveries
    assert (asked, delivery.life, delivery.answered) == ([], "live", False)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (live("1-a"), "it has no control channel"),
        (replace(live("1-a"), problem="it cannot be asked: no room"), "it cannot be asked: no room"),
        (live("1-a", socket="/nowhere/c.sock"), "its control channel failed (No such file or directory)"),
        (live("1-a", host="another"), "it runs on another host or in another pid namespace and cannot be asked"),
        (replace(live("1-a"), pid=os.getpid()), ""),
        (replace(live("1-a"), ended=1.0), ""),
    ],
    ids=["no channel", "its own words", "gone", "elsewhere", "this process", "ended"],
)
def test_who_cannot_be_asked_is_noted(tmp_path: Path, record: Record, expected: str) -> None:
    """Why a process did not deliver is noted; this process and those that have ended are not asked at all."""
    process(tmp_path, record)
    (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    assert (False, expected) == (delivery.answered, delivery.problem)


def test_who_is_silent_is_not_waited_for(tmp_path: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not answer in time is noted, and what it wrote before counts."""
    monkeypatch.setattr(collect_, "WAIT_S", 0.05)
    channel = Channel(str(short_folder / "c.sock"), lambda _do, _request: {})
    process(tmp_path, live("1-a", socket=channel.path), a_part("pipeline", {APP: bitmap([1])}))
    (delivery,) = collect(some_options(tmp_path), Scope()).deliveries
    channel.close()
    expected = (False, "no answer within 0.05 s", True)
    assert expected == (delivery.answered, delivery.problem, delivery.executed)


def test_a_data_file_of_coverage_is_unverified(tmp_path: Path) -> None:
    """A data file that coverage.py made counts as the pipeline's, without fingerprints, as old as the file."""
    path = make_data_file(tmp_path / ".coverage.pipeline", {"/app/b.py": [2], "/app/a.py": [1], "/app/c.py": []})
    found = collect(some_options(tmp_path), Scope("s1"))
    part = a_part("pipeline", {Source("/app/a.py"): bitmap([1]), Source("/app/b.py"): bitmap([2])})
    part.begun = part.ended = LATER
    assert ((part,), (DataFile(path.resolve(), LATER),)) == (found.parts, found.data_files)


def test_a_publication_knows_its_origins_and_sources(tmp_path: Path) -> None:
    """A data file that was published comes back with its origins, its fingerprints and its arcs."""
    united: publish.ByContext = {
        "unit": {APP: {(1, 2)}},
        "test_one": {APP: {(1, 2)}},
        "pipeline": {Source("/app/x.html", "3" * 32, "a.plugin"): {(5, 5)}},
    }
    publish.write_data_file(str(tmp_path / "copied"), united)
    found = collect(some_options(tmp_path), Scope(only=(tmp_path / "copied",)))
    expected = [("unit", united["unit"]), ("pipeline", united["pipeline"])]
    assert expected == files_of(found)
    assert [file.published for file in found.data_files] == [True]


def test_a_file_that_was_kept_aside_counts(tmp_path: Path) -> None:
    """A foreign data file that gave way to a publication is read with the segments."""
    kept = make_data_file(tmp_path / ".vmpilot-cov" / "kept-1" / ".coverage.pipeline", {"/app/a.py": [1]})
    found = collect(some_options(tmp_path), Scope("s1"))
    assert [("pipeline", {Source("/app/a.py"): bitmap([1])})] == files_of(found)
    assert (DataFile(kept.resolve(), LATER),) == found.data_files


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", "{} holds no executed line; was the process measured with the right source? (data-empty)"),
        (b"no database" * 99, "{} cannot be read as coverage data and does not count: file is not a database"),
    ],
)
def test_a_file_without_data_is_a_problem(tmp_path: Path, octets: bytes, expected: str) -> None:
    """A data file that is empty or none at all is named, once, with the reason, and nothing is lost by it."""
    path = (tmp_path / ".coverage.pipeline").resolve()
    path.write_bytes(octets)
    with opened_below(tmp_path):
        found = collect(replace(some_options(tmp_path), places=(Setting(path), Setting(tmp_path))), Scope("s1"))
    (problem,) = found.problems
    assert problem.startswith(expected.format(path))
    assert not any(part.files for part in found.parts)


def test_a_file_that_cannot_be_read_is_closed(tmp_path: Path) -> None:
    """A data file that cannot be read is not held open: where warnings are errors that would end a session."""
    (tmp_path / ".coverage.pipeline").write_bytes(b"no database" * 99)
    with opened_below(tmp_path) as held:
        assert collect(some_options(tmp_path), Scope("s1")).problems
    assert not held


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("server", "server"),
        ("server/.vmpilot-cov", "server"),
        ("server/.coverage.pipeline", "server"),
        ("gone/.coverage.pipeline", "gone"),
        ("gone/.vmpilot-cov", "gone"),
    ],
)
def test_a_place_is_a_folder_or_a_file_in_one(tmp_path: Path, place: str, expected: str) -> None:
    """A place is a data folder, its working folder, or a data file in it that may not be there yet."""
    (tmp_path / "server").mkdir()
    assert tmp_path / expected == folder_of(tmp_path / place)
