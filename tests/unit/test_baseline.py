"""The file with the baseline: written, and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov import baseline
from pytest_vmpilot_cov.baseline import path_of, read_baseline, text_of
from pytest_vmpilot_cov.model import Baseline, Figures, Options, Row, Tally, Threshold
from tests.unit.conftest import odd_text, some_options

TALLIES = {
    "/project/lib/b.py": {"combined": Tally(10, 1, 4, 1), "unit": Tally(10, 10, 4, 4), "pipeline": Tally(10, 2, 4, 1)},
    "/project/app/a.py": {"combined": Tally(3), "unit": Tally(3), "pipeline": Tally(3, 3)},
    "/project/app/__init__.py": {"combined": Tally()},
    "/elsewhere/c.py": {"combined": Tally(2, 2)},
}
TEXT = """\
../elsewhere/c.py: 0 of 2
app/a.py: 3 of 3, unit 3
lib/b.py: 12 of 14, pipeline 11
"""


def figures_of(tallies: dict[str, dict[str, Tally]]) -> Figures:
    """Make figures of some files."""
    return Figures((), Row("combined", 1, 1, 1, 1.0, 0), {}, tallies=tallies)


def comparing(folder: Path) -> Options:
    """Make options with a threshold that asks for the baseline."""
    return replace(some_options(folder), thresholds=(Threshold("total", 0.0, "here", baseline=True),))


def test_a_file_is_a_line() -> None:
    """Each file with statements has its line, sorted, whatever the order of the data, with origins that reached it."""
    options = some_options(Path("/project"))
    text = text_of(figures_of(TALLIES), options)
    assert text.partition("no less.\n")[2] == TEXT
    assert text == text_of(figures_of(dict(reversed(TALLIES.items()))), options)


@given(names=st.sets(odd_text().filter(lambda name: name.strip("/.") and "/" not in name), max_size=5))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    """Whatever a file is called, its counts come back."""
    folder = tmp_path_factory.mktemp("project")
    tallies = {f"{folder}/{name}": {"combined": Tally(9, 2), "e2e": Tally(9, 5)} for name in names}
    options = comparing(folder)
    path_of(options).write_text(text_of(figures_of(tallies), options), encoding="utf-8")
    expected = Baseline(dict.fromkeys(tallies, 9), {path: {"combined": 7, "e2e": 4} for path in tallies})
    assert read_baseline(options) == expected


def test_it_is_read_only_where_a_threshold_asks_for_it(tmp_path: Path) -> None:
    """Without such a threshold, no file is missing."""
    assert read_baseline(some_options(tmp_path, fail_under=5.0)) == Baseline()


def test_a_missing_baseline_is_named_with_the_cure(tmp_path: Path) -> None:
    """Without the file, the message names the command that writes it."""
    problem = read_baseline(comparing(tmp_path)).problem
    assert problem.startswith(f"there is no baseline to compare with: {tmp_path}/{baseline.NAME} does not exist")
    assert "vmpilot-cov baseline" in problem


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("app/a.py: 3 of 3\n<<<<<<< HEAD\n", "line 2 is not of this form"),
        (
            "app/a.py: 3 of 3\nb.py: 1 of 2\n\n# a comment\napp/a.py: 2 of 3\n",
            "line 5 names app/a.py again, after line 1",
        ),
        ("a.py: 4 of 3\n", "line 1 counts more than there is"),
        ("a.py: 1 of 3, unit 4\n", "line 1 counts more than there is"),
        ("a.py: 1 of 3, pipelin 1\n", "for an origin that doesn't exist"),
        (f"a.py: {'9' * 5000} of {'9' * 5000}\n", "line 1 is not of this form"),
        ('"a.py: 1 of 3\n', "Unterminated string"),
        ("\0\n", "line 1 is not of this form"),
    ],
)
def test_a_broken_baseline_is_named_with_the_line(tmp_path: Path, text: str, why: str) -> None:
    """What is no baseline is a message that names the file and the line, and is never taken for one."""
    (tmp_path / baseline.NAME).write_text(text)
    problem = read_baseline(comparing(tmp_path)).problem
    assert problem.startswith(f"{tmp_path}/{baseline.NAME} is not a baseline: ")
    assert why in problem


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A file of another encoding, and a folder of that name, are messages too."""
    if content is None:
        (tmp_path / baseline.NAME).mkdir()
    else:
        (tmp_path / baseline.NAME).write_bytes(content)
    assert "(baseline-broken)" in read_baseline(comparing(tmp_path)).problem


def test_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    """A checkout that turns line ends into CRLF, or an editor that adds a mark, changes nothing."""
    (tmp_path / baseline.NAME).write_bytes(b"\xef\xbb\xbf# head\r\na.py: 1 of 3, unit 1\r\n")
    expected = Baseline({f"{tmp_path}/a.py": 3}, {f"{tmp_path}/a.py": {"combined": 1, "unit": 1}})
    assert read_baseline(comparing(tmp_path)) == expected
