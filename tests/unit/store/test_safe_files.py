from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from server_hook.store import clean_up, database, epochs, fingerprint, records, safe_files, segment, working_folder
from server_hook.store.records import Record
from server_hook.store.safe_files import RefusedError
from server_hook.systems.systems import system
from tests.unit.conftest import a_part, recorded

MAKERS: dict[str, Callable[[Path], object]] = {
    "FIFO": getattr(os, "mkfifo", lambda _: pytest.skip("this system has none")),
    "symbolic link": lambda path: path.symlink_to("elsewhere"),
    "folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    """Whatever else lies in a file's place is refused at once, and its kind is named."""
    (tmp_path / "elsewhere").write_bytes(b"a secret")
    MAKERS[kind](tmp_path / "it")
    with pytest.raises(RefusedError) as refused:
        safe_files.read(str(tmp_path / "it"), 100)
    assert (f"it is a {kind}, not a regular file; delete it", str(tmp_path / "it")) == (
        refused.value.strerror,
        refused.value.filename,
    )


@pytest.mark.parametrize("kind", ["FIFO", "folder"])
def test_a_source_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    """A source has no fingerprint where it is no regular file; links lead to many, and are followed."""
    MAKERS[kind](tmp_path / "it.py")
    (tmp_path / "real.py").write_text("x = 1\n")
    (tmp_path / "link.py").symlink_to("real.py")
    assert fingerprint.fingerprint(str(tmp_path / "it.py")) == fingerprint.fingerprint("/dev/zero") == ""
    assert fingerprint.fingerprint(str(tmp_path / "link.py")) == fingerprint.fingerprint(str(tmp_path / "real.py"))


def test_a_device_is_not_waited_for() -> None:
    """A device that never ends is refused."""
    with pytest.raises(RefusedError, match="it is a device"):
        safe_files.read("/dev/zero", 100)


def test_what_is_larger_than_ours_is_refused(tmp_path: Path) -> None:
    """A file is read up to its limit, and not at all beyond it."""
    path = str(tmp_path / "it")
    Path(path).write_bytes(b"12345")
    assert safe_files.read(path, 5) == b"12345"
    with pytest.raises(RefusedError, match="it is larger than"):
        safe_files.read(path, 4)


@pytest.mark.parametrize("name", ["identity", "resets", "lock", ".gitignore"])
@pytest.mark.parametrize("kind", MAKERS)
def test_nothing_is_written_to_what_is_not_ours(tmp_path: Path, name: str, kind: str) -> None:
    """What lies in the place of one of our files is neither followed nor waited for, and whoever needs it says so."""
    working = tmp_path / "data" / ".vmpilot-cov"
    working.mkdir(parents=True)
    (working / "elsewhere").write_text("precious")
    MAKERS[kind](working / name)
    acts: list[Callable[[str], object]] = [
        working_folder.folder_identity,
        lambda folder: epochs.note_reset(folder, 1.0),
        lambda folder: working_folder.lock(folder, 0.1).__enter__(),
    ]
    refused = []
    for act in acts:
        try:
            act(str(tmp_path / "data"))
        except RefusedError as error:
            refused.append(error.filename)
    assert refused == ([] if name == ".gitignore" else [str(working / name)])
    assert (working / "elsewhere").read_text() == "precious"


def test_a_list_of_resets_with_a_second_name_is_not_written_to(tmp_path: Path) -> None:
    """A hard link may lead to somebody's file: it is refused."""
    working = Path(working_folder.make_working_folder(str(tmp_path)))
    (tmp_path / "precious").write_text("")
    os.link(tmp_path / "precious", working / "resets")
    with pytest.raises(RefusedError, match="another name"):
        epochs.note_reset(str(tmp_path), 1.0)
    assert (tmp_path / "precious").read_text() == ""


def test_a_file_is_written_aside_through_no_link(tmp_path: Path) -> None:
    """A trap in the place of the aside file is taken away, not followed."""
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".it.tmp").symlink_to("precious")
    safe_files.replace(str(tmp_path / "it"), b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it", "precious"]
    assert ((tmp_path / "it").read_bytes(), (tmp_path / "precious").read_text()) == (b"new", "mine")


def test_the_identity_is_what_we_have_written(tmp_path: Path) -> None:
    """What is read for the identity, and published with it, can be nothing else."""
    path = Path(working_folder.make_working_folder(str(tmp_path))) / "identity"
    path.write_text("a secret of 16 !")
    with pytest.raises(RefusedError, match="does not hold what vmpilot-cov has written"):
        working_folder.folder_identity(str(tmp_path))


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o755, 0o775])
@pytest.mark.parametrize("owner", ["mine", "the folder's", "a stranger's"])
def test_strangers_are_believed_where_they_were_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: str
) -> None:
    """Where everybody may write, only this user, root and the folder's owner are believed; elsewhere all are."""
    (tmp_path / "it").write_bytes(b"octets")
    tmp_path.chmod(mode)
    uids = {"mine": 1000, "the folder's": 2000, "a stranger's": 3000}
    status = SimpleNamespace(st_uid=uids[owner])
    around = SimpleNamespace(st_uid=2000, st_mode=tmp_path.stat().st_mode)
    refused = []
    with monkeypatch.context() as as_another_user:
        as_another_user.setattr(system, "user", lambda: 1000)
        as_another_user.setattr(safe_files.os, "stat", lambda _: around)
        try:
            safe_files.check_owner(str(tmp_path / "it"), status)  # type: ignore[arg-type]
        except RefusedError as error:
            refused.append(error.strerror)
    assert bool(refused) == (owner == "a stranger's" and bool(mode & 0o002))


