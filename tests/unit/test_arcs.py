from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_hook.arcs import Arcs

Pairs = set[tuple[int, int]]
line = st.integers(-(2**31), 2**31 - 1)


def pairs() -> st.SearchStrategy[Pairs]:
    """Draw pairs of any line numbers, and often some that others have, too."""
    few = st.integers(-3, 3)
    return st.sets(st.tuples(line, line) | st.tuples(few, few))


@given(pairs())
def test_arcs_are_the_pairs_that_went_in(arcs: Pairs) -> None:
    """What comes out is what went in, and how much of it."""
    assert (arcs, len(arcs)) == (set(Arcs(arcs)), len(Arcs(arcs)))


@given(st.lists(st.tuples(line, line)))
def test_order_and_repetition_do_not_matter(arcs: list[tuple[int, int]]) -> None:
    """The same pairs are the same arcs, in whatever order and however often they come."""
    once, again = Arcs(arcs), Arcs([*reversed(arcs), *arcs])
    assert once == again


@given(pairs(), pairs())
def test_a_union_is_that_of_sets(one: Pairs, other: Pairs) -> None:
    """Arcs are united as sets of pairs are, and neither side changes."""
    mine, theirs = Arcs(one), Arcs(other)
    assert Arcs(one | other) == mine | theirs
    assert (one, other) == (set(mine), set(theirs))


@given(pairs())
def test_text_brings_arcs_back(arcs: Pairs) -> None:
    """Arcs come back from their text."""
    assert Arcs(arcs) == Arcs.from_text(Arcs(arcs).to_text())


@given(pairs())
def test_lines_are_both_ends(arcs: Pairs) -> None:
    """The lines of arcs are both their ends, without entries and exits."""
    assert {end for arc in arcs for end in arc if end > 0} == Arcs(arcs).lines()


@given(pairs(), st.tuples(line, line))
def test_membership_is_that_of_a_set(arcs: Pairs, arc: tuple[int, int]) -> None:
    """An arc is among them if it went in."""
    assert (arc in arcs) == (arc in Arcs(arcs))
    assert all(each in Arcs(arcs) for each in arcs)


@pytest.mark.parametrize("text", ["AAAA", "AAAAAAAAAAAAAAA", "\xe4"])
def test_text_that_is_no_arcs_is_refused(text: str) -> None:
    """Text that holds half an arc, or none at all, is an error of its value."""
    with pytest.raises(ValueError, match=r"."):
        Arcs.from_text(text)
