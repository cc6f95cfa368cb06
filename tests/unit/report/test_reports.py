from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_vmpilot_cov.model import (
    Change,
    ChangedFile,
    Check,
    Collected,
    Combined,
    DataFile,
    Delivery,
    Diff,
    Figures,
    LeftOut,
    Options,
    Outcome,
    ReportRequest,
    Row,
    Setting,
    Tally,
    Verdict,
)
from pytest_vmpilot_cov.options.missing import missing_paths
from pytest_vmpilot_cov.report import pipeline, terminal, words
from pytest_vmpilot_cov.report import report as reports
from pytest_vmpilot_cov.report.json import add_origins, origins_of
from pytest_vmpilot_cov.report.markdown import markdown_report
from pytest_vmpilot_cov.report.terminal import Line, origin_cells, section
from pytest_vmpilot_cov.report.words import age_of, command_of
from server_hook.control.channel import Answer
from server_hook.store.records import Record
from server_hook.store.segment import Label, Part, Source
from tests.unit.conftest import some_options

NOW = 1_000_000.0
ROOT = Path("/project")
HEADING = "_ coverage: platform linux, python 3.11.7-final-0 _"
NOBODY = 1 << 22
"""Above every pid that a system gives, the test's own included."""


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every age be counted from the same moment."""
    monkeypatch.setattr(words, "time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setattr(terminal, "heading", lambda: HEADING)


def delivery(number: int, origin: str = "pipeline", **changes: Any) -> Delivery:
    """Make the delivery of a process, by default a live server that answered."""
    command = ("/venv/bin/python", "-m", "uvicorn", "server.main:app", "--port", "9099")
    own = {name: changes.pop(name) for name in ("ended", "host") if name in changes}
    record = Record(f"{number}-ab", NOBODY + number, origin, command=command, **own)
    folder = ROOT / ".vmpilot-cov" / record.id
    plain = Delivery(record, "live", folder, asked=True, answered=True, executed=True, newest=NOW - 2)
    return replace(plain, **changes)


def check(passed: str = "", failed: str = "") -> Check:
    """Make a check of the total."""
    return Check("total", not failed, passed or failed, 75.0, 62.5 if failed else 90.0, "app/chat.py" if failed else "")


TABLE = "Name     Stmts   Miss  Cover\n----------------------------\napp.py     120     30    75%\n"
PASSED = "Required test coverage of 75% reached. Total coverage: 90.00%"
UNIT = Check(
    "unit",
    passed=False,
    text="FAIL Required coverage of 60% by unit not reached: 50.00%; "
    "most to gain in app/chat.py (8 of 10 statements missing)",
    required=60.0,
    actual=50.0,
    file="app/chat.py",
)
EACH = Check(
    "each", passed=False, text="FAIL Required coverage of 60% of each file not reached", details=("1% in a.py",)
)
FAILED = "FAIL Required test coverage of 75% not reached. Total coverage: 62.50%"
NOT_ENFORCED = (
    "Not enforced: fail_under 75 from .coveragerc, because only a part was run (-k chat); "
    "--vmpilot-cov-strict enforces it"
)
OPTIONS: Options = replace(
    some_options(ROOT, fail_under=75.0, precision=1, config_file="/project/.coveragerc", source=("app",)),
    data_places=(Setting(Path("/nowhere/usual")),),
)

CHANGE = Change(
    Diff({"/project/app/chat.py": (2, 3, 7, 8, 9)}, "1f64b8ec654e7b3a82d2", "the merge base with origin/main", "/"),
    rows=(Row("unit", 1, 5, 1, 20.0, 0), Row("pipeline", 1, 5, 2, 40.0, 1)),
    total=Row("combined", 1, 5, 2, 40.0, 0),
    files={
        "/project/app/chat.py": ChangedFile(
            (2, 3, 7, 8, 9), (7, 8, 9), {"unit": (2,), "pipeline": (2, 3)}, ((7, 8), (9, 9))
        )
    },
)
FULL = Outcome(
    Collected(
        parts=(Part(Label("pipeline", startup=True), files={Source("/project/app/chat.py"): 0b1110}),),
        deliveries=(
            delivery(1),
            delivery(2, answered=False, problem="no answer within 5 s", newest=NOW - 90),
            delivery(3, answer=Answer("3", 3, orphan=True), ports=("127.0.0.1:9099",)),
            delivery(4, life="dead", asked=False, answered=False, newest=NOW - 7200, ended=NOW - 7199),
            delivery(7, life="dead", asked=False, answered=False, newest=NOW - 8, alive_at=NOW - 7.6),
            delivery(8, life="remote", answered=False, problem="it cannot be asked", newest=NOW - 0.8, host="web1"),
            delivery(5, life="dead", asked=False, answered=False, executed=False, newest=0.0),
            delivery(6, "e2e", life="dead", asked=False, answered=False),
        ),
        data_files=(
            DataFile(Path("/srv/copied/.coverage.pipeline"), NOW - 200_000),
            DataFile(Path("/project/.coverage.pipeline"), NOW - 60, published=True, is_derived=True),
        ),
        reset_at=NOW - 100,
    ),
    Combined(
        {
            Label("pipeline"): {Source("/project/app/chat.py"): 0b1110},
            Label("e2e", "tests/e2e/test_chat.py::test_one|run"): {Source("/other/x.py"): 0b10},
            Label("pipeline", "tests/e2e/test_chat.py::test_one|run"): {Source("/project/app/chat.py"): 0b1100},
            Label("pipeline", "tests/e2e/test_chat.py::test_two|run"): {Source("/project/app/chat.py"): 0b1000},
        },
        {},
        stale=(LeftOut("/project/app/chat.py", "pipeline", 12), LeftOut("/other/x.py", "unit", 2)),
        foreign=("/project/deploy.py", "/srv/a.py", "/srv/b.py", "/srv/c.py"),
        oldest={"unit": NOW - 5, "pipeline": NOW - 180_000},
    ),
    Figures(
        rows=(
            Row("unit", 11, 1200, 600, 50.0, 250),
            Row("e2e", 4, 1200, 90, 7.5, 10),
            Row("pipeline", 9, 1200, 480, 40.0, 140),
        ),
        total=Row("combined", 14, 1200, 750, 62.5, 0),
        lines={"/project/app/chat.py": {"unit": (1, 2), "pipeline": (2, 3)}, "/other/x.py": {}},
        change=CHANGE,
    ),
    Verdict(
        (Check("require unit", passed=True, text=""), UNIT, EACH, check(failed=FAILED)),
        ("a warning of the verdict",),
        62.5,
    ),
    text=(TABLE, "Coverage HTML written to dir htmlcov"),
    problems=("/project/x.seg of process 9 does not count: it is torn (segment-torn)",),
)
PLAIN = Outcome(
    Collected(parts=(), deliveries=(delivery(1),)),
    Combined({}, {}, oldest={"unit": NOW - 5, "pipeline": NOW - 30}),
    Figures((Row("unit", 1, 10, 9, 90.0, 9),), Row("combined", 1, 10, 9, 90.0, 0), {"/project/app.py": {"unit": (1,)}}),
    Verdict((check(PASSED),), (), 90.0),
)
NOTHING = Outcome(
    Collected(parts=()),
    Combined({}, {}),
    Figures((), Row("combined", 0, 10, 0, 0.0, 0), {}),
    Verdict((), ("nothing was measured: no statement of . was executed (nothing-measured)",), 0.0, NOT_ENFORCED),
)
CASES = {"full": FULL, "plain": PLAIN, "nothing": NOTHING}

each_case = pytest.mark.parametrize("case", CASES)


class Table:
    """A Coverage that only prints a table."""

    def report(self, *, file: Any, output_format: str) -> float:
        """Print the table."""
        file.write(f"| a {output_format} table of coverage.py |\n")
        return 0.0


@each_case
def test_the_section_in_the_terminal(case: str, gold: Callable[[str], str]) -> None:
    """The section shows who reached what of all and of the change, servers, what is wrong, and the verdict last."""
    shown = "".join(f"{line.text}\n" for line in section(CASES[case], OPTIONS))
    assert gold(f"section-{case}.txt") == shown


@each_case
def test_the_markdown_report(case: str, gold: Callable[[str], str]) -> None:
    """The Markdown report is the verdict, the change, the origins as a table, and coverage.py's own table, folded."""
    cov: Any = Table()
    assert gold(f"report-{case}.md") == markdown_report(cov, OPTIONS, CASES[case])