@pytest.mark.parametrize("kind", ["FIFO", "symbolic link"])
def test_the_working_folder_is_a_folder(tmp_path: Path, kind: str) -> None:
    """A working folder that is something else is not entered, and is named once to whoever asks."""
    (tmp_path / "elsewhere" / "1-a").mkdir(parents=True)
    MAKERS[kind](tmp_path / ".vmpilot-cov")
    refusals: list[OSError] = []
    assert not list(working_folder.process_folders(tmp_path, refusals.append))
    assert [f"it is a {kind}, not a folder; delete it"] == [each.strerror for each in refusals]
    with pytest.raises(RefusedError):
        working_folder.make_folder(str(tmp_path), "2-b")


def test_what_is_no_folder_of_a_process_is_named(tmp_path: Path) -> None:
    """Links, FIFOs and sockets in a working folder are named; our own files and what is hidden are passed over."""
    place = recorded(tmp_path, Record("1-a", 1, "pipeline"))
    working_folder.folder_identity(str(tmp_path))
    working = place.parent
    (working / "2-b").symlink_to("1-a")
    os.mkfifo(working / "lock")
    (working / ".folding-x").mkdir()
    refusals: list[OSError] = []
    assert [place] == list(working_folder.process_folders(tmp_path, refusals.append))
    assert [str(working / "2-b"), str(working / "lock")] == [each.filename for each in refusals]


def test_only_what_has_our_names_is_removed(tmp_path: Path) -> None:
    """A process's folder goes with what is ours in it; anything else keeps it, and a folder in it is not entered."""
    ours, theirs = (recorded(tmp_path, Record(name, 1, "pipeline"), a_part("pipeline", {})) for name in ("1-a", "2-b"))
    (ours / ".000002.seg.tmp").write_bytes(b"")
    (theirs / "000002.seg").mkdir()
    (theirs / "000002.seg" / "record.json").write_text("precious")
    (theirs / "notes.txt").write_text("precious")
    assert clean_up.remove_process(ours)
    assert not clean_up.remove_process(theirs)
    left = sorted(str(path.relative_to(theirs)) for path in theirs.rglob("*"))
    assert left == ["000002.seg", "000002.seg/record.json", "notes.txt"]


@pytest.mark.parametrize("which", ["the folder", "the one around it"])
def test_nothing_behind_a_link_is_removed(tmp_path: Path, which: str) -> None:
    """A link in the place of a process's folder, or of the working folder, leads nowhere."""
    victim = recorded(tmp_path / "victim", Record("1-a", 1, "pipeline"))
    (tmp_path / "data").mkdir()
    working = tmp_path / "data" / ".vmpilot-cov"
    if which == "the folder":
        working.mkdir()
        (working / "1-a").symlink_to(victim)
    else:
        working.symlink_to(victim.parent)
    assert not clean_up.remove_process(working / "1-a")
    assert (victim / records.RECORD).exists()


def test_a_working_folder_goes_when_it_is_empty(tmp_path: Path) -> None:
    """Without processes it goes with all that is ours; with something else in it, it stays."""
    with working_folder.lock(str(tmp_path)):
        working_folder.folder_identity(str(tmp_path))
        epochs.note_reset(str(tmp_path), 1.0)
    working = tmp_path / working_folder.WORKING_FOLDER
    (working / "notes.txt").write_text("precious")
    clean_up.remove_working_folder(tmp_path)
    assert [working / "notes.txt"] == list(working.iterdir())
    (working / "notes.txt").unlink()
    clean_up.remove_working_folder(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_socket_is_no_data_file(short_folder: Path) -> None:
    """SQLite opens nothing that it would wait for."""
    path = short_folder / ".coverage"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        with pytest.raises(RefusedError, match="it is a socket"), database.open_to_read(path):
            pass


def test_resets_that_mean_nothing_are_passed_over(tmp_path: Path) -> None:
    """A reset is a moment that can be; what else stands in the list takes no data away."""
    path = Path(working_folder.make_working_folder(str(tmp_path))) / working_folder.RESETS
    path.write_bytes(b"7.5\nnan\ninf\n1e999\n-1\n1e300\nsoon\n\xff\n")
    assert epochs.last_reset(str(tmp_path)) == 7.5


def test_segments_that_are_refused_stand_beside_good_ones(tmp_path: Path) -> None:
    """A FIFO or a link among the segments is refused in its place, and the others are read."""
    parts = [a_part("pipeline", {segment.Source("/app/main.py"): 2})]
    segment.write(str(tmp_path), 1, parts)
    os.mkfifo(tmp_path / "000002.seg")
    (tmp_path / "000003.seg").symlink_to("000001.seg")
    read = [each if isinstance(each, list) else str(each) for _, each in segment.read_folder(tmp_path)]
    expected = [
        parts,
        "it is a FIFO, not a regular file; delete it",
        "it is a symbolic link, not a regular file; delete it",
    ]
    assert expected == read
