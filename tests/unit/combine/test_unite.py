from __future__ import annotations

from copy import deepcopy
from functools import partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.combine import unite as combining
from pytest_vmpilot_cov.model import ORIGINS, Combined, LeftOut
from server_hook.arcs import Arcs
from server_hook.store.fingerprint import UNVERIFIED, fingerprint
from server_hook.store.segment import Label, Measured, Part, Source, bitmap
from tests.unit.conftest import a_part, anything_measured

HERE = Path(__file__)
APP, OTHER = str(HERE), str(HERE.parents[1] / "conftest.py")
GONE, FOREIGN = str(HERE.parent / "gone.py"), "/foreign/lib.py"
NOW, THEN = fingerprint(APP), "0" * 32
FRESH, UNMARKED, STALE = Source(APP, NOW), Source(APP), Source(APP, THEN)

unite = partial(
    combining.unite, project_files={APP: "", OTHER: ""}, is_project_file=lambda path: not path.startswith("/foreign")
)


def any_parts() -> st.SearchStrategy[list[Part]]:
    """Draw parts of files that are fresh, unmarked, stale, deleted and foreign."""
    sources = st.sampled_from([FRESH, UNMARKED, STALE, Source(OTHER), Source(GONE, NOW), Source(FOREIGN)])
    labels = st.builds(
        Label,
        st.sampled_from(ORIGINS),
        st.sampled_from(["", "test_one"]),
        st.booleans(),
        dropped=st.sampled_from([False]),
    )
    moment = st.integers(1, 9).map(float)
    files = st.dictionaries(sources, anything_measured(), max_size=3)
    return st.lists(st.builds(Part, labels, moment, moment, files), max_size=6)


