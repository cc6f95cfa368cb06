from __future__ import annotations

from coverage.numbits import numbits_to_nums, nums_to_numbits
from hypothesis import given
from hypothesis import strategies as st

from server_hook.arcs import Arcs
from server_hook.store.segment import Measured, Source, bitmap, join, line_numbers, to_arcs, to_lines, unite
from tests.unit.conftest import a_part, anything_measured, arc_sets, bitmaps


@given(st.sets(st.integers(0, 5000)))
def test_a_bitmap_is_coverages_numbits(lines: set[int]) -> None:
    """A bitmap holds the bits of coverage's own numbits, read as one little-endian number."""
    assert int.from_bytes(nums_to_numbits(lines), "little") == bitmap(lines)


@given(st.sets(st.integers(0, 5000)))
def test_the_lines_of_a_bitmap_are_coverages(lines: set[int]) -> None:
    """The line numbers of a bitmap are those that coverage reads from it, ascending."""
    assert sorted(numbits_to_nums(nums_to_numbits(lines))) == line_numbers(bitmap(lines))


@given(anything_measured(), anything_measured())
def test_joining_is_commutative(one: Measured, other: Measured) -> None:
    """It does not matter which of two measurements comes first."""
    assert join(one, other) == join(other, one)


@given(anything_measured(), anything_measured(), anything_measured())
def test_joining_is_associative(one: Measured, two: Measured, three: Measured) -> None:
    """It does not matter which of three measurements are joined first."""
    assert join(join(one, two), three) == join(one, join(two, three))


@given(anything_measured())
def test_joining_is_idempotent(measured: Measured) -> None:
    """The same measurement twice is the measurement."""
    assert measured == join(measured, measured)


@given(anything_measured())
def test_joining_with_nothing_changes_nothing(measured: Measured) -> None:
    """United with nothing, a measurement is what it was."""
    files: dict[str, Measured] = {}
    unite(files, "a", measured)
    assert {"a": measured} == files


@given(bitmaps(), arc_sets())
def test_lines_join_arcs_as_arcs_to_themselves(lines: int, arcs: Arcs) -> None:
    """Lines enter arcs as (n, n): they count for their line and for no branch."""
    assert {(line, line) for line in line_numbers(lines)} | arcs == join(lines, arcs)


@given(anything_measured(), anything_measured())
def test_the_lines_of_a_join_are_the_union_of_the_lines(one: Measured, other: Measured) -> None:
    """Whether lines or arcs were measured, joining them reaches the lines that either side reaches."""
    assert to_lines(one) | to_lines(other) == to_lines(join(one, other))


@given(bitmaps())
def test_lines_survive_as_arcs(lines: int) -> None:
    """Lines that were turned into arcs are the same lines again."""
    assert lines == to_lines(to_arcs(lines))


def test_entries_and_exits_are_no_lines() -> None:
    """The lines of arcs are both ends of each, without entries and exits."""
    assert bitmap([1, 2, 5]) == to_lines(Arcs({(-1, 1), (1, 2), (2, 5), (5, -1)}))


@given(anything_measured(), anything_measured())
def test_a_part_keeps_the_union_of_what_is_added(one: Measured, other: Measured) -> None:
    """What is added to a part for one file twice is united."""
    part = a_part("unit", {})
    source = Source("/app/main.py")
    part.add(source, one)
    part.add(source, other)
    assert {source: join(one, other)} == part.files
