"""``vmpilot-cov who`` and ``vmpilot-cov tests``: who ran a line, and what a test ran where."""

from __future__ import annotations

import re

import pytest

from server_hook.store import segment, working_folder
from server_hook.store.fingerprint import fingerprint
from server_hook.store.records import Record, write_record
from server_hook.store.segment import Label, Part, Source, bitmap
from tests.conftest import Project, numbered
from tests.e2e.conftest import WORK, vmpilot

TEST = "tests/e2e/test_two.py::test_two|run"
TWO = numbered(WORK, "test")[-2]
"""The line that only a test of the project runs."""


@pytest.fixture
def told(app: Project) -> Project:
    """Give the data of a server and of a test's process; the server ran line 10 for the test, line 14 for nobody."""
    path = app.path / "app" / "work.py"
    source = Source(str(path), fingerprint(str(path)))
    for pid, origin, command, lines in (
        (11, "pipeline", ("/usr/bin/python", "serve.py"), {"": [4, 10, 14, 15], TEST: [10]}),
        (12, "e2e", ("pytest",), {"": [4], TEST: [5]}),
    ):
        folder = working_folder.make_folder(str(app.path), f"{pid}-a")
        write_record(folder, Record(f"{pid}-a", pid, origin, started=100.0, ended=200.0, command=command))
        parts = [Part(Label(origin, name), 100.0, 200.0, {source: bitmap(each)}) for name, each in lines.items()]
        segment.write(folder, 1, parts)
    return app


def test_a_line_names_its_origins_processes_and_tests(told: Project) -> None:
    """Lines that the same processes and tests ran come together, each process with the tests whose lines these are."""
    done = vmpilot(told, "who", "app/work.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "app/work.py:4",
        "    e2e: pid 12 (pytest)",
        "    pipeline: pid 11 (python serve.py)",
        "app/work.py:5",
        "    e2e: pid 12 (pytest)",
        f"        {TEST}",
        "app/work.py:10",
        "    pipeline: pid 11 (python serve.py)",
        f"        {TEST}",
        "app/work.py:14-15",
        "    pipeline: pid 11 (python serve.py)",
    ]


@pytest.mark.parametrize("word", ["app/work.py:15", "work.py:15-17", "./app/../app/work.py:15"])
def test_a_line_or_a_range_is_chosen(told: Project, word: str) -> None:
    """A file is named by any path to it or by its end, lines after a colon."""
    done = vmpilot(told, "who", word)
    expected = "app/work.py:15\n    pipeline: pid 11 (python serve.py)\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_several_places_are_answered_one_after_the_other(told: Project) -> None:
    """More places may follow the first, before or after what is to be read; one that somebody ran is enough."""
    done = vmpilot(told, "who", "work.py:7", ".vmpilot-cov", "app/work.py:15")
    expected = "app/work.py:7: nobody ran it\napp/work.py:15\n    pipeline: pid 11 (python serve.py)\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_what_nobody_ran_is_said(told: Project) -> None:
    """A line or a file of the project that nobody ran is named as such, with exit code 1."""
    for word, shown in (("app/work.py:7", "app/work.py:7"), ("stay.py", "app/stay.py")):
        done = vmpilot(told, "who", word)
        assert (done.returncode, done.stdout) == (1, f"{shown}: nobody ran it\n")


