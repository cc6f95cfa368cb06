"""A published file to which each end adds what is new, instead of being made of everything again."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from coverage import CoverageData
from hypothesis import given
from hypothesis import strategies as st

from server_hook.arcs import Arcs
from server_hook.coverage_private import close_data
from server_hook.store import compaction, epochs, publication, publish, records, segment, working_folder
from server_hook.store.records import Record
from server_hook.store.segment import Label, Measured, Part, Source
from tests.unit.conftest import a_part, recorded
from tests.unit.store.test_publish import lines_in

ONE, OTHER, CHANGED = Source("/app/a.py", "1"), Source("/app/b.py", "2"), Source("/app/a.py", "3")
LONG_AGO = time.time() - 1000.0
JUST_NOW = time.time() + 1000.0
"""A moment that is recent however slow the machine is."""
PLUGIN = Source("/app/c.html", "4", "plugin")


def leave(folder: Path, number: int, *parts: Part, when: float = LONG_AGO) -> Path:
    """Leave what a process has recorded that ended at some moment."""
    place = recorded(folder, Record(f"{number}-a", number, "pipeline", started=1.0, ended=when), *parts)
    for path in (place / records.RECORD, place):
        os.utime(path, (when, when))
    return place


def content(path: Path) -> object:
    """Return all that a published file says."""
    if not path.exists():
        return None
    moments = {origin: moment for origin, moment in publication.read_oldest(path).items() if moment}
    data = CoverageData(basename=str(path))
    data.read()
    tracers = {file: data.file_tracer(file) for file in data.measured_files()}
    close_data(data)
    return lines_in(path), tracers, publication.read_fingerprints(path), moments, publication.read_places(path)


def made_anew(folder: Path) -> object:
    """Return what a file says that is published without what was written down of it."""
    (folder / working_folder.WORKING_FOLDER / working_folder.PUBLISHED).unlink(missing_ok=True)
    return content(Path(publish.publish_pipeline(str(folder))))


@st.composite
def processes(draw: st.DrawFn) -> list[Part | None]:
    """Draw what processes measure one after the other, lines or branches, each with or without a test; None resets."""
    branch = draw(st.booleans())
    arcs = st.frozensets(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1).map(Arcs)
    measured: st.SearchStrategy[Measured] = arcs if branch else st.integers(1, 255).map(lambda bits: bits << 1)
    files = st.dictionaries(st.sampled_from([ONE, OTHER, CHANGED, PLUGIN]), measured, min_size=1, max_size=2)
    contexts = st.sampled_from(["", "t.py::one", "t.py::two"])
    part = st.builds(
        lambda each, context, begun: Part(Label("pipeline", context), LONG_AGO + begun, LONG_AGO + begun, each),
        files,
        contexts,
        st.integers(1, 9).map(float),
    )
    return draw(st.lists(st.one_of(part, part, part, st.none()), min_size=2, max_size=6))


@given(processes())
def test_what_is_added_is_what_would_be_made_anew(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Part | None]
) -> None:
    """However processes end one after the other, the file says what it would say if it were made of everything."""
    folder = tmp_path_factory.mktemp("folder")
    for number, part in enumerate(drawn, 1):
        if part is None:
            epochs.note_reset(str(folder), LONG_AGO + 10.0 * number)
        else:
            leave(folder, number, part, when=LONG_AGO + 10.0 * number)
        added = content(Path(publish.publish_pipeline(str(folder))))
        assert made_anew(folder) == added


def read_by(folder: Path, monkeypatch: pytest.MonkeyPatch, most_behind: int | None = None) -> set[str]:
    """Publish; return the names of the folders that were read for it."""
    read, names = segment.read_folder, set()

    def noting(place: Path) -> object:
        names.add(place.name)
        return read(place)

    with monkeypatch.context() as patched:
        patched.setattr(segment, "read_folder", noting)
        publish.publish_pipeline(str(folder), "", most_behind)
    return names


def test_an_end_reads_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who publishes reads a process that has ended since, one that has gone on, and none of the others."""
    places = [leave(tmp_path, number, a_part("pipeline", {ONE: 2 << number})) for number in range(1, 9)]
    read_by(tmp_path, monkeypatch)
    leave(tmp_path, 9, a_part("pipeline", {ONE: 4}))
    segment.write(str(places[3]), 2, [a_part("pipeline", {OTHER: 8}, context="t.py::one")])
    assert read_by(tmp_path, monkeypatch) == {"9-a", "4-a"}
    assert made_anew(tmp_path) == content(tmp_path / publish.PIPELINE_FILE)


def test_a_folder_that_has_just_changed_is_read_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that comes within the same tick of the file system's clock is not missed."""
    place = leave(tmp_path, 1, a_part("pipeline", {ONE: 2}), when=JUST_NOW)
    read_by(tmp_path, monkeypatch)
    segment.write(str(place), 2, [a_part("pipeline", {ONE: 4})])
    os.utime(place, (JUST_NOW, JUST_NOW))
    assert read_by(tmp_path, monkeypatch) == {"1-a"}
    assert lines_in(tmp_path / publish.PIPELINE_FILE) == {"pipeline": {"/app/a.py": [1, 2]}}


