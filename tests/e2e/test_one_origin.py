"""One origin's report, and the baseline, as the command makes them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Project, numbered
from tests.e2e.conftest import WORK, session, vmpilot

STATEMENTS = numbered(WORK, "run", "test")
OF_EACH = {"unit": numbered(WORK, "test"), "e2e": numbered(WORK, "run")}


@pytest.fixture
def measured(app: Project) -> Project:
    """Give a project of whose module ``work`` a unit test and a command that counts for e2e reached different lines."""
    assert session(app).returncode == 0
    vmpilot(app, "run", "--", "python", "-m", "app.work", "0")
    return app


def hits(path: Path) -> dict[str, dict[int, int]]:
    """Read the lines of an XML report and whether each was reached, by file."""
    root = ET.parse(path).getroot()
    return {
        str(each.get("filename")).rpartition("/")[2]: {
            int(line.get("number", 0)): int(line.get("hits", 0)) for line in each.iter("line")
        }
        for each in root.iter("class")
    }


@pytest.mark.parametrize("origin", ["unit", "e2e"])
def test_a_report_of_one_origin_has_its_lines_alone(measured: Project, origin: str) -> None:
    """XML, LCOV and JSON name the same files and statements as the report of all, and what this origin reached."""
    kinds = ("xml:one.xml", "lcov:one.lcov", "json:one.json", "term")
    words = [f"--cov-report={kind}" for kind in kinds]
    done = vmpilot(measured, "report", "--origin", origin, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    vmpilot(measured, "report", "--cov-report=xml:all.xml")
    ours, everything = hits(measured.path / "one.xml"), hits(measured.path / "all.xml")
    assert {name: sorted(lines) for name, lines in ours.items()} == {n: sorted(each) for n, each in everything.items()}
    assert [line for line, hit in ours["work.py"].items() if hit] == OF_EACH[origin]
    assert not any(ours["web.py"].values())
    lcov = (measured.path / "one.lcov").read_text().partition("work.py\n")[2].partition("end_of_record")[0]
    reached = [int(line[3:].split(",")[0]) for line in lcov.splitlines() if line.startswith("DA:") and ",0" not in line]
    assert reached == OF_EACH[origin]
    report = json.loads((measured.path / "one.json").read_text())
    assert list(report["vmpilot_cov"]["origins"]) == [origin]
    assert report["files"]["app/work.py"]["executed_lines"] == OF_EACH[origin]


def test_a_report_of_one_origin_is_judged_by_what_was_typed_alone(measured: Project) -> None:
    """Thresholds of the configuration are about all origins; one that was typed is about this one."""
    with (measured.path / ".coveragerc").open("a") as file:
        file.write("[report]\nfail_under = 100\n[vmpilot_cov:fail_under]\npipeline = 50\n")
    assert vmpilot(measured, "report").returncode == 1
    assert vmpilot(measured, "report", "--origin", "unit").returncode == 0
    assert vmpilot(measured, "report", "--origin", "unit", "-f", "5").returncode == 0
    assert vmpilot(measured, "report", "--origin", "unit", "-f", "90").returncode == 1


def test_an_origin_without_data_has_no_report(measured: Project) -> None:
    """No file is written that a service would take for 0 %, and the exit code says so."""
    done = vmpilot(measured, "report", "--origin", "pipeline", "--cov-report=xml:pipeline.xml")
    assert (done.returncode, "(origin-nothing)" in done.stderr) == (1, True)
    assert not (measured.path / "pipeline.xml").exists()


def test_a_report_of_one_origin_adds_no_summary(measured: Project) -> None:
    """The job's summary is about all origins; what is made for another service isn't added to it."""
    summary = measured.path / "summary.md"
    vmpilot(measured, "report", "--origin", "unit", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert not summary.exists()


def branches_of(path: Path) -> Mapping[str, str]:
    """Read how many branches an XML report counts."""
    return ET.parse(path).getroot().attrib


def test_branches_stay_where_the_origin_has_lines_alone(app: Project) -> None:
    """An origin that measured without branches is reported with all of them, as its row counts them."""
    vmpilot(app, "run", "--", "python", "-m", "app.work", "0")
    config = app.path / ".coveragerc"
    config.write_text(config.read_text().replace("[run]\n", "[run]\nbranch = true\n"))
    session(app, "--cov-append")
    for name, words in (("all.xml", ()), ("e2e.xml", ("--origin", "e2e"))):
        done = vmpilot(app, "report", f"--cov-report=xml:{name}", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert int(branches_of(app.path / "all.xml")["branches-valid"]) > 0
    assert branches_of(app.path / "e2e.xml")["branches-valid"] == branches_of(app.path / "all.xml")["branches-valid"]


COMPARED = "[vmpilot_cov:fail_under]\ntotal = baseline\nunit = baseline\n"


def test_the_baseline_is_written_and_compared_with(measured: Project) -> None:
    """What was written passes, in a session and in a report; when less is reached of a file, the line names it."""
    done = vmpilot(measured, "baseline")
    assert (done.returncode, done.stdout.startswith("wrote coverage-baseline.txt: ")) == (0, True)
    text = (measured.path / "coverage-baseline.txt").read_text()
    unit, e2e, every = len(OF_EACH["unit"]), len(OF_EACH["e2e"]), len(STATEMENTS)
    assert f"\napp/work.py: {every} of {every}, unit {unit}, e2e {e2e}\n" in text
    with (measured.path / ".coveragerc").open("a") as file:
        file.write(COMPARED)
    assert vmpilot(measured, "report").returncode == 0
    vmpilot(measured, "baseline")
    assert (measured.path / "coverage-baseline.txt").read_text() == text
    done = session(measured)  # without the command, whose data it replaces
    assert done.returncode == 1
    fell = f"fell in app/work.py ({unit} of {every}, was {every} of {every})"
    assert [fell in line for line in done.stdout.splitlines() if "FAIL" in line] == [True]
    assert "Coverage by unit is not below the baseline" in done.stdout


@pytest.mark.parametrize("options", [(), ("tests/test_two.py",), ("--cov-fail-under=1",)])
def test_a_missing_baseline_fails_where_it_is_enforced(app: Project, options: tuple[str, ...]) -> None:
    """Without the file a whole run fails; a part of the tests needs none, nor does a total that was typed."""
    with (app.path / ".coveragerc").open("a") as file:
        file.write("[vmpilot_cov:fail_under]\ntotal = baseline\n")
    app.write("tests/test_more.py", "def test_more():\n    pass\n")
    done = session(app, *options)
    assert done.returncode == (0 if options else 1), done.stdout
    assert ("(baseline-missing)" in done.stdout) == (not options)
    assert ("total baseline from [vmpilot_cov:fail_under]" in done.stdout) == ("--cov-fail-under=1" not in options)


def test_nothing_measured_writes_no_baseline(app: Project) -> None:
    """Without data there is nothing to write down."""
    done = vmpilot(app, "baseline")
    assert (done.returncode, "(nothing-to-combine)" in done.stderr) == (1, True)
    assert not (app.path / "coverage-baseline.txt").exists()


def test_a_baseline_that_cannot_be_written_is_named(measured: Project) -> None:
    """Something else of that name stays as it is."""
    (measured.path / "coverage-baseline.txt").mkdir()
    done = vmpilot(measured, "baseline")
    assert (done.returncode, "(baseline-unwritable)" in done.stderr) == (2, True)
