from __future__ import annotations

import os
import pkgutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from coverage import CoverageData

from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope, folder_of
from pytest_vmpilot_cov.model import Collected, DataFile, Delivery, Options, Setting
from server_hook.arcs import Arcs
from server_hook.coverage_private import close_data
from server_hook.store import publication, publish, segment
from server_hook.store.records import Record
from server_hook.store.segment import Label, Measured, Source, bitmap
from tests.unit.conftest import a_part, opened_below, recorded, some_options

APP = Source("/app/main.py", "1" * 32)
LATER = 300.0
PIPELINE = frozenset(["pipeline"])


def ended(identifier: str, origin: str, session: str = "") -> Record:
    """Make the record of a process that has ended."""
    return Record(identifier, os.getppid(), origin, session=session, ended=1.0)


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
    """What all processes of a data folder measured is collected, with who gave it and how new that is."""
    one, two = a_part("unit", {APP: bitmap([1])}, ended=50.0), a_part("pipeline", {APP: bitmap([2])}, ended=70.0)
    first, second = ended("1-a", "unit"), ended("2-b", "pipeline")
    places = recorded(tmp_path, first, one), recorded(tmp_path, second, two, a_part("pipeline", {}, ended=60.0))
    silent = recorded(tmp_path, ended("3-c", "pipeline"))
    deliveries = (
        Delivery(first, "dead", places[0].resolve(), executed=True, newest=50.0),
        Delivery(second, "dead", places[1].resolve(), executed=True, newest=70.0),
        Delivery(ended("3-c", "pipeline"), "dead", silent.resolve()),
    )
    found = collect(some_options(tmp_path), Scope())
    assert deliveries == tuple(replace(each, alive_at=0.0) for each in found.deliveries)
    assert (one, two) == found.parts
    assert not found.problems


def test_processes_that_measure_alike_share_their_settings(tmp_path: Path) -> None:
    """A thousand records of one server hold what they measured with once."""
    for number, omit in enumerate(("x.py", "x.py", "y.py")):
        recorded(tmp_path, ended(f"{number}-a", "pipeline")._replace(settings={"omit": [omit]}))
    one, same, other = (each.record.settings for each in collect(some_options(tmp_path), Scope()).deliveries)
    assert one is same
    assert (one, other) == ({"omit": ["x.py"]}, {"omit": ["y.py"]})


def test_a_torn_segment_is_named_and_the_others_count(tmp_path: Path) -> None:
    """A torn segment is a problem that names file and process; what else the process wrote counts."""
    place = recorded(tmp_path, ended("1-a", "unit"), a_part("unit", {APP: bitmap([1])}))
    (place / "000002.seg").write_bytes(b"")
    found = collect(some_options(tmp_path), Scope())
    problem = (
        f"{place.resolve()}/000002.seg of process 1-a does not count: it does not begin like a segment (segment-torn)"
    )
    assert ((a_part("unit", {APP: bitmap([1])}),), (problem,)) == (found.parts, found.problems)


def test_a_session_collects_its_own_tests_and_every_server(tmp_path: Path) -> None:
    """Of tests only those of the session count, of pipeline servers all, wherever they are announced."""
    server = tmp_path / "server"
    options = replace(
        some_options(tmp_path), data_places=(Setting(server), Setting(tmp_path), Setting(tmp_path / "gone"))
    )
    for folder in (tmp_path, server):
        recorded(folder, ended("1-mine", "unit", "s1"))
        recorded(folder, ended("2-other", "e2e", "s2"))
        recorded(folder, ended("3-server", "pipeline"))
    expected: tuple[list[str], list[str]] = (["1-mine", "3-server", "3-server"], [])
    assert expected == collected(options, Scope("s1"))
    expected = (["1-mine", "2-other", "3-server"] * 2, [])
    assert expected == collected(options, Scope())


