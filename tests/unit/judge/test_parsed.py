"""What was parsed of sources is kept from one report to the next, and changes no figure."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from coverage import Coverage
from coverage.parser import PythonParser
from coverage.python import PythonFileReporter
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.judge import coverage_parser, parsed
from pytest_vmpilot_cov.judge.coverage_parser import SparingReporter
from pytest_vmpilot_cov.judge.parsed import ParsedSources
from server_hook.store import clean_up, parsed_files
from server_hook.systems.systems import system

EXCLUDED = "# pragma: no cover"
SOURCE = f"""\
def one(x,
        y):
    with open(x) as file, \\
            open(y):
        if y: return 1
        for each in file:
            continue
    while x:  # pragma: no branch
        break


if one:  {EXCLUDED}
    print('never')
"""


def reporter(folder: Path, *, branch: bool = True, name: str = "app.py", way: str = "") -> SparingReporter:
    """Open a source as the next process would: with what the last one has kept."""
    return SparingReporter(str(folder / name), Coverage(data_file=None), ParsedSources(folder, way, branch=branch))


def answers(of: PythonFileReporter, *, branch: bool = True) -> dict[str, Any]:
    """Ask a reporter everything that coverage.py's reports ask, in the order of its analysis."""
    answer: dict[str, Any] = {"lines": of.lines(), "excluded": of.excluded_lines()}
    last = len(of.source().splitlines()) + 2
    answer["first lines"] = {line: of.translate_lines([line]) for line in range(1, last)}
    if branch:
        arcs = {(begin, end) for begin in range(-last, last) for end in range(-last, last) if begin and end}
        answer["arcs"], answer["exits"] = of.arcs(), dict(of.exit_counts())
        answer["translated"] = {arc: of.translate_arcs([arc]) for arc in arcs}
        answer["no branch"] = of.no_branch_lines()
        answer["descriptions"] = {arc: of.missing_arc_description(*arc) for arc in answer["arcs"]}
        answer["effects"] = {arc: of.arc_description(*arc) for arc in answer["arcs"]}
    return answer


def keep(of: SparingReporter) -> SparingReporter:
    """Parse a source, and save what was parsed, in a folder where something was recorded."""
    with suppress(FileExistsError):
        Path(of.filename).with_name(".vmpilot-cov").mkdir()
    of.lines()
    of._sources.save()  # type: ignore[attr-defined]
    return of


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every attempt to parse fail."""
    monkeypatch.setattr(PythonParser, "parse_source", lambda _: pytest.fail("parsed again"))


@pytest.mark.parametrize("branch", [False, True])
def test_nothing_is_parsed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, branch: bool) -> None:
    """The second report takes statements, exclusions and arcs from the first, and gives the same figures."""
    (tmp_path / "app.py").write_text(SOURCE)
    first = keep(reporter(tmp_path, branch=branch))
    forbid_parsing(monkeypatch)
    second = reporter(tmp_path, branch=branch)
    assert (second.lines(), second.excluded_lines()) == (first.lines(), first.excluded_lines())
    if branch:
        assert (second.arcs(), second.exit_counts()) == (first.arcs(), first.exit_counts())


def test_a_copy_is_not_parsed_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept belongs to the content, wherever it lies."""
    for name in ("app.py", "copy.py"):
        (tmp_path / name).write_text(SOURCE)
    statements = keep(reporter(tmp_path)).lines()
    forbid_parsing(monkeypatch)
    assert reporter(tmp_path, name="copy.py").lines() == statements


def test_lines_that_were_kept_do_not_stand_for_arcs(tmp_path: Path) -> None:
    """A report with branches parses what one without has kept."""
    (tmp_path / "app.py").write_text(SOURCE)
    keep(reporter(tmp_path, branch=False))
    assert answers(reporter(tmp_path)) == answers(PythonFileReporter(str(tmp_path / "app.py"), Coverage()))


def test_a_changed_source_is_parsed_again(tmp_path: Path) -> None:
    """Another content is another source, at the same path."""
    (tmp_path / "app.py").write_text(SOURCE)
    keep(reporter(tmp_path))
    (tmp_path / "app.py").write_text("print(1)\n\nprint(3)\n")
    assert reporter(tmp_path).lines() == {1, 3}


