from __future__ import annotations

import importlib
import re
import sys
from typing import Any

import pytest

from tests.unit.test_layout import PLUGIN

BENCHMARKS = PLUGIN.parent / "benchmarks"

pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are not here")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import what makes the tables; its modules have names that others may want."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("all")
    for name in sys.modules.keys() - before:
        if "benchmarks" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_tables_of_the_page_are_what_the_program_makes(program: Any) -> None:
    """docs/performance.md has, between the marks, the tables that benchmarks/all.py writes: each row, with figures."""
    text = program.PAGE.read_text("utf-8")
    begin, end = text.index(program.BEGIN), text.index(program.END)
    rows = [line.strip("| ").split(" | ") for line in text[begin:end].splitlines() if line.startswith("|")]
    columns, scale_columns = list(program.COLUMNS), list(program.SCALE_COLUMNS)
    peers = [columns, ["---"] * len(columns), *([row.what] for row in program.ROWS)]
    scale = [scale_columns, ["---"] * len(scale_columns), *([what] for what in program.scale.WHAT)]
    expected = [*peers, *scale]
    assert expected == [row[: len(like)] for row, like in zip(rows, expected, strict=True)]
    for row in rows[2 : len(peers)]:
        assert len(row) == len(columns)
        assert all(re.fullmatch(r"-|1|\d+\.\d{3}", cell) for cell in row[3:])
    for row in rows[len(peers) + 2 :]:
        assert len(row) == len(scale_columns)
        assert all(map(float, row[1:]))


def test_what_is_written_goes_between_the_marks(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Writing the tables again replaces them, and leaves the rest of the page alone."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{program.BEGIN}old\n{program.END}after\n")
    monkeypatch.setattr(program, "PAGE", page)
    row = program.ROWS[2]
    figures = {row.base: [2.0, 4.0], program.AGAIN: [2.0, 4.0], program.OURS: [3.0, 5.0]}
    made = program.table(program.COLUMNS, [program.cells(row, figures)])
    for _ in range(2):
        program.write(made)
    expected = f"| {row.what} | no coverage, 3 s | 1.000 ± 0.000 | - | - | - | 1.375 |"
    assert [program.END.strip(), "after"] == page.read_text().splitlines()[-2:]
    assert page.read_text().splitlines()[:2] == ["before", program.BEGIN.strip()]
    assert page.read_text().count(expected) == 1