@given(any_parts(), st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_matter(parts: list[Part], random: Random) -> None:
    """Whichever process delivered first, the combination is the same."""
    shuffled = random.sample(parts, len(parts))
    assert unite(parts) == unite(shuffled)


@given(any_parts())
def test_combining_the_same_parts_twice_changes_nothing(parts: list[Part]) -> None:
    """A part that was collected twice counts once."""
    assert unite(parts) == unite([*parts, *parts])


@given(any_parts(), st.data())
def test_it_does_not_matter_how_parts_were_cut(parts: list[Part], data: st.DataObject) -> None:
    """The same measurement in one part or in two, one for each file, combines to the same."""
    cut = [
        Part(part.label, part.begun, part.ended, files)
        for part in parts
        for files in _cut(part, data.draw(st.integers(0, len(part.files))))
    ]
    assert unite(parts) == unite(cut)


def _cut(part: Part, at: int) -> tuple[dict[Source, Measured], ...]:
    files = list(part.files.items())
    return dict(files[:at]), dict(files[at:])


@given(any_parts())
def test_combining_leaves_the_parts_alone(parts: list[Part]) -> None:
    """What was collected is the same after it was combined."""
    before = deepcopy(parts)
    unite(parts)
    assert before == parts


def test_every_origin_and_context_is_kept_apart() -> None:
    """Lines appear under their origin, and under their own context as well."""
    parts = [
        a_part("unit", {FRESH: bitmap([1])}, context="test_one"),
        a_part("e2e", {FRESH: bitmap([1, 2])}),
        a_part("pipeline", {FRESH: Arcs({(2, 3)})}),
    ]
    expected = {
        Label("unit"): {FRESH: bitmap([1])},
        Label("unit", "test_one"): {FRESH: bitmap([1])},
        Label("e2e"): {FRESH: bitmap([1, 2])},
        Label("pipeline"): {FRESH: Arcs({(2, 3)})},
    }
    assert expected == unite(parts).counted


@pytest.mark.parametrize(
    ("of_test", "total", "lines_only"),
    [
        (bitmap([2, 3]), Arcs({(-1, 2), (2, 3)}), ()),
        (bitmap([3, 7]), Arcs({(-1, 2), (2, 3), (7, 7)}), ("pipeline",)),
        (Arcs({(3, -1)}), Arcs({(-1, 2), (2, 3), (3, -1)}), ()),
    ],
)
def test_a_server_with_branches_may_tell_tests_apart_by_lines(
    of_test: Measured, total: Measured, lines_only: tuple[str, ...]
) -> None:
    """What a server recorded for a test as well changes nothing of its origin; what it lacks is added."""
    parts = [
        a_part("pipeline", {FRESH: Arcs({(-1, 2), (2, 3)})}),
        a_part("pipeline", {FRESH: of_test}, context="test_one"),
    ]
    counted = unite(parts).counted
    assert counted == {Label("pipeline"): {FRESH: total}, Label("pipeline", "test_one"): {FRESH: of_test}}
    assert combining.without_branches(parts, counted) == lines_only


def test_a_test_is_told_apart_in_each_origin() -> None:
    """What a test ran in its own process and what it ran in a server stay apart, each in its origin's total."""
    parts = [
        a_part("e2e", {FRESH: bitmap([1])}, context="test_one"),
        a_part("pipeline", {FRESH: bitmap([2])}, context="test_one"),
        a_part("pipeline", {STALE: bitmap([3])}, context="test_one"),
    ]
    assert unite(parts).counted == {
        Label("e2e"): {FRESH: bitmap([1])},
        Label("pipeline"): {FRESH: bitmap([2])},
        Label("e2e", "test_one"): {FRESH: bitmap([1])},
        Label("pipeline", "test_one"): {FRESH: bitmap([2])},
    }


def test_stale_files_are_left_out_and_counted() -> None:
    """Lines of a file that has changed since do not count; each line is reported once for each origin."""
    parts = [
        a_part("unit", {STALE: bitmap([1, 2, 3])}),
        a_part("unit", {Source(APP, "1" * 32): bitmap([3, 4])}),
        a_part("e2e", {STALE: Arcs({(-1, 1), (1, 2)})}),
    ]
    expected = Combined({}, {APP: "", OTHER: ""}, stale=(LeftOut(APP, "e2e", 2), LeftOut(APP, "unit", 4)))
    assert expected == unite(parts)


def test_what_is_fresh_counts_beside_what_is_stale() -> None:
    """A file measured before and after a change counts with what was measured after it."""
    parts = [a_part("unit", {STALE: bitmap([8, 9])}), a_part("unit", {FRESH: bitmap([1])}, begun=300.0)]
    expected = Combined(
        {Label("unit"): {FRESH: bitmap([1])}},
        {OTHER: ""},
        stale=(LeftOut(APP, "unit", 2),),
        oldest={"unit": 300.0},
    )
    assert expected == unite(parts)


def test_a_file_that_could_not_be_read_counts_and_is_named() -> None:
    """Nobody knows whether such a file has changed since: its lines count, and its name is listed."""
    unread = Source(APP, UNVERIFIED)
    combined = unite([a_part("pipeline", {unread: bitmap([1])})])
    assert ({Label("pipeline"): {unread: bitmap([1])}}, (APP,), ()) == (
        combined.counted,
        combined.unverified,
        combined.stale,
    )


def test_a_file_without_a_fingerprint_counts() -> None:
    """Where nobody knows what the source was, its lines count."""
    expected = {Label("pipeline"): {UNMARKED: bitmap([1])}}
    assert expected == unite([a_part("pipeline", {UNMARKED: bitmap([1])})]).counted


@pytest.mark.parametrize("mark", ["", NOW])
def test_deleted_files_are_left_out(mark: str) -> None:
    """Lines of a source file that is there no more do not count, whether its fingerprint is known or not."""
    expected = Combined({}, {APP: "", OTHER: ""}, no_source=(GONE,))
    assert expected == unite([a_part("unit", {Source(GONE, mark): bitmap([1, 2, 3])})])


def test_foreign_files_are_listed_and_not_counted() -> None:
    """Files that are none of the project's are listed once each, and count for nothing."""
    parts = [
        a_part("pipeline", {Source(FOREIGN): bitmap([1]), Source("/foreign/b.py"): bitmap([1])}),
        a_part("unit", {Source(FOREIGN): bitmap([2])}),
    ]
    expected = Combined({}, {APP: "", OTHER: ""}, foreign=("/foreign/b.py", FOREIGN))
    assert expected == unite(parts)


def test_untouched_files_are_those_that_nobody_reached() -> None:
    """The project's files without any part are untouched; one that anybody reached is not."""
    expected = {OTHER: ""}
    assert expected == unite([a_part("pipeline", {FRESH: bitmap([1])})]).untouched


def test_the_age_of_an_origin_is_that_of_its_oldest_counted_part() -> None:
    """How old an origin's data is says the oldest of its parts that counts; stale and foreign ones do not."""
    parts = [
        a_part("unit", {FRESH: bitmap([1])}, begun=30.0),
        a_part("unit", {FRESH: bitmap([1])}, begun=20.0),
        a_part("unit", {STALE: bitmap([1])}, begun=5.0),
        a_part("pipeline", {Source(FOREIGN): bitmap([1])}, begun=5.0),
        a_part("e2e", {FRESH: bitmap([1])}, begun=40.0),
    ]
    expected = {"unit": 20.0, "e2e": 40.0}
    assert expected == unite(parts).oldest


def test_start_up_lines_are_shared_with_origins_that_use_the_file() -> None:
    """What ran while a file was imported counts for each origin whose tests run code of that file, and no other."""
    parts = [
        a_part("unit", {FRESH: bitmap([1, 2]), Source(OTHER): bitmap([7])}, startup=True),
        a_part("e2e", {FRESH: bitmap([5])}),
    ]
    expected = {
        Label("unit"): {FRESH: bitmap([1, 2]), Source(OTHER): bitmap([7])},
        Label("e2e"): {FRESH: bitmap([1, 2, 5])},
    }
    assert expected == unite(parts).counted


def test_start_up_lines_are_not_shared_for_start_up_lines() -> None:
    """An origin that only imported a file as well gets nothing of what the other's import ran."""
    parts = [
        a_part("unit", {FRESH: bitmap([1, 2])}, startup=True),
        a_part("e2e", {FRESH: bitmap([1])}, startup=True),
    ]
    expected = {Label("unit"): {FRESH: bitmap([1, 2])}, Label("e2e"): {FRESH: bitmap([1])}}
    assert expected == unite(parts).counted


def test_start_up_lines_are_never_shared_with_the_pipeline() -> None:
    """A server imports for itself: what a session imported is not counted as reached by it."""
    parts = [a_part("unit", {FRESH: bitmap([1, 2])}, startup=True), a_part("pipeline", {FRESH: bitmap([5])})]
    expected = {Label("unit"): {FRESH: bitmap([1, 2])}, Label("pipeline"): {FRESH: bitmap([5])}}
    assert expected == unite(parts).counted


def test_start_up_lines_of_another_state_are_not_shared() -> None:
    """What an import ran before a file changed is not shared with an origin that uses it after the change."""
    parts = [a_part("unit", {STALE: bitmap([1, 2])}, startup=True), a_part("e2e", {FRESH: bitmap([5])})]
    expected = {Label("e2e"): {FRESH: bitmap([5])}}
    assert expected == unite(parts).counted