def test_what_changes_while_it_is_parsed_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is saved between the look at its content and the parsing belongs to neither content."""
    (tmp_path / "app.py").write_text("print(1)\n")
    made = SparingReporter._parse

    def changed_first(of: SparingReporter) -> coverage_parser.ParserState | None:
        (tmp_path / "app.py").write_text("\nprint(2)\n")
        return made(of)

    monkeypatch.setattr(SparingReporter, "_parse", changed_first)
    keep(reporter(tmp_path))
    monkeypatch.undo()
    (tmp_path / "app.py").write_text("print(1)\n")
    assert reporter(tmp_path).lines() == {1}


def test_other_exclusions_are_another_way(tmp_path: Path) -> None:
    """A source that was parsed with other exclusions is parsed again, and both results are kept."""
    (tmp_path / "app.py").write_text(SOURCE)
    keep(reporter(tmp_path, way="one"))
    keep(reporter(tmp_path, way="other"))
    assert len(parsed_files.oldest_first(tmp_path)) == 2


def blocks(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    """Draw a compound statement around others."""
    heads = [
        *(
            "if a:",
            "while a:",
            "for a in b:",
            "with a:",
            "with a as b, \\\n        c:",
            "class A(\n    B\n):",
            "def f(a,\n b=1):",
        ),
        *("async def f():", "@a\n@b\ndef f():", f"if a:  {EXCLUDED}", f"def f():  {EXCLUDED}", "while True:", "if 0:"),
        *("try:", "match a:", "for a in b: # pragma: no branch"),
    ]
    tails = {
        "try:": ["except A: return 1", "finally:\n    a", "except A as e:\n    raise\nelse:\n    b"],
        "if a:": ["", "else: b", "elif c:\n    d\nelse:\n    e"],
        "while a:": ["", "else:\n    b"],
    }

    def draw_from(head: str, body: list[str], tail: int) -> list[str]:
        if head == "match a:":
            body = ["case 1:", *(f"    {line}" for line in body), "case _:", "    pass"]
        more = tails.get(head, [""])
        lines = [*head.split("\n"), *(f"    {line}" for line in body)]
        return [*lines, *more[tail % len(more)].split("\n")]

    return st.builds(draw_from, st.sampled_from(heads), inner, st.integers(0, 2))


simple = st.lists(
    st.sampled_from(
        [
            *("a = 1", "f(\n    a,\n    b)", "'''doc\nstring'''", "return 1", "break", "continue", "raise A", "pass"),
            *(
                "",
                "x = lambda: 1",
                "assert a, (\n  b)",
                f"a  {EXCLUDED}",
                "[\n a for a in b\n if a]",
                "import a; b = 1",
            ),
        ]
    ).map(lambda text: text.split("\n")),
    min_size=1,
    max_size=4,
).map(lambda parts: [line for part in parts for line in part])
bodies = st.recursive(
    simple,
    lambda inner: st.lists(blocks(inner), min_size=1, max_size=3).map(
        lambda them: [line for each in them for line in each]
    ),
)


@given(bodies)
def test_no_figure_depends_on_what_was_kept(body: list[str]) -> None:
    """For generated sources, a reporter that parsed nothing gives coverage.py's own answers, one by one."""
    source = "def outer():\n" + "\n".join(f"    {line}" for line in body) + "\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(source)
        own = PythonFileReporter(str(folder / "app.py"), Coverage(data_file=None))
        try:
            expected = answers(own)
        except Exception as error:  # noqa: BLE001 - NotPython, or a source that only the compiler refuses
            with pytest.raises(type(error)):
                answers(keep(reporter(folder)))
            return
        keep(reporter(folder))
        assert answers(reporter(folder)) == expected


def test_what_is_no_python_is_not_kept(tmp_path: Path) -> None:
    """A template fails each time that it is parsed, and is never taken for an empty source."""
    (tmp_path / "app.py").write_text("{% block %}\n")
    of = reporter(tmp_path)
    for _ in range(2):
        with pytest.raises(Exception, match="parse"):
            of.lines()