def test_a_file_that_has_changed_is_not_said_to_be_nobodys(told: Project) -> None:
    """Data of a file that has changed since does not count: both say so, and ``who`` doesn't say that nobody ran it."""
    path = told.write("app/lib.py", "A = 1\n")
    source = Source(str(path), fingerprint(str(path)))
    folder = working_folder.make_folder(str(told.path), "13-a")
    write_record(folder, Record("13-a", 13, "unit", started=100.0, ended=200.0))
    segment.write(folder, 1, [Part(Label("unit", TEST), 100.0, 200.0, {source: bitmap([1])})])
    path.write_text("A = 2\n")
    said = "1 line that unit reached in app/lib.py do not count: the file has changed since (stale-source)"
    done = vmpilot(told, "who", "app/lib.py:1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"vmpilot-cov: {said}\n")
    assert vmpilot(told, "tests", "two").stderr == f"vmpilot-cov: {said}\n"


@pytest.mark.parametrize("pattern", ["test_two", "*::test_two", "tests/e2e/*", "test_t*"])
def test_a_test_shows_what_it_ran_where(told: Project, pattern: str) -> None:
    """A test is chosen by a part of its name or by a pattern; what it ran is listed by process and file."""
    done = vmpilot(told, "tests", pattern)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        TEST,
        "    e2e: pid 12 (pytest)",
        "        app/work.py: 5",
        "    pipeline: pid 11 (python serve.py)",
        "        app/work.py: 10",
    ]


def test_data_files_say_the_same_without_processes(told: Project) -> None:
    """What was published tells origins and tests apart; a data file stands for the processes that it was made of."""
    assert vmpilot(told, "combine").returncode == 0
    (told.path / "elsewhere").mkdir()
    copy = (told.path / ".coverage").rename(told.path / "elsewhere" / ".coverage")
    done = vmpilot(told, "who", "app/work.py:10", str(copy))
    assert done.stdout.splitlines() == ["app/work.py:10", "    pipeline: elsewhere/.coverage", f"        {TEST}"]
    done = vmpilot(told, "tests", "two", "elsewhere")
    assert [line.strip() for line in done.stdout.splitlines()[1:]] == [
        "e2e: elsewhere/.coverage",
        "app/work.py: 5",
        "pipeline: elsewhere/.coverage",
        "app/work.py: 10",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("who", "app/mian.py"),
            r"there is no data of app/mian.py; there is of app/__init__.py, .* \(file-unmeasured\)",
        ),
        (("who", "app/work.py:20-12"), r"app/work.py:20-12 is no line .* \(who-place\)"),
        (("who", "app/work.py:0"), r"app/work.py:0 is no line .* \(who-place\)"),
        (("tests", "test_three"), rf"no test .* test_three; there are {re.escape(TEST)} \(test-unmatched\)"),
    ],
)
def test_a_wrong_question_is_answered_in_one_line(told: Project, words: tuple[str, ...], said: str) -> None:
    """What is not in the data, or no line, is a message with what there is."""
    done = vmpilot(told, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"vmpilot-cov: {said}\n", done.stderr)


def test_without_tests_it_is_said_how_to_record_them(app: Project) -> None:
    """Where no test was told apart, ``who`` shows the processes, and both say what to do."""
    assert app.pytest("--vmpilot-cov").returncode == 0
    who, tests = vmpilot(app, "who", f"app/work.py:{TWO}"), vmpilot(app, "tests", "test_two")
    assert (who.returncode, tests.returncode) == (0, 2)
    assert re.match(rf"app/work.py:{TWO}\n    unit: pid \d+ \(", who.stdout)
    assert all("--cov-context=test (tests-unrecorded)" in done.stderr for done in (who, tests))


@pytest.mark.parametrize("words", [("who", "app/work.py"), ("tests", "two"), ("who", "app/work.py", "app")])
def test_without_data_nothing_can_be_said(app: Project, words: tuple[str, ...]) -> None:
    """Where nothing was measured, both say what to run."""
    done = vmpilot(app, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "(nothing-to-combine)" in done.stderr


def test_the_answer_of_a_real_session(app: Project) -> None:
    """A session with contexts, and a test named by it, find each other."""
    assert app.pytest("--vmpilot-cov", "--cov-context=test").returncode == 0
    done = vmpilot(app, "who", f"app/work.py:{TWO}")
    assert "        tests/test_two.py::test_two|run\n" in done.stdout
    done = app.run("python", "-m", "pytest_vmpilot_cov", "tests", "test_two")
    expected = rf"tests/test_two.py::test_two\|run\n    unit: pid \d+ .*\n        app/work.py: {TWO}\n"
    assert re.search(expected, done.stdout)
