from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from coverage.parser import PythonParser

from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.judge.figures import count, reporting
from pytest_vmpilot_cov.messages import shown_path
from pytest_vmpilot_cov.model import Combined, Figures, ReportRequest, Row, Tally
from server_hook.arcs import Arcs
from server_hook.store.segment import ByLabel, Label, Measured, Source, bitmap
from tests.unit.conftest import some_options

APP = """\
def one(x):
    if x:
        return 1
    return 2


print("start")
"""
"""Five statements: 1, 2, 3, 4, 7."""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Give a project of two files with five statements each."""
    for name in ("app.py", "lib.py"):
        (tmp_path / name).write_text(APP)
    return tmp_path


def counted(app: Path, reached: Mapping[str, Mapping[str, Measured]], untouched: tuple[str, ...] = ()) -> Combined:
    """Combine what origins reached: origin -> file name -> lines or arcs."""
    united: ByLabel = {
        Label(origin): {Source(str(app / name)): measured for name, measured in files.items()}
        for origin, files in reached.items()
    }
    return Combined(united, {str(app / name): "" for name in untouched})


def figures_of(app: Path, combined: Combined, *, branch: bool = False) -> Figures:
    """Count with lines or with branches, what is missing in each file left aside."""
    return replace(counted_figures(app, combined, branch=branch), tallies={}, missing={})


def counted_figures(app: Path, combined: Combined, *, branch: bool = False) -> Figures:
    """Count with lines or with branches."""
    with working_in(app), reporting(some_options(app, branch=branch), combined) as cov:
        return count(cov)


def test_every_origin_is_counted_over_the_same_statements(app: Path) -> None:
    """Each row says what one origin reached and what it alone reached; all have the statements of the whole project."""
    reached = {
        "pipeline": {"app.py": bitmap([3])},
        "unit": {"app.py": bitmap([1, 2, 7]), "lib.py": bitmap([1, 7])},
        "e2e": {"app.py": bitmap([1, 7])},
    }
    figures = figures_of(app, counted(app, reached))
    rows = (
        Row("unit", 2, 10, 5, 50.0, 3),
        Row("e2e", 1, 10, 2, 20.0, 0),
        Row("pipeline", 1, 10, 1, 10.0, 1),
    )
    lines: dict[str, dict[str, tuple[int, ...]]] = {
        str(app / "app.py"): {"unit": (1, 2, 7), "e2e": (1, 7), "pipeline": (3,)},
        str(app / "lib.py"): {"unit": (1, 7)},
    }
    assert Figures(rows, Row("combined", 2, 10, 6, 60.0, 0), lines) == figures


def test_each_file_says_what_is_missing_for_whom(app: Path) -> None:
    """Each file knows its statements and those that each origin, and all together, did not reach."""
    reached = {"unit": {"app.py": bitmap([1, 2, 7])}, "pipeline": {"app.py": bitmap([3])}}
    figures = counted_figures(app, counted(app, reached, untouched=("lib.py",)))
    expected = {
        str(app / "app.py"): {"combined": Tally(5, 1), "unit": Tally(5, 2), "pipeline": Tally(5, 4)},
        str(app / "lib.py"): {"combined": Tally(5, 5), "unit": Tally(5, 5), "pipeline": Tally(5, 5)},
    }
    assert expected == figures.tallies
    assert figures.missing == {str(app / "app.py"): (4,), str(app / "lib.py"): (1, 2, 3, 4, 7)}


def test_branches_of_each_file_are_told_apart(app: Path) -> None:
    """Where branches are measured a file knows those that are missing, too, and all files give the total's figure."""
    arcs = Arcs({(-1, 1), (1, 7), (7, -1), (-1, 2), (2, 3), (3, -1)})
    figures = counted_figures(app, counted(app, {"unit": {"app.py": arcs, "lib.py": Arcs({(-1, 1)})}}), branch=True)
    expected = {str(app / "app.py"): Tally(5, 1, 2, 1), str(app / "lib.py"): Tally(5, 4, 2, 2)}
    assert expected == {path: by["combined"] for path, by in figures.tallies.items()}
    assert figures.total.percent == sum(expected.values(), Tally()).percent
    assert figures.rows[0].percent == sum((by["unit"] for by in figures.tallies.values()), Tally()).percent


def test_files_that_nobody_imported_count(app: Path) -> None:
    """A source file that never ran adds its statements to every row, and none that was reached."""
    figures = figures_of(app, counted(app, {"unit": {"app.py": bitmap([1, 7])}}, untouched=("lib.py",)))
    row = Row("unit", 1, 10, 2, 20.0, 2)
    combined = Row("combined", 1, 10, 2, 20.0, 0)
    lines: dict[str, dict[str, tuple[int, ...]]] = {
        str(app / "app.py"): {"unit": (1, 7)},
        str(app / "lib.py"): {},
    }
    assert Figures((row,), combined, lines) == figures


def test_only_statements_are_counted(app: Path) -> None:
    """Lines that are no statements of the source, as blank ones, are nobody's."""
    figures = figures_of(app, counted(app, {"unit": {"app.py": bitmap([1, 5, 6, 99])}}))
    assert (
        Figures(
            (Row("unit", 1, 5, 1, 20.0, 1),), Row("combined", 1, 5, 1, 20.0, 0), {str(app / "app.py"): {"unit": (1,)}}
        )
        == figures
    )


