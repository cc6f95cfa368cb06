from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from coverage import CoverageData
from coverage.exceptions import CoverageException

from server_hook import coverage_tables
from server_hook.arcs import Arcs
from server_hook.coverage_private import close_data
from server_hook.store import publication, publish, segment, working_folder
from server_hook.store.segment import ByLabel, Label, Part, Source, bitmap
from server_hook.systems.systems import system
from tests.unit.conftest import a_part, opened_below

APP, LIB = Source("/app/main.py", "1" * 32), Source("/app/lib.py", "2" * 32)
UNITED: segment.ByLabel = {
    Label("unit"): {APP: bitmap([1, 2]), LIB: bitmap([7])},
    Label("unit", "test_one"): {APP: bitmap([2])},
    Label("e2e"): {APP: bitmap([2, 3])},
}


def lines_in(path: Path) -> dict[str, dict[str, list[int]]]:
    """Read a data file with coverage.py: context -> path -> lines."""
    data = CoverageData(basename=str(path))
    data.read()
    found = {}
    for context in sorted(data.measured_contexts()):
        data.set_query_context(context)
        found[context] = {file: sorted(data.lines(file) or []) for file in sorted(data.measured_files())}
    close_data(data)
    return {context: {file: lines for file, lines in files.items() if lines} for context, files in found.items()}


def process_with(folder: Path, name: str, *parts: Part) -> None:
    """Leave the segment of a process in a data folder."""
    segment.write(working_folder.make_folder(str(folder), name), 1, parts)


def left_aside(folder: Path) -> list[str]:
    """List the aside files in a working folder."""
    return [path.name for path in (folder / working_folder.WORKING_FOLDER).glob("*.tmp")]


def test_a_published_file_is_read_by_coverage(tmp_path: Path) -> None:
    """coverage.py reads a published file, with every context apart."""
    publication.write_data_file(str(tmp_path / ".coverage"), UNITED)
    expected = {
        "unit": {"/app/main.py": [1, 2], "/app/lib.py": [7]},
        "test_one": {"/app/main.py": [2]},
        "e2e": {"/app/main.py": [2, 3]},
    }
    assert expected == lines_in(tmp_path / ".coverage")
    assert not left_aside(tmp_path)


@pytest.mark.parametrize(
    "united", [UNITED, {**UNITED, Label("e2e"): {APP: Arcs({(-1, 2), (2, 3)})}}], ids=["lines", "arcs"]
)
def test_contexts_of_tests_are_written_alike_in_either_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, united: ByLabel
) -> None:
    """What is written directly, in a schema that is known, is what coverage.py's own calls would write."""
    publication.write_data_file(str(tmp_path / "directly"), united)
    monkeypatch.setattr(coverage_tables, "SCHEMA_VERSION", 1000)
    publication.write_data_file(str(tmp_path / "by its calls"), united)
    assert lines_in(tmp_path / "by its calls") == lines_in(tmp_path / "directly")


def test_fingerprints_come_back(tmp_path: Path) -> None:
    """A published file knows what each source was when it was measured for an origin; a test's context adds nothing."""
    publication.write_data_file(str(tmp_path / ".coverage"), UNITED)
    expected = {
        ("unit", "/app/main.py"): "1" * 32,
        ("unit", "/app/lib.py"): "2" * 32,
        ("e2e", "/app/main.py"): "1" * 32,
    }
    assert expected == publication.read_fingerprints(tmp_path / ".coverage")


def test_all_are_arcs_as_soon_as_one_is(tmp_path: Path) -> None:
    """Where one file has arcs, lines become arcs to themselves, and none is lost."""
    united: segment.ByLabel = {
        Label("unit"): {APP: bitmap([4, 5])},
        Label("pipeline"): {APP: Arcs({(-1, 1), (1, 2)}), LIB: bitmap([9])},
    }
    publication.write_data_file(str(tmp_path / ".coverage"), united)
    data = CoverageData(basename=str(tmp_path / ".coverage"))
    data.read()
    expected = Arcs({(4, 4), (5, 5), (-1, 1), (1, 2)})
    assert (True, expected) == (data.has_arcs(), set(data.arcs(APP.path) or []))
    close_data(data)
    assert lines_in(tmp_path / ".coverage") == {
        "unit": {"/app/main.py": [4, 5]},
        "pipeline": {"/app/main.py": [1, 2], "/app/lib.py": [9]},
    }


