from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.cli import erase as erase_
from pytest_vmpilot_cov.cli.serve import _recorded_since
from pytest_vmpilot_cov.collect import ask
from pytest_vmpilot_cov.collect import collect as collect_
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.model import Combined, Figures, Outcome, Row, Verdict
from pytest_vmpilot_cov.report.drift import differences
from pytest_vmpilot_cov.report.pipeline import server_lines
from server_hook.store import clean_up, compaction, epochs, publication, publish, segment, working_folder
from server_hook.store import records as records_
from server_hook.store.records import Record
from server_hook.store.segment import Label, Part, Source, bitmap
from tests.unit.combine.test_unite import FRESH, STALE, any_parts, unite
from tests.unit.conftest import a_part, ended_pid, published_of, recorded, some_options

MANY = compaction.FOLD_AT + 6
SETTINGS = {"branch": False, "folder": "/app", "source": ["/app"], "omit": ["/app/x.py"], "interval_s": 1.0}


def leave(folder: Path, number: int, *parts: Part, settings: object = SETTINGS, ended: float | None = None) -> Path:
    """Leave what a process has recorded that ended at second *number*, or as *ended* says."""
    when = float(number) if ended is None else ended
    record = Record(f"{number}-a", number, "pipeline", started=1.0, settings=settings, ended=when)  # type: ignore[arg-type]
    place = recorded(folder, record, *(parts or [usual(number)]))
    os.utime(place / records_.RECORD, (number, number))
    return place


def usual(number: int) -> Part:
    """Return what process *number* measured: every second one before a source has changed."""
    source = STALE if number % 2 else FRESH
    return a_part("pipeline", {source: bitmap([number])}, begun=number - 1.0, ended=float(number))


def leave_many(folder: Path) -> None:
    """Leave what many processes have recorded."""
    for number in range(100, 100 + MANY):
        leave(folder, number)


def names_in(folder: Path) -> list[str]:
    """List the folders of processes by what they stand for."""
    return sorted(path.name.partition("-")[0] for path in working_folder.process_folders(folder))


def said(folder: Path) -> tuple[Combined, list[str], segment.ByLabel]:
    """Return all that is made of a data folder: figures and ages, accounts, and what is published."""
    options = some_options(folder)
    found = collect(options, Scope())
    united = unite(found.parts)
    figures = Figures((), Row("combined", 0, 0, 0, 0.0, 0), {})
    outcome = Outcome(found, united, figures, Verdict((), (), 0.0))
    texts = [text.replace(f"{os.getpid()}", "") for text in server_lines(outcome, options)]
    settings = [text.partition("(pid")[0] for text in differences(found.deliveries, options.settings)]
    return united, texts + sorted(settings), published_of(folder)


@pytest.mark.parametrize("reset_at", [0.0, 120.0, 300.0])
def test_folding_changes_no_figure_age_or_account(tmp_path: Path, reset_at: float) -> None:
    """Many ended processes become one folder for each epoch, and everything that is said of them stays."""
    leave_many(tmp_path)
    if reset_at:
        epochs.note_reset(str(tmp_path), reset_at)
    before = said(tmp_path)
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["folded"] * (2 if reset_at == 120.0 else 1)
    assert before == said(tmp_path)
    epochs.note_reset(str(tmp_path), 400.0)
    assert published_of(tmp_path) == {}


@given(any_parts())
def test_united_parts_say_what_they_said(parts: list[Part]) -> None:
    """What is published of united parts, and what is combined of them, is the same, whichever state came last."""
    together = list(compaction.united(parts))
    assert publish.newest(parts) == publish.newest(together)
    assert unite(parts) == unite(together)


@given(any_parts(), st.integers(0, 6))
def test_united_parts_may_be_united(parts: list[Part], at: int) -> None:
    """Uniting some and then all is uniting all."""
    in_two_steps = compaction.united([*compaction.united(parts[:at]), *parts[at:]])
    assert sorted(compaction.united(parts), key=repr) == sorted(in_two_steps, key=repr)


def test_what_was_folded_is_folded_again(tmp_path: Path) -> None:
    """Folders do not pile up, however many processes end; each of them is in the account."""
    for number in range(100, 100 + 5 * MANY):
        leave(tmp_path, number)
        compaction.compact(tmp_path)
        assert len(names_in(tmp_path)) < compaction.FOLD_AT
    records = [records_.read_record(place) for place in working_folder.process_folders(tmp_path)]
    assert sum(record.folded for record in records if record) == 5 * MANY