@each_case
def test_the_key_in_the_json_report(case: str, gold: Callable[[str], str]) -> None:
    """Our key in the JSON report holds the figures, the lines of every origin, the processes and the verdict."""
    shown = json.dumps(origins_of(OPTIONS, CASES[case]), indent=4) + "\n"
    assert gold(f"key-{case}.json") == shown


@pytest.mark.parametrize("indent", [None, 4])
def test_the_json_report_stays_coverages_own(tmp_path: Path, indent: int | None) -> None:
    """Our key stands beside what coverage.py wrote, in the same form: on one line or indented."""
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps({"meta": {"format": 3}, "totals": {}}, indent=indent))
    add_origins(path, OPTIONS, PLAIN)
    report = {"meta": {"format": 3}, "totals": {}, "vmpilot_cov": origins_of(OPTIONS, PLAIN)}
    assert json.dumps(report, indent=indent) == path.read_text()


def test_what_is_wrong_is_coloured() -> None:
    """What is good, bad and to be looked at is marked as such, and nothing else is."""
    tones = {line.tone: line.text for line in section(FULL, OPTIONS) if line.tone}
    expected = {"good": "require unit: yes", "warn": "WARNING: a warning of the verdict", "bad": FAILED}
    assert expected == tones
    assert Line(PASSED, "good") == list(section(PLAIN, OPTIONS))[-1]


