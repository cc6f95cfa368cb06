from __future__ import annotations

import contextlib
import copy
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.model import ORIGINS
from server_hook.arcs import Arcs
from server_hook.control.channel import Answer
from server_hook.store import records, segment
from server_hook.store.records import Record
from server_hook.store.segment import Source, TornError
from tests.unit.conftest import a_part, recorded
from tests.unit.untrusted import a_folder, bounded, fuzzed, whole_way

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(-1, 0, 1, 2**31, 2**63, 2**70, 10**400, 1e300, -1e300, float("inf"), float("-inf"), float("nan"), True, None),
        *("", "\0", "\x1b[2J", "\ud800", "\udcff", "\u202e", "/", ".", "../..", "unit", "pipeline", "x" * 5000, [], {}),
        *(
            [["x"]],
            {"interval_s": "x"},
            {"interval_s": 10**400},
            {"folder": 7},
            {"folder": "\0", "source": ["/\0a"]},
            "-6",
            "0x_6",
            "f" * 300_000,
            [""],
        ),
        *(["####"], ["AAAA"], [[]], "[" * 3000),
    ]
)


def spoil(raw: Any, places: list[int], values: list[Any]) -> Any:
    """Replace values anywhere in something nested by others."""
    for place, drawn in zip(places, values, strict=False):
        value = copy.deepcopy(drawn)  # one that is drawn twice would get into itself
        holder, left = raw, place
        while holder:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key, left = keys[left % len(keys)], left // len(keys)
            if left % 3 and isinstance(holder[key], (list, dict)):
                holder = holder[key]
            else:
                holder[key] = value
                break
    return raw


spoiled = given(st.lists(st.integers(0, 1 << 20), max_size=4), st.lists(ODD | JSON, min_size=4, max_size=4))


def usual_segment(folder: Path) -> Any:
    """Return the body of a segment of that project."""
    parts = [a_part("pipeline", {Source(str(folder / "mod.py")): 0b100110}, begun=9.0, ended=10.0)]
    return json.loads(segment.encode(parts).partition(b"\n")[2])


def with_head(body: bytes) -> bytes:
    """Make a whole segment of a body."""
    return f"vmpilot-cov segment {segment.FORMAT} {zlib.crc32(body):08x} {len(body)}\n".encode() + body


@fuzzed
@spoiled
def test_any_segment_is_named_or_counted(places: list[int], values: list[Any]) -> None:
    """Whatever is in a whole segment, it counts or is named, and the segment beside it counts."""
    with a_folder() as folder:
        place = recorded(
            folder, Record("1-a", 7, "pipeline", ended=1.0), a_part("pipeline", {Source(str(folder / "mod.py")): 2})
        )
        raw = spoil(usual_segment(folder), places, values)
        (place / "000002.seg").write_bytes(with_head(json.dumps(raw).encode()))
        collected = whole_way(folder)
    assert any(part.files for part in collected.parts)


DEEP_OR_WIDE = [b"[" * 100_000, b'{"parts":' * 50_000, b'{"sources":[' + b"[]," * 1_000_000 + b'0],"parts":[]}']


@fuzzed
@given(st.binary(max_size=200) | st.sampled_from(DEEP_OR_WIDE))
def test_any_octets_are_torn_or_parts(body: bytes) -> None:
    """Octets with a right checksum, whatever they are, are parts or torn."""
    with bounded(), contextlib.suppress(TornError):
        segment.decode(with_head(body))


@fuzzed
@spoiled
def test_any_record_is_named_or_believed(places: list[int], values: list[Any]) -> None:
    """Whatever is in a record, its process is told of or the record named, and its segments count."""
    with a_folder() as folder:
        source = Source(str(folder / "mod.py"))
        record = records.describe_process("1-a", "pipeline", "", {"interval_s": 1.0, "source": [str(folder)]})
        place = recorded(folder, record, a_part("pipeline", {source: 2}))
        raw = spoil(json.loads((place / records.RECORD).read_text()), places, values)
        (place / records.RECORD).write_text(json.dumps(raw))
        collected = whole_way(folder)
        assert any(part.files for part in collected.parts)
        is_named = any("record.json" in problem for problem in collected.problems)
        assert is_named == (records.read_record(place) is None)


@fuzzed
@given(JSON | st.dictionaries(st.sampled_from(Answer._fields), ODD | JSON))
def test_any_answer_is_believed_or_refused(raw: Any) -> None:
    """What a process answers has values of its kinds, or is no answer."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        answer = Answer.from_json(raw)
        assert [type(value) for value in answer[:2]] == [str, int]


def test_lines_and_arcs_have_limits() -> None:
    """As many lines as are allowed come back; one more is none of a file."""
    source = Source("/app/mod.py")
    for measured in (1 << (segment.MOST_LINES - 1), Arcs([(-1, segment.MOST_LINES)])):
        parts = [a_part("pipeline", {source: measured})]
        assert parts == segment.decode(segment.encode(parts))
    for measured in (1 << segment.MOST_LINES, Arcs([(1, segment.MOST_LINES + 1)])):
        with pytest.raises(TornError):
            segment.decode(segment.encode([a_part("pipeline", {source: measured})]))


def test_origins_are_ours() -> None:
    """A part counts for an origin that there is, and a pipeline has no contexts of tests."""
    for origin, context in [("evil", ""), ("", ""), ("pipeline", "unit"), ("unit", "pipeline")]:
        with pytest.raises(TornError):
            segment.decode(segment.encode([a_part(origin, {}, context=context)]))
    for origin in ORIGINS:
        (part,) = segment.decode(segment.encode([a_part(origin, {}, context=origin)]))
        assert part.label.origin == origin