def test_two_states_of_a_file_share_its_name(tmp_path: Path) -> None:
    """What is given under two states of one source, one without a fingerprint, is united under its path."""
    united: segment.ByLabel = {Label("unit"): {APP: bitmap([1]), Source(APP.path): bitmap([2])}}
    publication.write_data_file(str(tmp_path / ".coverage"), united)
    expected = {"unit": {"/app/main.py": [1, 2]}}
    assert expected == lines_in(tmp_path / ".coverage")


@pytest.mark.parametrize("united", [{}, UNITED, {Label("e2e"): {APP: Arcs({(1, 2)})}}])
def test_untouched_files_are_named(tmp_path: Path, united: segment.ByLabel) -> None:
    """Files that never ran are in the published file without lines, so that reports count them."""
    publication.write_data_file(str(tmp_path / ".coverage"), united, {"/app/never.py": ""})
    data = CoverageData(basename=str(tmp_path / ".coverage"))
    data.read()
    assert ("/app/never.py" in data.measured_files(), data.lines("/app/never.py")) == (True, [])
    close_data(data)


def test_the_plugin_that_measured_a_file_is_named(tmp_path: Path) -> None:
    """A file that a coverage plugin measured says so, for reports to ask that plugin."""
    publication.write_data_file(
        str(tmp_path / ".coverage"), {Label("unit"): {Source("/app/a.html", "", "a.plugin"): bitmap([1])}}
    )
    data = CoverageData(basename=str(tmp_path / ".coverage"))
    data.read()
    assert data.file_tracer("/app/a.html") == "a.plugin"
    close_data(data)


class FullDisk(CoverageData):
    """A CoverageData that cannot be written."""

    def write(self) -> None:
        """Fail as coverage.py does."""
        raise CoverageException("database or disk is full")


def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file cannot be written, the error names it, the earlier one is as it was, and nothing lies aside."""
    target = tmp_path / ".coverage"
    publication.write_data_file(str(target), UNITED)
    before = target.read_bytes()
    monkeypatch.setattr(publication, "CoverageData", FullDisk)
    with pytest.raises(OSError, match="disk is full") as caught:
        publication.write_data_file(str(target), {Label("unit"): {APP: bitmap([9])}})
    assert str(target) == caught.value.filename
    assert "cannot be written" not in caught.value.strerror  # whoever reports it says so
    assert before == target.read_bytes()
    assert not left_aside(tmp_path)


def test_a_target_that_cannot_be_replaced_is_an_error(tmp_path: Path) -> None:
    """Where something else is in the file's place it stays, and nothing lies aside."""
    (tmp_path / ".coverage").mkdir()
    with pytest.raises(OSError, match="directory"):
        publication.write_data_file(str(tmp_path / ".coverage"), UNITED)
    assert (tmp_path / ".coverage").is_dir()
    assert not left_aside(tmp_path)


def test_what_an_earlier_process_left_aside_is_no_harm(tmp_path: Path) -> None:
    """An aside file of a process that was killed while it published is written over."""
    aside = tmp_path / working_folder.WORKING_FOLDER / f"publish-{os.getpid()}.tmp"
    aside.parent.mkdir()
    aside.write_bytes(b"half a database")
    publication.write_data_file(str(tmp_path / ".coverage"), {Label("unit"): {APP: bitmap([1])}})
    expected = {"unit": {"/app/main.py": [1]}}
    assert expected == lines_in(tmp_path / ".coverage")