def test_the_data_of_tests_is_not_called_the_pipelines() -> None:
    """A data file of unit and E2E tests that was read is not said to be one of a pipeline server."""
    file = DataFile(ROOT / ".coverage.tests", NOW - 60, published=True)
    shown = [line.text for line in section(replace(PLAIN, collected=Collected((), (), (file,))), OPTIONS)]
    assert not [text for text in shown if text.startswith("Pipeline: read .coverage.tests")]


def test_who_was_not_asked_is_not_blamed() -> None:
    """Of a live server that nobody asked, it is said that it was not asked; that is nothing to warn of."""
    unasked = delivery(1, asked=False, answered=False)
    shown = [line.text for line in section(replace(PLAIN, collected=Collected((), (unasked,))), OPTIONS)]
    assert f"Pipeline: 1 live process, not asked (pid {NOBODY + 1})" in shown
    assert not [text for text in shown if "WARNING" in text]


def test_a_place_that_was_named_and_is_missing_is_said(tmp_path: Path) -> None:
    """A place that somebody named and that is not there is a warning, whatever there is else; a usual place is not."""
    places = (
        Setting(tmp_path / "gone", "--vmpilot-cov-pipeline"),
        Setting(tmp_path, "pipeline_data in .coveragerc"),
        Setting(Path("/nowhere/usual")),
    )
    expected = (
        f"WARNING: {tmp_path}/gone (from --vmpilot-cov-pipeline), where pipeline data should lie, does not exist; "
        "correct the path, or start the server with VMPILOT_COV=/project/.coveragerc (pipeline-not-found)"
    )
    for outcome in (NOTHING, FULL):
        lines = [line.text for line in section(outcome, replace(OPTIONS, data_places=places))]
        assert [expected] == [line for line in lines if "not-found" in line]


@pytest.mark.parametrize(
    ("source", "cure"),
    [
        ("/ci/build/src/app", "did you mean src/app, which is one below {root}?"),
        ("{root}/old/app", "correct the path, of which {root} exists"),
        ("lib/src", "did you mean src, which is one below {root}?"),
    ],
)
def test_a_source_that_is_missing_is_said_with_what_there_is(tmp_path: Path, source: str, cure: str) -> None:
    """Named is the longest end of its path that exists below the configuration's folder, else what exists of it."""
    (tmp_path / "src/app").mkdir(parents=True)
    where = str(tmp_path)
    options = replace(some_options(tmp_path, source=(source.format(root=where), f"{where}/src")), source_from="--cov")
    (line,) = missing_paths(options)
    shown = "old/app" if "old" in source else source
    nothing = f"source {shown} (from --cov) is not a folder here, so nothing of it can be measured;"
    assert line == f"{nothing} {cure.format(root=where)} (source-missing)"


