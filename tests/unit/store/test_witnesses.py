"""Tests in data files: one name over all origins for coverage.py, and whose work each line was for us."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.data_file import UNREADABLE, read_data_file
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.model import ORIGINS
from pytest_vmpilot_cov.publish import only
from server_hook.arcs import Arcs
from server_hook.store import publication, publish, segment, witnesses
from server_hook.store.records import Record
from server_hook.store.segment import ByLabel, Label, Source, bitmap
from tests.unit.conftest import a_part, published_of, recorded, some_options
from tests.unit.store.test_publish import lines_in

APP, LIB = Source("/app/main.py", "1" * 32), Source("/app/lib.py", "2" * 32)
TEST = "tests/e2e/test_chat.py::test_one|run"
COUNTED: ByLabel = {
    Label("e2e"): {LIB: bitmap([1, 2])},
    Label("e2e", TEST): {LIB: bitmap([2])},
    Label("pipeline"): {APP: bitmap([1, 2, 3]), LIB: bitmap([1, 5])},
    Label("pipeline", TEST): {APP: bitmap([2]), LIB: bitmap([5])},
}


def read_back(path: Path) -> ByLabel:
    """Read a data file as ``combine`` does."""
    return {part.label: part.files for part in read_data_file(path, "/here")[0]}


def test_a_test_has_one_name_over_all_origins(tmp_path: Path) -> None:
    """coverage.py finds under a test's name what the test ran in its own process and in the servers."""
    publication.write_data_file(str(tmp_path / ".coverage"), COUNTED)
    assert lines_in(tmp_path / ".coverage")[TEST] == {APP.path: [2], LIB.path: [2, 5]}


def test_each_file_has_the_tests_share_of_its_origins(tmp_path: Path) -> None:
    """The servers' file has what tests ran in servers, that of the tests what they ran in their own processes."""
    publication.write_data_file(str(tmp_path / "pipeline"), only(COUNTED, pipeline=True))
    publication.write_data_file(str(tmp_path / "tests"), only(COUNTED, pipeline=False))
    assert lines_in(tmp_path / "pipeline") == {
        "pipeline": {APP.path: [1, 2, 3], LIB.path: [1, 5]},
        TEST: {APP.path: [2], LIB.path: [5]},
    }
    assert lines_in(tmp_path / "tests") == {"e2e": {LIB.path: [1, 2]}, TEST: {LIB.path: [2]}}


def anything_counted() -> st.SearchStrategy[ByLabel]:
    """Draw what tests of all origins ran, partly in the same files."""
    arcs = st.sets(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1).map(Arcs)
    lines = st.sets(st.integers(1, 99), min_size=1).map(bitmap)
    tests = ("", "test_one", "test_two")
    labels = st.sampled_from([Label(origin, test) for origin in ORIGINS for test in tests])
    files = st.sampled_from([APP, LIB])
    return st.one_of(*(st.dictionaries(labels, st.dictionaries(files, each, min_size=1)) for each in (lines, arcs)))


@given(anything_counted())
def test_what_is_published_comes_back(counted: ByLabel) -> None:
    """A published file that is read back gives each test the same lines, or arcs, of each origin."""
    segment.add_totals(counted)
    with tempfile.TemporaryDirectory() as folder:
        publication.write_data_file(f"{folder}/.coverage", counted)
        assert read_back(Path(folder, ".coverage")) == counted


@pytest.mark.parametrize(
    "row",
    ["1, 'nobody', x'02', NULL", "1, 'unit', 'text', NULL", "1, 'unit', x'', '[[1, -1]]'", "1, 'unit', x'', '[1]'"],
)
def test_a_strange_table_is_refused(tmp_path: Path, row: str) -> None:
    """A table of ours with values that we never write makes the data file unreadable, and nothing else."""
    publication.write_data_file(str(tmp_path / "x"), COUNTED)
    with closing(sqlite3.connect(tmp_path / "x", isolation_level=None)) as base:
        base.execute(f"INSERT INTO {witnesses.TABLE} VALUES ({row})")
    with pytest.raises(UNREADABLE):
        read_data_file(tmp_path / "x", "/here")


def test_a_servers_tests_are_published(tmp_path: Path) -> None:
    """What a server recorded for a test is in its segments' publication under the test's name."""
    parts = [a_part("pipeline", {APP: bitmap([1, 2])}), a_part("pipeline", {APP: bitmap([2])}, context=TEST)]
    recorded(tmp_path, Record(id="1-a", pid=1, origin="pipeline", started=50.0, ended=300.0), *parts)
    publish.publish_pipeline(str(tmp_path))
    assert lines_in(tmp_path / publish.PIPELINE_FILE) == {"pipeline": {APP.path: [1, 2]}, TEST: {APP.path: [2]}}
    assert {part.label for part in collect(some_options(tmp_path), Scope("s1")).parts} == {
        Label("pipeline"),
        Label("pipeline", TEST),
    }


def test_what_ran_before_a_reset_is_no_tests(tmp_path: Path) -> None:
    """Lines that a server's start carries over a reset are not those of the test that ran before it."""
    (tmp_path / "app.py").write_text("def f():\n    pass\n")
    source = Source(str(tmp_path / "app.py"))
    before = [a_part("pipeline", {source: bitmap([1, 2])}, context=context) for context in ("", TEST)]
    after = a_part("pipeline", {source: bitmap([2])})
    after.epoch = 150.0
    recorded(tmp_path, Record(id="1-a", pid=1, origin="pipeline", started=50.0, ended=300.0), *before, after)
    found = published_of(tmp_path)
    assert found == {Label("pipeline"): {source: bitmap([1, 2])}}
