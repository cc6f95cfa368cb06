from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.collect.artifacts import open_artifacts
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.data_file import UNREADABLE, read_data_file
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.model import Collected
from server_hook.problems import printable
from server_hook.store import database, publication, working_folder
from server_hook.store.records import Record
from server_hook.store.segment import Label, Source
from tests.unit.conftest import a_part, recorded, some_options
from tests.unit.untrusted import a_folder, bounded, fuzzed, whole_way


def a_data_file(path: Path, source: str, *statements: str) -> None:
    """Write a data file of one source and three lines, and change it."""
    working_folder.make_working_folder(str(path.parent))
    publication.write_data_file(str(path), {Label("pipeline"): {Source(source): 0b1110}})
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        for statement in statements:
            with contextlib.suppress(sqlite3.Error):
                base.execute(statement)


TABLES = {
    "file": ("id", "path"),
    "context": ("id", "context"),
    "line_bits": ("file_id", "context_id", "numbits"),
    "arc": ("file_id", "context_id", "fromno", "tono"),
    "tracer": ("file_id", "tracer"),
    "meta": ("key", "value"),
    "coverage_schema": ("version",),
    publication.TABLE: ("context", "path", "fingerprint", "folder"),
}
VALUES = [
    *("NULL", "-1", "1e300", "9223372036854775807", "''", "'x'", "'/a' || char(0)"),
    *("x''", "x'ff'", "zeroblob(9000000)"),
]


@st.composite
def changes(draw: st.DrawFn) -> list[str]:
    """Draw a few statements that spoil a data file."""
    table = st.sampled_from(sorted(TABLES))
    value = st.sampled_from(VALUES)
    statements = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(table)
        columns = TABLES[name]
        statements.append(
            draw(
                st.sampled_from(
                    [
                        f"UPDATE {name} SET {draw(st.sampled_from(columns))} = {draw(value)}",
                        f"INSERT INTO {name} VALUES ({', '.join(draw(value) for _ in columns)})",
                        f"DELETE FROM {name}",
                        f"DROP TABLE {name}",
                        f"ALTER TABLE {name} RENAME TO other",
                        f"CREATE VIEW more AS SELECT * FROM {name}",
                    ]
                )
            )
        )
    return statements


@fuzzed
@given(changes())
def test_any_data_file_is_named_or_counted(statements: list[str]) -> None:
    """Whatever was done to a data file, it counts or is named, and other data counts."""
    with a_folder() as folder:
        source = str(folder / "mod.py")
        recorded(folder, Record("1-a", 7, "pipeline", ended=1.0), a_part("unit", {Source(source): 2}))
        a_data_file(folder / ".coverage.pipeline", source, *statements)
        collected = whole_way(folder)
    assert any(part.files for part in collected.parts)


@fuzzed
@given(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=64))
def test_a_damaged_data_file_is_named_or_counted(place: int, octets: bytes) -> None:
    """Octets of a database that were written over end in an error that has a name."""
    with a_folder() as folder:
        path = folder / ".coverage.pipeline"
        a_data_file(path, str(folder / "mod.py"))
        whole = bytearray(path.read_bytes())
        at = place % len(whole)
        whole[at : at + len(octets)] = octets
        path.write_bytes(whole)
        whole_way(folder)


NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
HOSTILE = {
    "a view that never ends": (
        "DROP TABLE line_bits",
        f"CREATE VIEW line_bits AS {NUMBERS} 1 AS file_id, 1 AS context_id, x'06' AS numbits FROM n",
    ),
    "a view of ours": (
        f"DROP TABLE {publication.TABLE}",
        f"CREATE VIEW {publication.TABLE} AS {NUMBERS} 'pipeline' AS context, i AS path, '' AS fingerprint FROM n",
    ),
    "a trigger": ("CREATE TRIGGER t INSERT ON file BEGIN DELETE FROM file; END",),
    "a virtual table": ("DROP TABLE arc", "CREATE VIRTUAL TABLE arc USING fts5(file_id, context_id, fromno, tono)"),
    "a column that is made": (
        "ALTER TABLE line_bits RENAME TO l",
        "CREATE TABLE line_bits (file_id, context_id, numbits AS (zeroblob(100000)))",
        f"INSERT INTO line_bits {NUMBERS} 1, i FROM n LIMIT 2000",
    ),
    "lines that no file has": ("UPDATE line_bits SET numbits = zeroblob(200000)",),
    "a long value": ("UPDATE line_bits SET numbits = zeroblob(90000000)",),
    "arcs that no file has": ("INSERT INTO arc VALUES (1, 1, 2147483647, -2147483648)", "DELETE FROM line_bits"),
}


@pytest.mark.parametrize("statements", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_data_file_is_refused(tmp_path: Path, statements: tuple[str, ...]) -> None:
    """A data file that stands for more than it holds is refused, soon."""
    path = tmp_path / ".coverage"
    a_data_file(path, "/app/mod.py", *statements)
    with bounded(), pytest.raises(UNREADABLE):
        read_data_file(path, "/app")


def test_a_data_file_is_read_for_a_limited_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than a file of its size may is broken off, in words."""
    path = tmp_path / ".coverage"
    a_data_file(path, "/app/mod.py")
    monkeypatch.setattr(database, "LEAST_READ_S", -1e9)
    endless = f"{NUMBERS} count(*) FROM n"
    with pytest.raises(TimeoutError, match="takes too long"), database.open_to_read(path) as base:
        base.execute(endless).fetchall()


def packed(names: list[str], octets: bytes, kind: str) -> bytes:
    """Pack the same content under several names."""
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w") as packing:
            for name in names:
                packing.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), octets)
    else:
        with tarfile.open(fileobj=made, mode="w:gz" if kind == "tar.gz" else "w", format=tarfile.PAX_FORMAT) as tar:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(octets)
                tar.addfile(member, io.BytesIO(octets))
    return made.getvalue()


MEMBERS = [
    *(".coverage", "a/.coverage.x", ".vmpilot-cov/1-a/000001.seg", "1-a/record.json", "resets", "../.coverage"),
    *("/.coverage", "a\n.coverage", "\x1b[2J/.coverage", "x" * 300 + "/.coverage", "a.zip", "b.tar.gz"),
    *(".coverage/.coverage", "\u202e.coverage"),
]


@fuzzed
@given(
    st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=4),
    st.binary(max_size=64),
    st.sampled_from(["zip", "tar", "tar.gz"]),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), max_size=3),
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_archive_is_named_or_counted(
    names: list[str], octets: bytes, kind: str, damage: list[tuple[int, bytes]]
) -> None:
    """Whatever an archive holds, and however it was damaged, it is named or counted, and nothing lies outside."""
    whole = bytearray(packed(names, octets, kind))
    for place, other in damage:
        at = place % len(whole)
        whole[at : at + len(other)] = other
    with a_folder() as folder:
        path = folder / f"artifact.{kind}"
        path.write_bytes(whole)
        before = sorted(os.listdir(folder))
        with bounded(), open_artifacts([str(path)], str) as artifacts:
            scope = Scope(ask=False, only=tuple(each.path for each in artifacts.places), known_places=artifacts.places)
            collected = collect(some_options(folder), scope) if artifacts.places else Collected(())
        said = [*artifacts.problems, *collected.problems]
        assert said or any(part.files for part in collected.parts) or collected.deliveries or collected.data_files
        assert all(printable(line) == line for line in said)
        assert before == sorted(os.listdir(folder))