def test_a_silent_process_without_data_is_said_in_words() -> None:
    """Of a process that did not deliver and wrote nothing, it is not said that it wrote something 'never ago'."""
    silent = delivery(3, answered=False, problem="it has no control channel", newest=0.0)
    shown = [line.text for line in section(replace(PLAIN, collected=Collected((), (silent,))), OPTIONS)]
    assert any("pipeline-silent" in text for text in shown)
    assert not [text for text in shown if "never ago" in text]


def test_one_stale_line_is_said_in_the_singular() -> None:
    """One line that does not count is one line."""
    combined = replace(PLAIN.combined, stale=(LeftOut("/project/app.py", "unit", 1),))
    shown = [line.text for line in section(replace(PLAIN, combined=combined), OPTIONS)]
    assert any("(stale-source)" in text for text in shown)
    assert not [text for text in shown if "1 lines" in text]


def test_each_line_of_the_verdict_is_an_item_in_markdown() -> None:
    """Each check of the verdict stands for itself when the Markdown is shown; lines that touch would flow together."""
    cov: Any = Table()
    assert f"- {FAILED}" in markdown_report(cov, OPTIONS, FULL).splitlines()


@pytest.mark.parametrize(
    ("percent", "precision", "expected"),
    [(99.999, 0, "99%"), (0.001, 0, "1%"), (100.0, 0, "100%"), (62.5, 2, "62.50%"), (0.0, 1, "0.0%")],
)
def test_a_percentage_is_shown_as_coverage_does(percent: float, precision: int, expected: str) -> None:
    """Only what is whole is shown as 100, only what is nothing as 0, to the digits that were asked for."""
    total = Row("combined", 1, 1, 1, percent, 0)
    assert expected == origin_cells(Figures((), total, {}), some_options(ROOT, precision=precision))[-1][4]


@pytest.mark.parametrize(("precision", "expected"), [(0, "74.51%"), (3, "74.510%")])
def test_the_table_has_the_digits_of_the_verdict(precision: int, expected: str) -> None:
    """Where a threshold is judged, the table does not round what the verdict's line shows."""
    figures = Figures((), Row("combined", 1, 1, 1, 74.51, 0), {})
    assert origin_cells(figures, some_options(ROOT, fail_under=75.0, precision=precision))[-1][4] == expected
    assert origin_cells(figures, some_options(ROOT, thresholds={"each": 1.0}, precision=precision))[-1][4] == expected


def test_the_table_shows_the_branches_that_its_percentages_rest_on() -> None:
    """Each row's percentage can be computed from its columns: statements and branches, reached and taken."""
    rows = Row("unit", 2, 12, 7, 100 * 10 / 18, 7), Row("combined", 2, 12, 9, 100 * 13 / 18, 0)
    tallies = {
        "a.py": {"unit": Tally(10, 4, 6, 3), "combined": Tally(10, 2, 6, 2)},
        "b.py": {"unit": Tally(2, 1), "combined": Tally(2, 1)},
    }
    head, unit, combined = origin_cells(Figures(rows[:1], rows[1], {}, tallies=tallies), some_options(ROOT))
    assert head == ("Origin", "Files", "Stmts", "Reached", "Branches", "Taken", "Cover", "Only here")
    assert unit == ("unit", "2", "12", "7", "6", "3", "56%", "7")
    assert combined == ("combined", "2", "12", "9", "6", "4", "72%", "")


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (-5.0, "0.0 s"),
        (0.0, "0.0 s"),
        (1.26, "1.3 s"),
        (59.0, "59.0 s"),
        (60.0, "1 min"),
        (3540.0, "59 min"),
        (3600.0, "1 h"),
        (82_800.0, "23 h"),
        (86_400.0, "1 day"),
        (864_000.0, "10 days"),
    ],
)
def test_an_age_is_said_in_one_unit(age_s: float, expected: str) -> None:
    """An age is said in the unit that suits it, and never is in the future."""
    assert expected == age_of(NOW - age_s)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ((), ""),
        (("/venv/bin/python", "/srv/app.py"), "python /srv/app.py"),
        (("python", "x" * 53), "python " + "x" * 53),
        (("python", "x" * 54), "python " + "x" * 50 + "..."),
    ],
)
def test_a_command_is_shown_shortened(command: tuple[str, ...], expected: str) -> None:
    """A command line is shown without the folder of its program, and not beyond half a line."""
    assert expected == command_of(Record("1-ab", 1, "pipeline", command=command))