@pytest.mark.parametrize("measured", [bitmap([1]), Arcs({(1, 2)})])
def test_a_path_that_cannot_be_stored_is_left_out(tmp_path: Path, measured: segment.Measured) -> None:
    """A source whose path is no UTF-8, which SQLite cannot hold, does not keep the others out."""
    united: segment.ByLabel = {
        Label("unit"): {Source("/app/\udcff.py"): measured, APP: measured},
        Label("unit", "test_one"): {APP: measured},
    }
    publication.write_data_file(str(tmp_path / ".coverage"), united)
    assert {"/app/main.py"} == {path for files in lines_in(tmp_path / ".coverage").values() for path in files}


def test_a_context_that_cannot_be_stored_is_an_error_like_others(tmp_path: Path) -> None:
    """What SQLite cannot hold fails as every other write: as OSError."""
    with opened_below(tmp_path), pytest.raises(OSError, match=r"'.*/\.coverage'$"):
        publication.write_data_file(
            str(tmp_path / ".coverage"), {Label("unit"): {APP: 2}, Label("unit", "\udcff"): {APP: bitmap([1])}}
        )


def test_sources_may_be_named_relative_to_a_folder() -> None:
    """Sources are named as seen from a folder, and keep what is known of them; without a folder they stay."""
    outside = Source("/lib/x.py", "3" * 32, "a.plugin")
    united: segment.ByLabel = {Label("unit"): {APP: bitmap([1]), outside: Arcs({(1, 2)})}}
    expected = {
        Label("unit"): {
            Source("main.py", "1" * 32): bitmap([1]),
            Source("../lib/x.py", "3" * 32, "a.plugin"): Arcs({(1, 2)}),
        }
    }
    assert expected == publish.relative(united, "/app")
    assert united == publish.relative(united, "")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_newest_state_of_a_source_wins(order: Iterable[int]) -> None:
    """Where a source was measured before and after a change, what was measured after it is kept, for all origins."""
    parts = [
        a_part("pipeline", {Source("/a.py", "old"): bitmap([1]), LIB: bitmap([1])}, begun=10.0),
        a_part("pipeline", {Source("/a.py", "new"): bitmap([2]), LIB: bitmap([2])}, begun=30.0),
        a_part("unit", {Source("/a.py", "old"): bitmap([3])}, begun=20.0),
    ]
    expected = {Label("pipeline"): {Source("/a.py", "new"): bitmap([2]), LIB: bitmap([1, 2])}}
    assert expected == publish.newest(parts[number] for number in order)


def test_a_pipeline_is_published_as_the_union_of_its_processes(tmp_path: Path) -> None:
    """All pipeline processes of a data folder, and nothing else that lies there, make ``.coverage.pipeline``."""
    process_with(tmp_path, "1-a", a_part("pipeline", {APP: bitmap([1])}))
    process_with(tmp_path, "2-b", a_part("pipeline", {APP: bitmap([2])}), a_part("unit", {APP: bitmap([8])}))
    process_with(tmp_path, "3-c", a_part("e2e", {APP: bitmap([9])}))
    (tmp_path / ".vmpilot-cov" / "1-a" / "000002.seg").write_bytes(b"torn")
    path = publish.publish_pipeline(str(tmp_path))
    expected = {"pipeline": {"/app/main.py": [1, 2]}}
    assert (str(tmp_path / ".coverage.pipeline"), expected) == (path, lines_in(Path(path)))


@pytest.mark.parametrize("branch", [True, False])
def test_a_pipeline_is_published_as_the_session_was(tmp_path: Path, branch: bool) -> None:  # noqa: FBT001 - a parameter
    """Beside a ``.coverage`` with branches, what servers have measured in lines can be combined with it."""
    publication.write_data_file(str(tmp_path / ".coverage"), {Label("unit"): {LIB: bitmap([1])}}, branch=branch)
    process_with(tmp_path, "1-a", a_part("pipeline", {APP: bitmap([1, 2])}))
    path = publish.publish_pipeline(str(tmp_path))
    assert (publication.holds_arcs(path), lines_in(Path(path))) == (branch, {"pipeline": {"/app/main.py": [1, 2]}})