def test_branches_count_where_they_are_measured(app: Path) -> None:
    """With branches the percentage counts them beside the statements, and the statements are counted as before."""
    arcs = Arcs({(-1, 1), (1, 7), (7, -1), (-1, 2), (2, 3), (3, -1)})
    figures = figures_of(app, counted(app, {"unit": {"app.py": arcs}}), branch=True)
    percent = 100 * (4 + 1) / (5 + 2)
    assert (
        Figures(
            (Row("unit", 1, 5, 4, percent, 4),),
            Row("combined", 1, 5, 4, percent, 0),
            {str(app / "app.py"): {"unit": (1, 2, 3, 7)}},
        )
        == figures
    )


@pytest.mark.parametrize("untouched", [(), ("app.py", "lib.py")])
def test_nothing_measured_is_nothing_reached(app: Path, untouched: tuple[str, ...]) -> None:
    """Without a measured line there is no row, and the total is 0, never 100 percent."""
    figures = figures_of(app, Combined({}, {str(app / name): "" for name in untouched}))
    statements = 5 * len(untouched)
    assert (
        Figures((), Row("combined", 0, statements, 0, 0.0, 0), {str(app / name): {} for name in untouched}) == figures
    )


def test_one_broken_file_does_not_hide_the_others(app: Path) -> None:
    """A source file that cannot be parsed does not count, is warned of, and the others count."""
    (app / "lib.py").write_text("def :\n")
    with (
        working_in(app),
        reporting(some_options(app), counted(app, {"unit": {"app.py": bitmap([1]), "lib.py": bitmap([1])}})) as cov,
    ):
        figures = count(cov)
        warnings = cov.warnings()
    assert Row("combined", 1, 5, 1, 20.0, 0) == figures.total
    assert [str(app / "lib.py") in warning for warning in warnings] == [True]


def test_what_coverage_refuses_is_a_problem(app: Path) -> None:
    """Where coverage.py cannot count at all, the figures say why in one line."""
    combined = Combined({Label("unit"): {Source(str(app / "app.py"), "", "no.such.plugin"): bitmap([1])}}, {})
    figures = figures_of(app, combined)
    assert (figures.rows, figures.total.statements, "no.such.plugin" in figures.problem) == ((), 0, True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/project/src/a.py", "src/a.py"), ("/other/a.py", "/other/a.py"), ("/projects/a.py", "/projects/a.py")],
)
def test_files_are_named_as_seen_from_the_root(path: str, expected: str) -> None:
    """A file below the root is named relative to it, any other one by its whole path."""
    assert expected == shown_path(path, Path("/project"))


@pytest.mark.parametrize("measured", [bitmap([1, 2, 7]), Arcs({(-1, 1), (1, 7), (7, -1), (-1, 2), (2, 3)})])
@pytest.mark.parametrize("asked", [(), (ReportRequest("html"),)])
def test_each_file_is_parsed_once(
    app: Path, monkeypatch: pytest.MonkeyPatch, measured: Measured, asked: tuple[ReportRequest, ...]
) -> None:
    """What was counted is not parsed again for a table or for a report that was asked for; all others can be made."""
    combined = counted(app, {"unit": {"app.py": measured}})
    options = replace(some_options(app, branch=isinstance(measured, Arcs)), reports=asked)
    with working_in(app), reporting(options, combined) as cov:
        count(cov)
        with monkeypatch.context() as without_parser:
            without_parser.setattr(PythonParser, "parse_source", None)
            assert cov.report() == cov.report() == (cov.html_report() if asked else cov.report())
        for report in (cov.html_report, cov.xml_report, cov.json_report, cov.lcov_report, cov.report):
            report()  # type: ignore[operator]
    made = {"htmlcov", "coverage.xml", "coverage.json", "coverage.lcov"}
    assert made <= {path.name for path in app.iterdir()}


def test_a_report_may_show_less_and_the_next_one_all(app: Path) -> None:
    """A report that is asked for some contexts, or another precision, changes none that comes after it."""
    combined = counted(app, {"unit": {"app.py": bitmap([1, 2, 7])}, "e2e": {"app.py": bitmap([3])}})
    with working_in(app), reporting(some_options(app), combined) as cov:
        count(cov)
        cov.json_report(contexts=["unit"])
        assert [cov.report(contexts=each) for each in (["unit"], None, ["e2e"], None)] == [60.0, 80.0, 20.0, 80.0]


def test_reports_of_some_contexts_show_those(app: Path) -> None:
    """Where the configuration shows a part of what was counted, the reports show that part, after any count."""
    (app / ".coveragerc").write_text("[report]\ncontexts = e2e\n")
    combined = counted(app, {"unit": {"app.py": bitmap([1, 2, 7])}, "e2e": {"app.py": bitmap([1])}})
    options = some_options(app)
    options = replace(options, settings=options.settings._replace(config_file=str(app / ".coveragerc")))
    with working_in(app), reporting(options, combined) as cov:
        assert (count(cov).total.percent, cov.report()) == (60.0, 20.0)