def test_few_processes_keep_their_folders(tmp_path: Path) -> None:
    """Below a number of folders nothing is folded."""
    for number in range(100, 99 + compaction.FOLD_AT):
        leave(tmp_path, number)
    compaction.compact(tmp_path)
    assert "folded" not in names_in(tmp_path)


def torn(place: Path) -> None:
    """Leave a torn segment in the folder."""
    (place / "000002.seg").write_bytes(b"torn")


def foreign(place: Path) -> None:
    """Leave something in the folder that is not ours."""
    (place / ".coverage.pipeline").write_bytes(b"")


def unknown(place: Path) -> None:
    """Take the record away."""
    (place / records_.RECORD).unlink()


@pytest.mark.parametrize("spoil", [torn, foreign, unknown])
def test_what_is_not_understood_stays(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A folder with anything in it that is no whole segment keeps it, and its place."""
    leave_many(tmp_path)
    spoil(place := leave(tmp_path, 7))
    kept = sorted(path.name for path in place.iterdir())
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["7", "folded"]
    assert kept == sorted(path.name for path in place.iterdir())


@pytest.mark.parametrize(
    ("ended", "parts"),
    [
        (4e9, []),
        (None, [a_part("unit", {FRESH: bitmap([1])})]),
        (None, [a_part("pipeline", {})]),
    ],
    ids=["ended just now", "of the tests", "without lines"],
)
def test_what_may_be_asked_for_stays(tmp_path: Path, ended: float | None, parts: list[Part]) -> None:
    """Processes that have just ended, and those whose lines count by other rules, are left alone."""
    leave_many(tmp_path)
    place = leave(tmp_path, 7, *parts, ended=ended)
    if parts and parts[0].label.origin == "unit":
        records_.write_record(str(place), Record("7-a", 7, "unit", ended=7.0))
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["7", "folded"]


@pytest.mark.parametrize("reset_at", [0.0, 120.0])
def test_killed_processes_are_folded_too(tmp_path: Path, reset_at: float) -> None:
    """However often a server is killed, each later end pays for few folders; the account and all figures stay."""
    for number in range(100, 100 + MANY):
        leave(tmp_path, number, ended=0.0 if number % 3 else None)
    if reset_at:
        epochs.note_reset(str(tmp_path), reset_at)
    before = said(tmp_path)
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["folded"] * (4 if reset_at else 2)
    assert before == said(tmp_path)
    compaction.compact(tmp_path)
    assert before == said(tmp_path)


def test_processes_that_were_reset_are_folded_too(tmp_path: Path) -> None:
    """Of a process that was reset what counts stays: its last epoch, and what it ran at import before that."""
    source = Source(str(tmp_path / "app.py"))
    (tmp_path / "app.py").write_text("import os\n\ndef work():\n    return 1\n")
    for number in range(100, 100 + MANY):
        before = Part(Label("pipeline"), 1.0, 2.0, {source: bitmap([1, 3, 4])})
        since = Part(Label("pipeline"), 50.0, float(number), {FRESH: bitmap([number])}, epoch=50.0 + number / 1000)
        leave(tmp_path, number, before, since, ended=0.0 if number % 2 else None)
    epochs.note_reset(str(tmp_path), 50.0)
    shown = said(tmp_path)
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["folded"] * 2
    assert shown == said(tmp_path)
    assert shown[2][Label("pipeline")][source] == bitmap([1, 3])


def test_a_killed_process_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    """The folder of a process that was killed before its first segment goes; that of a live one stays."""
    leave_many(tmp_path)
    for number, pid in ((7, ended_pid()), (8, os.getpid())):
        here = records_.describe_process(f"{number}-a", "pipeline", "", SETTINGS)._replace(pid=pid)
        place = recorded(tmp_path, here)
        os.utime(place / records_.RECORD, (number, number))
        (place / ".000001.seg.tmp").write_bytes(b"half a segment")
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["8", "folded"]


def test_what_killed_processes_left_aside_is_removed(tmp_path: Path) -> None:
    """Half a publication, or half a compaction, goes when it has rested; other files stay."""
    working = Path(working_folder.make_working_folder(str(tmp_path)))
    for name in ("publish-7.tmp", "publish-8.tmp", "publish-9.txt"):
        (working / name).write_bytes(b"")
    for name in (f"{clean_up.COMPACTING}old", f"{clean_up.COMPACTING}young"):
        (working / name).mkdir()
        (working / name / ".record.json.tmp").write_bytes(b"")
    for name in ("publish-7.tmp", "publish-9.txt", f"{clean_up.COMPACTING}old"):
        os.utime(working / name, (1.0, 1.0))
    compaction.compact(tmp_path)
    expected = {".gitignore", "publish-8.tmp", "publish-9.txt", f"{clean_up.COMPACTING}young"}
    assert expected == {path.name for path in working.iterdir()}


def test_other_settings_are_folded_apart(tmp_path: Path) -> None:
    """Processes that measured otherwise are named with their own settings, folded or not."""
    leave_many(tmp_path)
    for number in (7, 8):
        leave(tmp_path, number, settings={**SETTINGS, "branch": True})
    before = said(tmp_path)
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["folded", "folded"]
    assert before == said(tmp_path)


@pytest.mark.parametrize("broken", ["os.rename", "server_hook.store.clean_up.remove_process"])
def test_folding_that_is_broken_off_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Wherever it is broken off, what counts stays; the next one does the work."""
    leave_many(tmp_path)
    figures, _, published = said(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as at_that_step:
        at_that_step.setattr(broken, fail)
        with pytest.raises(KeyboardInterrupt):
            compaction.compact(tmp_path)
    assert (figures, published) == (said(tmp_path)[0], said(tmp_path)[2])
    compaction.compact(tmp_path)
    assert names_in(tmp_path) == ["folded"]
    assert (figures, published) == (said(tmp_path)[0], said(tmp_path)[2])


def test_a_reader_misses_nothing_that_is_folded_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that are folded between being found and being read are read as what they have become."""
    leave_many(tmp_path)
    before = said(tmp_path)
    asked = ask.ask_all

    def compact_and_ask(*arguments: object) -> object:
        compaction.compact(tmp_path)
        return asked(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(collect_, "ask_all", compact_and_ask)
    assert before == said(tmp_path)
    assert names_in(tmp_path) == ["folded"]


def test_a_reader_counts_each_process_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are folded when some of them were read already stand in the account once."""
    leave_many(tmp_path)
    before = said(tmp_path)
    read, calls = segment.read_folder, iter(range(MANY))

    def compact_and_read(folder: Path) -> object:
        if next(calls, None) == MANY // 2:
            monkeypatch.undo()
            compaction.compact(tmp_path)
        return read(folder)

    monkeypatch.setattr(segment, "read_folder", compact_and_read)
    assert before == said(tmp_path)
    assert names_in(tmp_path) == ["folded"]


def test_who_does_not_hold_the_lock_folds_nothing(tmp_path: Path) -> None:
    """While another process publishes the folders stay as they are: it reads them."""
    leave_many(tmp_path)
    with working_folder.lock(str(tmp_path)):
        publish.publish_pipeline(str(tmp_path))
    assert "folded" not in names_in(tmp_path)


def test_what_was_erased_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erasing keeps folds out while it goes on, and takes what a broken one has left aside."""
    leave_many(tmp_path)
    working = tmp_path / working_folder.WORKING_FOLDER
    (working / f"{clean_up.COMPACTING}x").mkdir()
    recorded(tmp_path, Record("1-live", os.getpid(), "pipeline", host="elsewhere"))
    erase_segments, free = erase_._erase_segments, []

    def erase_and_look(folder: Path) -> Iterator[str]:
        with working_folder.lock(str(folder), 0.01) as held:
            free.append(held)
        yield from erase_segments(folder)

    monkeypatch.setattr(erase_, "_erase_segments", erase_and_look)
    list(erase_.erase(some_options(tmp_path), [tmp_path]))
    assert free == [False]
    assert [path.name for path in working.iterdir() if path.is_dir()] == ["1-live"]


def test_what_a_command_left_is_found_where_it_was_folded(tmp_path: Path) -> None:
    """A folded folder begins with its first process and ends with its last: both may be the command's."""
    leave_many(tmp_path)
    compaction.compact(tmp_path)
    ended = [bool(list(_recorded_since(begun, tmp_path))) for begun in (100.0, 90.0 + MANY, 110.0 + MANY)]
    assert ended == [True, True, False]


def test_an_end_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who publishes folds first; a folder that cannot be folded keeps nobody from publishing."""
    leave_many(tmp_path)
    publish.publish_pipeline(str(tmp_path))
    assert names_in(tmp_path) == ["folded"]
    leave_many(tmp_path)
    leave(tmp_path, 7, a_part("pipeline", {Source("/late.py"): bitmap([1])}))

    def fail(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "mkdir", fail)
    path = publish.publish_pipeline(str(tmp_path))
    assert ("pipeline", "/late.py") in (publication.read_fingerprints(Path(path)) or {})
    assert segment.SUFFIX in {file.suffix for file in (tmp_path / working_folder.WORKING_FOLDER / "7-a").iterdir()}