def test_what_was_folded_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who folds reads what it folds; nobody reads in its new form what the file holds already."""
    for number in range(1, compaction.FOLD_AT):
        leave(tmp_path, number, a_part("pipeline", {ONE: 2 << number}))
    publish.publish_pipeline(str(tmp_path))
    leave(tmp_path, 99, a_part("pipeline", {OTHER: 2}), when=JUST_NOW)
    folded = read_by(tmp_path, monkeypatch)
    assert {f"{number}-a" for number in (*range(1, compaction.FOLD_AT), 99)} == folded
    assert len(list(working_folder.process_folders(tmp_path))) == 2
    assert made_anew(tmp_path) == content(tmp_path / publish.PIPELINE_FILE)


def test_folding_reads_a_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is folded at once is small, and begins with the small ones; what is large is folded when nothing else is."""
    whole = {Source(f"/app/m{number}.py"): (1 << 200) - 2 for number in range(20)}
    for number in (2, 3):
        leave(tmp_path, number, a_part("pipeline", whole))
    for number in range(10, 10 + compaction.FOLD_AT):
        leave(tmp_path, number, a_part("pipeline", {ONE: 2}))
    size = (tmp_path / working_folder.WORKING_FOLDER / "10-a/000001.seg").stat().st_size
    monkeypatch.setattr(compaction, "FOLD_BYTES", 10 * size)
    assert list(map(len, compaction.compact(tmp_path).values())) == [10]
    monkeypatch.setattr(compaction, "FOLD_AT", 2)
    monkeypatch.setattr(compaction, "FOLD_BYTES", 0)
    assert compaction.compact(tmp_path) == {}
    monkeypatch.setattr(compaction, "CROWDED", 2)
    while folded := compaction.compact(tmp_path):
        assert [len(replaced) for replaced in folded.values()] == [2]
    assert len(list(working_folder.process_folders(tmp_path))) == 1


def test_an_end_takes_only_some_of_many_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However many were killed, an end reads few of them and all that ended lately, and says how many it leaves."""
    monkeypatch.setattr(compaction, "FOLD_AT", 1000)
    for number in range(10, 40):
        leave(tmp_path, number, a_part("pipeline", {ONE: 1 << number}))
    for number in (2, 3):
        leave(tmp_path, number, a_part("pipeline", {ONE: 1 << number}), when=JUST_NOW)
    assert len(read_by(tmp_path, monkeypatch, 8)) == 8 + 2
    assert f"{publish.PIPELINE_FILE} is without 22 processes" in caplog.text
    for _ in range(3):
        caplog.clear()
        read_by(tmp_path, monkeypatch, 8)
    assert not caplog.text
    assert lines_in(tmp_path / publish.PIPELINE_FILE) == {"pipeline": {"/app/a.py": [2, 3, *range(10, 40)]}}


@pytest.mark.parametrize("spoil", ["{", "[]", '{"file": 1}', None, "older"])
def test_what_is_written_down_is_believed_if_it_is_of_this_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str | None
) -> None:
    """Where it is damaged, or speaks of another file, or of a folder that is gone, the file is made anew."""
    for number in (1, 2):
        leave(tmp_path, number, a_part("pipeline", {ONE: 2 << number}))
    publish.publish_pipeline(str(tmp_path))
    noted = tmp_path / working_folder.WORKING_FOLDER / working_folder.PUBLISHED
    if spoil is None:
        noted.unlink()
    elif spoil == "older":
        raw = json.loads(noted.read_text())
        raw["folders"]["3-a"] = 1
        noted.write_text(json.dumps(raw))
    else:
        noted.write_text(spoil)
    assert read_by(tmp_path, monkeypatch) == {"1-a", "2-a"}


def test_another_file_in_its_place_is_not_added_to(tmp_path: Path) -> None:
    """A file that somebody else has published here since is replaced by one that is made of everything."""
    leave(tmp_path, 1, a_part("pipeline", {ONE: 2}))
    target = Path(publish.publish_pipeline(str(tmp_path)))
    publication.write_data_file(str(target), {Label("pipeline"): {OTHER: 2}})
    publish.publish_pipeline(str(tmp_path))
    assert lines_in(target) == {"pipeline": {"/app/a.py": [1]}}


def test_a_file_is_as_old_as_the_oldest_measurement(tmp_path: Path) -> None:
    """A process that ends late may have begun before all that the file holds."""
    target = tmp_path / publish.PIPELINE_FILE
    for number, begun in ((1, 500.0), (2, 400.0), (3, 600.0)):
        leave(tmp_path, number, a_part("pipeline", {ONE: 2}, begun=begun))
        publish.publish_pipeline(str(tmp_path))
    assert publication.read_oldest(target) == {"pipeline": 400.0}


def test_a_process_that_was_reset_alone_leaves_nothing_of_before(tmp_path: Path) -> None:
    """What the file holds of a process that has begun a new epoch since goes."""
    place = leave(tmp_path, 1, a_part("pipeline", {ONE: 2}))
    target = Path(publish.publish_pipeline(str(tmp_path)))
    after = a_part("pipeline", {ONE: 4})
    after.begun = after.ended = after.epoch = time.time() + 1
    segment.write(str(place), 2, [after])
    publish.publish_pipeline(str(tmp_path))
    assert lines_in(target) == {"pipeline": {"/app/a.py": [2]}}
