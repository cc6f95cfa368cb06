from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov.cli import looking
from pytest_vmpilot_cov.cli.looking import Looking
from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
from server_hook.store import epochs, segment
from server_hook.store.records import Record
from server_hook.store.segment import Label, Part, Source
from tests.page.conftest import make_page
from tests.unit.conftest import NOBODY, a_part, recorded, some_options

if TYPE_CHECKING:
    import pytest

FILES = {"app/__init__.py": "", "app/a.py": "x = (\n    1)\ny = 2\n"}


def data_of(folder: Path, number: int) -> dict[str, Any]:
    """Read the data of a file of a page."""
    text = (folder / f"data/{number}.js").read_text("ascii")
    data: dict[str, Any] = json.loads(text.partition(", ")[2].rstrip(")\n"))[1]
    return data


def test_each_process_has_the_statements_that_it_ran(tmp_path: Path) -> None:
    """What each process executed stands beside the lines, a statement of several lines in its first one."""
    reached = [a_part("unit", {Source("app/a.py"): 0b100}), a_part("e2e", {Source("app/a.py"): 0b1110})]
    made = make_page(tmp_path.resolve(), FILES, reached)
    assert data_of(made.folder, 1)["lines"] == "3 2"
    assert sorted(data_of(made.folder, 1)["processes"]) == [["2", [0]], ["a", [1]]]


def test_what_a_reset_left_out_is_of_no_process(tmp_path: Path) -> None:
    """Beside the lines that a server reached since its reset stand none that it reached before."""
    folder = tmp_path.resolve()
    source = Source(str(folder / "app/a.py"))
    before = Part(Label("pipeline"), 100.0, 200.0, {source: 0b100})
    since = Part(Label("pipeline"), 301.0, 400.0, {source: 0b1000}, epoch=300.0)
    recorded(folder, Record("9-ab", NOBODY, "pipeline", ended=400.0), before, since)
    epochs.note_reset(str(folder), 300.0)
    made = make_page(folder, {**FILES, "app/a.py": "def f():\n    a = 1\n    b = 2\n"}, [])
    assert data_of(made.folder, 1)["lines"] == "001"
    assert data_of(made.folder, 1)["processes"] == [["8", [0]]]


def test_processes_have_nothing_of_a_file_that_has_changed(tmp_path: Path) -> None:
    """What a process executed in another state of a file is beside none of its lines."""
    stale = a_part("unit", {Source("app/a.py", "0" * 32): 0b10, Source("app/__init__.py"): 0b10})
    made = make_page(tmp_path.resolve(), FILES, [stale])
    assert data_of(made.folder, 1)["processes"] == []


def test_nothing_new_is_not_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that finds no new segment, process or end keeps the version; a new segment makes a new one."""
    folder = tmp_path.resolve()
    make_page(folder, FILES, [a_part("unit", {Source("app/a.py"): 0b10})])
    monkeypatch.setattr(looking, "EVERY_S", 0.0)
    look = Looking(some_options(folder), hooks_of_command())
    versions = [look.look()[0], wait(look), wait(look)]
    assert versions == [1, 1, 1]
    (process,) = (folder / ".vmpilot-cov").glob("1-*")
    segment.write(str(process), 2, [a_part("unit", {Source(str(folder / "app/a.py")): 0b1000})])
    assert wait(look) == 2
    _, contents = look.look()
    before = look.state(1)
    assert before
    assert contents.files[0] is before.files[0]  # unchanged, so it is kept once
    assert contents.files[1]["lines"] == "1 1"


def wait(look: Looking) -> int:
    """Look again when it is time to."""
    look._next = 0.0
    return look.look()[0]


def test_old_states_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last states are kept: a page that shows an older one loads itself anew."""
    folder = tmp_path.resolve()
    make_page(folder, FILES, [a_part("unit", {Source("app/a.py"): 0b10})])
    monkeypatch.setattr(looking, "MOST_VERSIONS", 2)
    look = Looking(some_options(folder), hooks_of_command())
    (process,) = (folder / ".vmpilot-cov").glob("1-*")
    for number in range(2, 5):
        wait(look)
        segment.write(str(process), number, [a_part("unit", {Source(str(folder / "app/a.py")): 1 << number})])
    assert (wait(look), look.state(1), look.state(2)) == (4, None, None)
    assert look.state(3)