def test_only_what_was_named_is_collected(tmp_path: Path) -> None:
    """Named folders are read with everything in them, named files alone, and nothing else."""
    one, two = tmp_path / "one", tmp_path / "two"
    recorded(tmp_path, ended("1-a", "unit"))
    recorded(one, ended("2-b", "unit"))
    recorded(two, ended("3-c", "unit"))
    file = make_data_file(two / ".coverage.x", {"/app/x.py": [1]})
    found = collect(some_options(tmp_path), Scope(only=(one, file)))
    assert [each.record.id for each in found.deliveries] == ["2-b"]
    assert (DataFile(file.resolve(), LATER, origins=PIPELINE),) == found.data_files


def test_a_record_that_cannot_be_read_does_not_hide_segments(tmp_path: Path) -> None:
    """What a process has measured counts although its record is damaged."""
    place = recorded(tmp_path, ended("1-a", "unit"), a_part("unit", {APP: bitmap([1])}))
    (place / "record.json").write_text("{")
    found = collect(some_options(tmp_path), Scope("s1"))
    assert [("unit", {APP: bitmap([1])})] == files_of(found)
    assert [(each.record.id, each.life) for each in found.deliveries] == [("1-a", "dead")]


def test_a_data_file_of_coverage_is_unverified(tmp_path: Path) -> None:
    """A data file that coverage.py made counts as the pipeline's, without fingerprints, as old as the file."""
    path = make_data_file(tmp_path / ".coverage.pipeline", {"/app/b.py": [2], "/app/a.py": [1], "/app/c.py": []})
    found = collect(some_options(tmp_path), Scope("s1"))
    part = a_part("pipeline", {Source("/app/a.py"): bitmap([1]), Source("/app/b.py"): bitmap([2])})
    part.begun = part.ended = LATER
    assert ((part,), (DataFile(path.resolve(), LATER, origins=PIPELINE),)) == (found.parts, found.data_files)


def test_a_publication_knows_its_origins_and_sources(tmp_path: Path) -> None:
    """A data file that was published comes back with its origins, its fingerprints and its arcs."""
    united: segment.ByLabel = {
        Label("unit"): {APP: Arcs({(1, 2)})},
        Label("unit", "test_one"): {APP: Arcs({(1, 2)})},
        Label("pipeline"): {Source("/app/x.html", "3" * 32, "a.plugin"): Arcs({(5, 5)})},
    }
    publication.write_data_file(str(tmp_path / "copied"), united)
    found = collect(some_options(tmp_path), Scope(only=(tmp_path / "copied",)))
    assert united == {part.label: part.files for part in found.parts}
    assert [file.published for file in found.data_files] == [True]


@pytest.mark.parametrize(
    "place",
    [
        ".",
        "data",
    ],
)
def test_relative_names_come_back_absolute(tmp_path: Path, place: str) -> None:
    """Sources that are named relative to the configuration's folder are found again, wherever the data file lies."""
    source = Source(str(tmp_path / "app" / "main.py"), "1" * 32)
    path = tmp_path / place / ".coverage.pipeline"
    options = some_options(tmp_path, relative_files=True, data_file=str(tmp_path / place / ".coverage"))
    publication.write_data_file(
        str(path), publish.relative({Label("pipeline"): {source: bitmap([1])}}, options.settings.relative_to)
    )
    assert [("pipeline", {source: bitmap([1])})] == files_of(collect(options, Scope()))


def test_a_publication_is_as_old_as_what_was_measured(tmp_path: Path) -> None:
    """However late it was published or copied, what it holds is as old as the oldest measurement of its origin."""
    published = tmp_path / "published"
    united: publication.ByLabel = {Label("unit"): {APP: bitmap([1])}, Label("pipeline"): {APP: bitmap([2])}}
    publication.write_data_file(str(published), united, oldest={"pipeline": 100.0})
    os.utime(published, (LATER, LATER))
    found = collect(some_options(tmp_path), Scope(only=(published,)))
    assert {part.label.origin: part.begun for part in found.parts} == {"unit": LATER, "pipeline": 100.0}
    assert [file.measured for file in found.data_files] == [100.0]