class Pages(Table):
    """A Coverage that writes one page."""

    def get_option(self, _name: str) -> str:
        """Give a folder that no test uses."""
        return "/nowhere"

    def html_report(self, directory: str) -> None:
        """Write the page."""
        Path(directory, "page.html").write_text("x" * 2_600_000)

    def warnings(self) -> list[str]:
        """Warn of nothing."""
        return []


@pytest.mark.parametrize(
    ("limit", "said"),
    [(3_000_000, ""), (2_000_000, " (3 contexts x 1 file: pages of 3 MB; [report] contexts narrows them)")],
)
def test_large_pages_are_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, said: str) -> None:
    """HTML that the names of tests make too large for a browser is one line with what narrows it."""
    monkeypatch.setattr(reports, "LARGE_HTML_BYTES", limit)
    options = replace(OPTIONS, reports=(ReportRequest("html", str(tmp_path)),))
    made = reports.make_reports(cast("Any", Pages()), options, FULL)
    assert made.text == (f"Coverage HTML written to dir {tmp_path}{said}",)


@pytest.mark.parametrize(("accounts", "expected"), [
    ([], []),
    ([(0, 0, 0, "")], []),
    ([(5, 0, 0, ""), (0, 0, 0, "")], ["Tests told apart in 1 of 1 server"]),
    (
        [(5, 300, 17, ""), (0, 12, 0, "")],
        ["Tests told apart in 1 of 2 servers; 312 requests were nobody's (17 while several tests ran)"],
    ),
    (
        [(0, 1, 0, "ids are taken")],
        [
            "Tests told apart in 0 of 1 server; 1 request was nobody's",
            f"Tests not told apart in pid {NOBODY + 1}: ids are taken",
        ],
    ),
])  # fmt: skip
def test_whose_the_requests_were(accounts: list[tuple[int, int, int, str]], expected: list[str]) -> None:
    """The section says in how many servers tests were told apart, and how many requests were nobody's."""
    names = ("told", "nobodys", "among_several", "not_told")
    answers = [Answer(str(pid), pid, **dict(zip(names, each, strict=True))) for pid, each in enumerate(accounts, 1)]
    yesterday = delivery(9, life="dead", ended=NOW - 90_000)
    yesterday = replace(yesterday, record=yesterday.record._replace(told=7))
    session = delivery(8, "unit", life="dead")
    session = replace(session, record=session.record._replace(session=session.record.id, started=NOW - 60))
    servers = [replace(delivery(int(each.id), answer=each), newest=NOW - 90) for each in answers]
    deliveries = (*servers, yesterday, session)
    outcome = replace(FULL, collected=replace(FULL.collected, deliveries=deliveries))
    lines = list(pipeline.server_lines(outcome, replace(OPTIONS, context="test")))
    assert expected == [line for line in lines if line.startswith("Tests ")]
    assert not [line for line in pipeline.server_lines(outcome, OPTIONS) if line.startswith("Tests ")]


@pytest.mark.parametrize(
    ("newest", "answer", "is_said"),
    [
        (NOW - 30, Answer("1", 1), True),
        (NOW - 90, Answer("1", 1), False),
        (NOW - 30, Answer("1", 1, told=1), False),
        (NOW - 30, None, False),
    ],
)
def test_a_server_of_an_unseen_kind(newest: float, answer: Answer | None, is_said: bool) -> None:  # noqa: FBT001
    """A server that answers and ran lines in this session is named if no request was seen: its tests have no line."""
    server = replace(delivery(1, answer=answer), newest=newest)
    session = delivery(8, "unit", life="dead")
    session = replace(session, record=session.record._replace(session=session.record.id, started=NOW - 60))
    outcome = replace(FULL, collected=replace(FULL.collected, deliveries=(server, session)))
    lines = list(pipeline.server_lines(outcome, replace(OPTIONS, context="test")))
    expected = f"Tests not told apart in pid {NOBODY + 1}: no request to a server that we know was seen there"
    assert (expected in lines) is is_said
