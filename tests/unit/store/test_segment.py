from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_hook.arcs import Arcs
from server_hook.store import compaction, segment, segments
from server_hook.store.segment import Part, Source, TornError
from tests.unit.conftest import a_part, many_parts

APP = Source("/app/main.py", "0f" * 16)
PARTS = [
    a_part("unit", {APP: 0b1110, Source("/app/\udcff.py"): Arcs({(-1, 2), (2, 3)})}, context="test_one"),
    a_part("pipeline", {APP: 0}, startup=True),
]


def _with_body(body: bytes, number: object = segment.FORMAT) -> bytes:
    """Make the bytes of a segment whose checksum and length are right, whatever it says."""
    return f"vmpilot-cov segment {number} {zlib.crc32(body):08x} {len(body)}\n".encode() + body


def _is_torn(octets: bytes) -> bool:
    try:
        segment.decode(octets)
    except TornError:
        return True
    return False


@given(many_parts())
def test_what_is_encoded_comes_back(parts: list[Part]) -> None:
    """A segment gives back the parts it was made of: lines and arcs, odd paths, contexts, the startup flag."""
    assert parts == segment.decode(segment.encode(parts))


@given(many_parts(), st.data())
def test_a_cut_segment_is_torn(parts: list[Part], data: st.DataObject) -> None:
    """A segment that was cut at any byte is torn."""
    octets = segment.encode(parts)
    end = data.draw(st.integers(0, len(octets) - 1))
    assert _is_torn(octets[:end])


@given(many_parts(), st.data())
def test_a_segment_with_a_flipped_bit_is_torn(parts: list[Part], data: st.DataObject) -> None:
    """A segment in which any one bit has changed is torn."""
    octets = bytearray(segment.encode(parts))
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert _is_torn(bytes(octets))


@given(many_parts(), st.binary(min_size=1))
def test_a_segment_with_something_behind_it_is_torn(parts: list[Part], more: bytes) -> None:
    """A segment that is longer than it promises is torn."""
    assert _is_torn(segment.encode(parts) + more)


@given(st.binary())
def test_something_else_is_torn(octets: bytes) -> None:
    """Bytes that never were a segment are torn."""
    assert _is_torn(octets)


def test_another_format_says_which(tmp_path: Path) -> None:
    """A whole segment of a later format is torn, and its error names both formats and the way out."""
    (tmp_path / "000001.seg").write_bytes(_with_body(b"[]", 99))
    expected = "it has format 99, this version reads 3; install the same one everywhere"
    ((_, error),) = segment.read_folder(tmp_path)
    assert expected == str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5",
        b"null",
        b'"text"',
        b"[5]",
        b"[null]",
        b"[{}]",
        b"{",
        b"\xff",
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":5}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":[5]}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":[["a","","","xyz"]]}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":[["a","","",[1,2,3]]]}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":[["a","","",null]]}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":[["a","","",{}]]}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":1,"ended":2,"files":[[[],"","","f"]]}]',
        b'[{"origin":"unit","context":"","startup":false,"begun":"soon","ended":2,"files":[]}]',
    ],
)
def test_a_body_without_meaning_is_torn(body: bytes) -> None:
    """A body that is whole by checksum and length but not a list of parts is torn."""
    with pytest.raises(TornError):
        segment.decode(_with_body(body))


def test_a_written_segment_is_read_again(tmp_path: Path) -> None:
    """What was written to a folder is read from it, and nothing else is left there."""
    size_bytes = segment.write(str(tmp_path), 7, PARTS)
    path = tmp_path / "000007.seg"
    assert [(path, PARTS)] == list(segment.read_folder(tmp_path))
    assert ([path], size_bytes) == (list(tmp_path.iterdir()), path.stat().st_size)


@given(many_parts(), st.integers(100, 2000))
def test_what_is_too_large_for_one_segment_is_several(parts: list[Part], most_bytes: int) -> None:
    """Each segment is small enough to be read, or holds one file alone; together they hold everything."""
    written = list(segments.encode(parts, most_bytes))
    together = [part for octets in written for part in segment.decode(octets)]
    assert all(len(each) <= most_bytes or sum(len(part.files) for part in segment.decode(each)) < 2 for each in written)
    assert sorted(compaction.united(parts), key=repr) == sorted(compaction.united(together), key=repr)


def test_a_failed_rename_leaves_nothing_aside(tmp_path: Path) -> None:
    """A segment that cannot take its place raises, and its aside file is gone."""
    in_its_place = tmp_path / "000001.seg"
    in_its_place.mkdir()
    with pytest.raises(OSError, match="directory"):
        segment.write(str(tmp_path), 1, PARTS)
    assert [in_its_place] == list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that cannot be written to its end raises, and neither it nor its aside file is there."""
    monkeypatch.setattr(segment, "encode", lambda _: "text is no bytes")
    with pytest.raises(TypeError):
        segment.write(str(tmp_path), 1, PARTS)
    assert not list(tmp_path.iterdir())


def test_a_write_to_a_missing_folder_raises(tmp_path: Path) -> None:
    """A segment whose folder is gone raises OSError, for the recorder to keep it in memory."""
    with pytest.raises(FileNotFoundError):
        segment.write(str(tmp_path / "gone"), 1, PARTS)


def test_torn_segments_stand_beside_good_ones(tmp_path: Path) -> None:
    """Reading a folder gives every segment in order: the good ones whole, the torn ones as their error."""
    segment.write(str(tmp_path), 1, PARTS[:1])
    segment.write(str(tmp_path), 4, PARTS[1:])
    (tmp_path / "000002.seg").write_bytes(b"")
    (tmp_path / "000003.seg").mkdir()
    (tmp_path / ".000005.tmp").write_bytes(b"under way")
    (tmp_path / "record.json").write_text("{}")
    found = [
        (path.name, str(read) if isinstance(read, TornError) else read) for path, read in segment.read_folder(tmp_path)
    ]
    expected = [
        ("000001.seg", PARTS[:1]),
        ("000002.seg", "it does not begin like a segment"),
        ("000003.seg", "it is a folder, not a regular file; delete it"),
        ("000004.seg", PARTS[1:]),
    ]
    assert expected == found


def test_a_segment_that_vanishes_is_passed_over(tmp_path: Path) -> None:
    """A segment that is folded or erased while its folder is read is no error."""
    for number in (1, 2, 3):
        segment.write(str(tmp_path), number, PARTS)
    reading = segment.read_folder(tmp_path)
    next(reading)
    (tmp_path / "000002.seg").unlink()
    assert [(tmp_path / "000003.seg", PARTS)] == list(reading)


def test_a_missing_folder_holds_no_segments(tmp_path: Path) -> None:
    """The folder of a process that was erased meanwhile reads as empty."""
    assert not list(segment.read_folder(tmp_path / "gone"))