@pytest.mark.parametrize(
    ("session", "expected"),
    [("s1", []), ("", [("pipeline", {APP: bitmap([1])})])],
)
def test_what_was_published_here_is_no_place_of_data(
    tmp_path: Path, session: str, expected: list[tuple[str, dict[Source, Measured]]]
) -> None:
    """Data of another place, which a session has published here, does not outlive that place; ``report`` shows it."""
    path = tmp_path / publish.PIPELINE_FILE
    publication.write_data_file(str(path), {Label("pipeline"): {APP: bitmap([1])}}, oldest={"pipeline": 100.0})
    found = collect(some_options(tmp_path), Scope(session))
    assert expected == files_of(found)
    assert all(part.begun == 100.0 for part in found.parts)


@pytest.mark.parametrize(("measured_at", "expected"), [(100.0, 0), (250.0, 1)])
def test_a_reset_hides_what_was_measured_before_it_whenever_it_was_published(
    tmp_path: Path, measured_at: float, expected: int
) -> None:
    """A publication of another folder counts after a reset if it was measured after it, not if it was copied after."""
    path = tmp_path / publish.PIPELINE_FILE
    publication.write_data_file(str(path), {Label("pipeline"): {APP: bitmap([1])}}, oldest={"pipeline": measured_at})
    os.utime(path, (LATER, LATER))
    (tmp_path / ".vmpilot-cov" / "identity").write_text("another")
    (tmp_path / ".vmpilot-cov" / "resets").write_text("200.0\n")
    assert expected == len(collect(some_options(tmp_path), Scope()).parts)


def test_a_reset_in_the_future_is_said_and_ignored(tmp_path: Path) -> None:
    """The clock of another machine does not hide what is measured until then."""
    recorded(tmp_path, ended("1-a", "pipeline"), a_part("pipeline", {APP: bitmap([1])}))
    (tmp_path / ".vmpilot-cov" / "resets").write_text(f"{time.time() + 10_000!r}\n")
    found = collect(some_options(tmp_path), Scope())
    assert [("pipeline", {APP: bitmap([1])})] == files_of(found)
    (problem,) = found.problems
    assert problem.startswith(f"a reset of {tmp_path.resolve()} is dated ")
    assert problem.endswith("(reset-in-future)")


def test_a_file_that_was_kept_aside_counts(tmp_path: Path) -> None:
    """A foreign data file that gave way to a publication is read with the segments."""
    kept = make_data_file(tmp_path / ".vmpilot-cov" / "kept-1" / ".coverage.pipeline", {"/app/a.py": [1]})
    found = collect(some_options(tmp_path), Scope("s1"))
    assert [("pipeline", {Source("/app/a.py"): bitmap([1])})] == files_of(found)
    assert (DataFile(kept.resolve(), LATER, origins=PIPELINE),) == found.data_files


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
        found = collect(replace(some_options(tmp_path), data_places=(Setting(path), Setting(tmp_path))), Scope("s1"))
    (problem,) = found.problems
    assert problem.startswith(expected.format(path))
    assert not any(part.files for part in found.parts)


@pytest.mark.parametrize(
    "moment", ["collect.collect.publication.is_published_here", "collect.data_file.read_data_file"]
)
def test_a_file_that_is_deleted_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A publication that coverage.py's ``combine`` deletes while it is about to be read is no problem."""
    path = tmp_path / publish.PIPELINE_FILE
    publication.write_data_file(str(path), {Label("pipeline"): {APP: bitmap([1])}})
    os.utime(path, (LATER, LATER))
    (tmp_path / ".vmpilot-cov" / "identity").write_text("another")
    (tmp_path / ".vmpilot-cov" / "resets").write_text("200.0\n")
    original = pkgutil.resolve_name(f"pytest_vmpilot_cov.{moment}")

    def delete(*args: object) -> object:
        path.unlink(missing_ok=True)
        return original(*args)

    monkeypatch.setattr(f"pytest_vmpilot_cov.{moment}", delete)
    found = collect(some_options(tmp_path), Scope())
    assert (found.data_files, found.problems, path.exists()) == ((), (), False)


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
    (tmp_path / "server" / ".vmpilot-cov").mkdir(parents=True)
    assert tmp_path / expected == folder_of(tmp_path / place)