def test_a_pipeline_without_lines_is_not_published(tmp_path: Path) -> None:
    """Where nothing counts any more, as after a reset, there is no file, and none is taken for a foreign one."""
    process_with(tmp_path, "1-a", a_part("pipeline", {APP: bitmap([1])}))
    target = Path(publish.publish_pipeline(str(tmp_path)))
    (tmp_path / working_folder.WORKING_FOLDER / "resets").write_text("1e10\n")
    for _ in range(2):
        publish.publish_pipeline(str(tmp_path))
        assert not target.exists()
    assert [place.name for place in working_folder.process_folders(tmp_path)] == ["1-a"]


def test_a_foreign_file_that_is_deleted_meanwhile_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data file that coverage.py's ``combine`` deletes while it is about to be kept is no error."""
    target = tmp_path / publish.PIPELINE_FILE
    target.touch()

    def delete(*_: object) -> None:
        target.unlink()
        raise FileNotFoundError

    monkeypatch.setattr(system, "replace", delete)
    publish.keep_foreign(str(target), str(tmp_path))
    assert not list(working_folder.process_folders(tmp_path))


def test_a_foreign_file_is_kept_among_the_segments(tmp_path: Path) -> None:
    """A data file that was made elsewhere is about to be replaced: it is moved, whole, and not written over."""
    target = tmp_path / ".coverage.pipeline"
    foreign = CoverageData(basename=str(target))
    foreign.add_lines({"/other.py": [1]})
    foreign.write()
    close_data(foreign)
    before = target.read_bytes()
    process_with(tmp_path, "1-a", a_part("pipeline", {APP: bitmap([1])}))
    publish.publish_pipeline(str(tmp_path))
    publish.publish_pipeline(str(tmp_path))
    (kept,) = (tmp_path / working_folder.WORKING_FOLDER).glob("kept-*/.coverage.pipeline")
    expected = {"pipeline": {"/app/main.py": [1]}}
    assert (before, expected) == (kept.read_bytes(), lines_in(target))


@pytest.mark.parametrize("copied", [True, False])
def test_a_file_is_foreign_unless_it_was_published_here(tmp_path: Path, *, copied: bool) -> None:
    """A file that another folder published is kept; one of this folder can be made anew and is not."""
    target = tmp_path / "here" / ".coverage.pipeline"
    publication.write_data_file(str(target), UNITED)
    if copied:
        publication.write_data_file(str(tmp_path / "there" / "x"), UNITED)
        (tmp_path / "there" / "x").replace(target)
    publish.keep_foreign(str(target), str(target.parent))
    assert (copied, not copied) == (
        len(list(target.parent.glob(".vmpilot-cov/kept-*/.coverage.pipeline"))),
        target.exists(),
    )


@pytest.mark.parametrize("octets", [b"", b"no database", None])
def test_what_is_no_file_of_ours_has_no_fingerprints(tmp_path: Path, octets: bytes | None) -> None:
    """An empty file, one that is no database and one that is not there are none of our publications."""
    path = tmp_path / ".coverage"
    if octets is not None:
        path.write_bytes(octets)
    assert publication.read_fingerprints(path) is None
    assert not publication.is_published_here(str(path), str(tmp_path))


def test_a_folder_keeps_the_name_it_gave_itself(tmp_path: Path) -> None:
    """The identity of a working folder is made once, and is its own."""
    one, other = (working_folder.folder_identity(str(tmp_path / name)) for name in ("one", "other"))
    assert one == working_folder.folder_identity(str(tmp_path / "one")) != other


def test_one_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    """While one process publishes another one does not get the lock, and is told so; afterwards it does."""
    with working_folder.lock(str(tmp_path)) as held, working_folder.lock(str(tmp_path), 0.01) as too:
        expected = (True, False)
        assert expected == (held, too)
    with working_folder.lock(str(tmp_path), 0.01) as held:
        assert held


def test_without_locks_publishing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without locks nobody waits: renames are atomic."""

    def no_locks(_file: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr(system, "try_lock", no_locks)
    with working_folder.lock(str(tmp_path)) as held:
        assert held
