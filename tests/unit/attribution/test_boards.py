from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from server_hook.attribution import boards
from server_hook.attribution.boards import PAGE_BYTES, UNNAMED, Board, Boards
from server_hook.store import clean_up
from server_hook.store.safe_files import RefusedError
from tests.conftest import needs_proc, wait_for
from tests.unit.attribution.conftest import Posting


def test_a_board_shows_the_test_that_runs(posting: Posting) -> None:
    """A reader sees the test that was put on the board last, and none after the last test."""
    board = posting.board("tests/test_chat.py::test_ä[x-1]|run")
    readers = Boards([str(posting.folder)])
    assert readers.running(9) == ["tests/test_chat.py::test_ä[x-1]|run"]
    board.show("t.py::b|setup")
    assert readers.running(9) == ["t.py::b|setup"]
    board.show("")
    assert readers.running(9) == []


def test_a_name_that_is_too_long_is_not_cut(posting: Posting) -> None:
    """A test whose name does not fit still counts as running, but no part of its name is given out."""
    posting.board("t.py::" + "x" * PAGE_BYTES + "|run")
    assert Boards([str(posting.folder)]).running(9) == [UNNAMED]


def test_no_reader_sees_half_a_name(tmp_path: Path) -> None:
    """While the board changes all the time, readers see only names that were shown, whole."""
    board = Board(str(tmp_path))
    shown = {"a" * 3000 + "|run", "b" * 20 + "|run"}
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            for name in shown:
                board.show(name)

    writer = threading.Thread(target=change)
    writer.start()
    try:
        seen = {boards.read(board.path) for _ in range(2000)}
    finally:
        done.set()
        writer.join()
    assert seen - {"", UNNAMED} <= shown
    assert seen & shown


def test_a_board_that_was_written_by_half_shows_no_name(tmp_path: Path) -> None:
    """A name that does not fit its checksum is not given out."""
    board = Board(str(tmp_path))
    board.show("t.py::a|run")
    page = Path(board.path).read_bytes()
    Path(board.path).write_bytes(page.replace(b"a|run", b"b|run"))
    assert boards.read(board.path) == UNNAMED


def test_a_new_board_is_seen_at_once(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that has looked before sees a board as soon as it is put up, without listing the folder each time."""
    monkeypatch.setattr(boards, "LOOK_S", 0.0)
    monkeypatch.setattr(boards, "AGAIN_S", 1e9)
    readers = Boards([str(posting.folder), str(posting.folder), ""])
    assert readers.running(9) == []
    posting.board("t.py::a|run")
    assert readers.running(9) == ["t.py::a|run"]
    posting.board("t.py::b|run")
    assert sorted(readers.running(9)) == ["t.py::a|run", "t.py::b|run"]
    assert len(readers.running(1)) == 1
    assert readers.are_several()


@needs_proc
def test_a_killed_session_claims_nothing(posting: Posting) -> None:
    """The board of a process that was killed in the middle of a test shows nothing, and is forgotten."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        posting.board("t.py::a|run", pid=process.pid)
        readers = Boards([str(posting.folder)])
        assert readers.running(9) == ["t.py::a|run"]
        process.kill()
        wait_for(lambda: not readers.running(9))  # not reaped yet: a zombie runs no test
        wait_for(lambda: not readers.posted())


def test_a_strangers_board_is_not_read(posting: Posting) -> None:
    """A link in a board's place is not followed."""
    board = posting.board("t.py::a|run")
    real = Path(board.path)
    real.rename(real.with_name("elsewhere"))
    real.symlink_to("elsewhere")
    assert Boards([str(posting.folder)]).running(9) == []
    with pytest.raises(RefusedError):
        boards.read(board.path)


def test_a_board_is_ours_to_delete(posting: Posting) -> None:
    """Whoever removes what a process has recorded removes its board, too."""
    board = posting.board("t.py::a|run")
    assert clean_up.remove_process(Path(board.path).parent)


def test_a_board_that_is_taken_down_is_gone(posting: Posting) -> None:
    """Nothing is left of a board after its session."""
    board = posting.board("t.py::a|run")
    readers = Boards([str(posting.folder)])
    assert readers.running(9)
    board.take_down()
    assert readers.running(9) == []
    assert not os.path.exists(board.path)


def test_a_folder_that_is_gone_is_forgotten(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that outlives many test processes remembers only those whose folders are there."""
    monkeypatch.setattr(boards, "LOOK_S", 0.0)
    readers = Boards([str(posting.folder)])
    for _ in range(3):
        board = posting.board("t.py::a|run")
        assert readers.running(9)
        clean_up.remove_process(Path(board.path).parent)
    readers.posted()
    assert len(readers._places[0]._looked_at) <= len(os.listdir(readers._places[0]._working)) + 1
