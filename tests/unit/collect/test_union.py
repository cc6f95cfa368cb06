from __future__ import annotations

import itertools
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from coverage import CoverageData
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.collect import data_file
from pytest_vmpilot_cov.collect.data_file import is_data_file, read_data_file
from pytest_vmpilot_cov.collect.union import Union
from pytest_vmpilot_cov.combine import unite as combining
from server_hook.arcs import Arcs
from server_hook.coverage_private import close_data
from server_hook.store import publication
from server_hook.store.segment import Label, Measured, Part, Source, bitmap
from tests.unit.combine.test_unite import FRESH, STALE, any_parts, unite
from tests.unit.conftest import a_part

APP = Source("/app/main.py")


def folded(parts: list[Part]) -> list[Part]:
    """Fold parts, and put what comes out in an order."""
    return sorted(Union(parts).take(), key=repr)


def in_epochs(parts: list[Part]) -> list[Part]:
    """Say of every second part that it is of a later epoch."""
    return [Part(part.label, part.begun, part.ended, part.files, number % 2) for number, part in enumerate(parts)]


@given(any_parts(), st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_matter(parts: list[Part], order: random.Random) -> None:
    """Whichever process is read first, the fold is the same."""
    assert folded(parts) == folded(order.sample(parts, len(parts)))


@given(any_parts())
def test_folding_twice_changes_nothing(parts: list[Part]) -> None:
    """What was read twice, or folded already, is folded to the same."""
    assert folded(parts) == folded([*parts, *parts]) == folded(folded(parts))


@given(any_parts(), st.integers(0, 6))
def test_folds_may_be_folded(parts: list[Part], at: int) -> None:
    """Folding some and then all is folding all."""
    assert folded(parts) == folded([*folded(parts[:at]), *folded(parts[at:])])


@given(any_parts(), st.booleans())
def test_a_fold_says_what_its_parts_say(parts: list[Part], keep: bool) -> None:  # noqa: FBT001 - a parameter
    """Everything that is asked of parts has the same answer: figures, stale lines, ages, start-up, branches."""
    before, after = unite(parts, keep_stale=keep), unite(folded(in_epochs(parts)), keep_stale=keep)
    assert before == after
    kinds = [combining.without_branches(each, before.counted) for each in (parts, folded(parts))]
    assert kinds[0] == kinds[1]


def test_a_fold_keeps_ages_apart() -> None:
    """Old data of one file does not make newer data of another one old."""
    parts = [a_part("unit", {STALE: bitmap([1])}, begun=5.0), a_part("unit", {FRESH: bitmap([1])}, begun=20.0)]
    assert unite(folded(parts)).oldest == {"unit": 20.0}


def test_a_fold_keeps_lines_and_arcs_apart() -> None:
    """Data without branches is still known as such beside data of the same origin that has them."""
    parts = [a_part("unit", {APP: bitmap([1])}), a_part("unit", {APP: Arcs({(1, 2)})})]
    assert [part.files[APP] for part in Union(parts).take()] == [bitmap([1]), Arcs({(1, 2)})]


def test_a_fold_grows_with_the_sources_alone() -> None:
    """A thousand processes that measured one file leave one part, and none of theirs is changed."""
    parts = [a_part("unit", {APP: {(n, n + 1)}}, begun=float(n), ended=float(n)) for n in range(1, 1001)]
    (part,) = Union(parts).take()
    assert (part.begun, part.ended, part.files) == (1, 1000, {APP: {(n, n + 1) for n in range(1, 1001)}})
    assert parts[0].files == {APP: Arcs({(1, 2)})}


def a_data_file(path: Path, contexts: dict[str, dict[str, list[int]]], *, branch: bool) -> Path:
    """Write a data file as coverage.py does."""
    data = CoverageData(basename=str(path))
    for context, files in contexts.items():
        data.set_context(context)
        if branch:
            arcs = {name: list(itertools.pairwise([-1, *lines, -1])) if lines else [] for name, lines in files.items()}
            data.add_arcs(arcs)
        else:
            data.add_lines(files)
    data.add_file_tracers({"/app/page.html": "a.plugin"})
    data.write()
    close_data(data)
    return path


LINES = {
    "": {"/app/main.py": [1, 2, 9000], "/app/page.html": [7], "/app/nothing.py": []},
    "test_one": {"/app/main.py": [5], "app/relative.py": [8]},
}


@pytest.mark.parametrize("branch", [False, True])
def test_the_schema_is_read_as_coverage_reads_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    branch: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Reading by the documented schema gives what coverage.py's own reader gives; another schema is left to that."""
    path = a_data_file(tmp_path / "x", LINES, branch=branch)
    by_schema = read_data_file(path, "/here")
    monkeypatch.setattr(data_file, "KNOWN_SCHEMA", -1)
    assert by_schema == read_data_file(path, "/here")
    found = {part.label: {source.path for source in part.files} for part in by_schema[0]}
    assert found == {
        Label("pipeline"): {"/app/main.py", "/app/page.html"},
        Label("pipeline", "test_one"): {"/app/main.py", "/here/app/relative.py"},
    }


@pytest.mark.parametrize("measured", [bitmap([1, 70]), Arcs({(1, 2), (-1, 1)})])
def test_a_publication_is_read_as_coverage_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured: Measured
) -> None:
    """Origins and fingerprints come back whichever way the file is read; by a schema that is not known, no tests do."""
    marked = Source("/app/main.py", "1" * 32)
    publication.write_data_file(
        str(tmp_path / "x"),
        {
            Label("unit"): {marked: measured},
            Label("unit", "test_one"): {marked: measured},
            Label("e2e"): {APP: measured},
        },
    )
    expected = [Part(Label("unit"), files={marked: measured}), Part(Label("e2e"), files={APP: measured})]
    of_test = Part(Label("unit", "test_one"), files={marked: measured})
    assert read_data_file(tmp_path / "x", "/here") == ([*expected, of_test], True)
    monkeypatch.setattr(data_file, "KNOWN_SCHEMA", -1)
    assert read_data_file(tmp_path / "x", "/here") == (expected, True)