FORGERIES = {
    "garbage": b"\xff\x00",
    "another shape": b"[1, 2]",
    "deep": b"[" * 100_000,
    "numbers": b'{"MARK": 7}',
    "strings": b'{"MARK": ["zz", "1", [], [], []]}',
    "lines without end": b'{"MARK": ["2", "0", [1, 1, 99999999999], [], []]}',
    "many runs": b'{"MARK": ["2", "0", [1, 1, 1000000, 1, 1, 1000000], [], []]}',
    "half an arc": b'{"MARK": ["2", "0", [], [1], []]}',
    "a huge bitmap": b'{"MARK": ["' + b"f" * 1_000_000 + b'", "0", [], [], []]}',
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_what_is_damaged_is_parsed_again(tmp_path: Path, forgery: bytes) -> None:
    """A file that holds something else is as good as none, and is replaced."""
    (tmp_path / "app.py").write_text(SOURCE)
    statements = keep(reporter(tmp_path)).lines()
    [path] = parsed_files.oldest_first(tmp_path)
    [mark] = json.loads(path.read_bytes())
    path.write_bytes(forgery.replace(b"MARK", mark.encode()))
    assert keep(reporter(tmp_path)).lines() == statements
    assert [*json.loads(path.read_bytes())] == [mark]


def test_what_somebody_else_may_have_written_is_not_believed(tmp_path: Path) -> None:
    """A forged entry changes no figure where others may write to the file, or where it is a link to another."""
    (tmp_path / "app.py").write_text(SOURCE)
    statements = keep(reporter(tmp_path)).lines()
    [path] = parsed_files.oldest_first(tmp_path)
    [mark] = json.loads(path.read_bytes())
    forged = json.dumps({mark: ["2", "0", [], [], []]})
    path.write_text(forged)
    assert reporter(tmp_path).lines() == {1}  # believed, because it is ours alone
    path.chmod(0o666)
    assert reporter(tmp_path).lines() == statements
    path.unlink()
    (tmp_path / "elsewhere").write_text(forged)
    path.symlink_to(tmp_path / "elsewhere")
    assert reporter(tmp_path).lines() == statements


@pytest.mark.skipif(system.user() != 0 or not hasattr(os, "chown"), reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_not_believed(tmp_path: Path) -> None:
    """The entry of another user changes no figure."""
    (tmp_path / "app.py").write_text(SOURCE)
    statements = keep(reporter(tmp_path)).lines()
    [path] = parsed_files.oldest_first(tmp_path)
    path.write_text(json.dumps({mark: ["2", "0", [], [], []] for mark in json.loads(path.read_bytes())}))
    os.chown(path, 4321, -1)
    assert reporter(tmp_path).lines() == statements


def test_the_files_stay_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What doesn't fit is left out, oldest first, and so are ways that were not used for longest."""
    monkeypatch.setattr(parsed, "MOST_BYTES", 400)
    monkeypatch.setattr(parsed, "MOST_WAYS", 2)
    for number in range(9):
        (tmp_path / "app.py").write_text("print()\n" * (number + 1))
        keep(reporter(tmp_path))
    [path] = parsed_files.oldest_first(tmp_path)
    assert 300 < path.stat().st_size <= 400
    os.utime(path, (1, 1))
    for way in ("a", "b"):
        keep(reporter(tmp_path, way=way))
    assert len(parsed_files.oldest_first(tmp_path)) == 2
    assert not path.exists()


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    """Where nothing can be kept, every report parses."""
    (tmp_path / "app.py").write_text(SOURCE)
    (tmp_path / ".vmpilot-cov").write_text("not a folder")
    assert keep(reporter(tmp_path)).lines() == keep(reporter(tmp_path)).lines()


def test_no_folder_is_made_for_it(tmp_path: Path) -> None:
    """A report where nothing was recorded leaves nothing behind: another user may be the next to record there."""
    (tmp_path / "app.py").write_text(SOURCE)
    of = reporter(tmp_path)
    of.lines()
    of._sources.save()  # type: ignore[attr-defined]
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"]


def test_erase_removes_what_was_parsed(tmp_path: Path) -> None:
    """Cleaning up the working folder takes these files along, half-written ones included."""
    (tmp_path / "app.py").write_text(SOURCE)
    keep(reporter(tmp_path))
    (tmp_path / ".vmpilot-cov" / f".{parsed_files.name_of('0' * 8)}.tmp").touch()
    clean_up.remove_working_folder(tmp_path)
    assert not (tmp_path / ".vmpilot-cov").exists()


def test_this_coverage_remembers_nothing_that_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the parser of the installed coverage.py remembers is known; of one with more, nothing is kept."""
    (tmp_path / "app.py").write_text(SOURCE)
    parser = PythonParser(filename=str(tmp_path / "app.py"))
    parser.parse_source()
    assert vars(parser).keys() <= coverage_parser._PARSER
    monkeypatch.setattr(coverage_parser, "_PARSER", coverage_parser._PARSER - {"exclude"})
    keep(reporter(tmp_path))
    assert parsed_files.oldest_first(tmp_path) == []