@pytest.mark.parametrize(("name", "origin"), [(".coverage.tests", "unit"), (".coverage.pipeline", "pipeline")])
def test_contexts_of_coverage_are_tests(tmp_path: Path, name: str, origin: str) -> None:
    """A file of coverage.py or pytest-cov keeps its contexts, except those called as an origin; all of it counts."""
    contexts = {"": [1], "unit": [2], "nightly": [3], "tests/test_a.py::test_one|run": [4]}
    path = a_data_file(tmp_path / name, {name: {"/app/main.py": each} for name, each in contexts.items()}, branch=False)
    parts, is_published = read_data_file(path, "/here")
    found = {part.label: part.files[Source("/app/main.py")] for part in parts}
    assert (found, is_published) == (
        {
            Label(origin): bitmap([1, 2]),
            Label(origin, "nightly"): bitmap([3]),
            Label(origin, "tests/test_a.py::test_one|run"): bitmap([4]),
        },
        False,
    )


def test_a_data_file_is_known_by_its_content(tmp_path: Path) -> None:
    """A file of coverage.py is known under any name; another database, or a text with its name, is none."""
    assert is_data_file(a_data_file(tmp_path / "any-name", LINES, branch=False))
    (tmp_path / ".coverage").write_text("text")
    (tmp_path / "other").write_bytes(data_file.MAGIC + bytes(84))
    assert not any(is_data_file(tmp_path / name) for name in (".coverage", "other", "gone"))


def test_a_path_too_long_for_the_database_is_read(tmp_path: Path) -> None:
    """A data file in a place whose name SQLite does not take is read all the same; a look says no more than no."""
    folder = tmp_path.joinpath(*["x" * 200] * 4)
    folder.mkdir(parents=True)
    path = a_data_file(tmp_path / ".coverage.x", LINES, branch=False).rename(folder / ".coverage.x")
    assert {part.label.origin for part in read_data_file(path, "/here")[0]} == {"pipeline"}
    assert not is_data_file(path)


def test_a_file_in_use_is_waited_for_and_a_look_is_not(tmp_path: Path) -> None:
    """Somebody who writes a data file keeps nobody from seeing what it is."""
    path = a_data_file(tmp_path / "x", LINES, branch=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("BEGIN EXCLUSIVE")
        assert is_data_file(path)


def test_an_origin_goes_before_a_name(tmp_path: Path) -> None:
    """Whose plain data is says who named it, else its name, else it is the pipeline's."""
    plain, tests = (a_data_file(tmp_path / name, LINES, branch=False) for name in ("x", ".coverage.tests"))
    origins = [
        read_data_file(path, "/", told)[0][0].label.origin for path, told in ((plain, ""), (tests, ""), (tests, "e2e"))
    ]
    assert origins == ["pipeline", "unit", "e2e"]
