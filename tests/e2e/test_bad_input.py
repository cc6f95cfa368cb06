from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.conftest import Project, lines_in
from tests.e2e.conftest import TESTED, contents, session, vmpilot, warnings_in

GARBAGE = bytes(range(256)) * 4
SECTION = "[run]\nsource = app\n[vmpilot_cov]\n"


def usage_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line with which pytest refused to start; fail if it did start, or said more."""
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (4, "", False), done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    wanted = [line for line in lines if line.endswith(")")]
    assert len(wanted) == 1, done.stderr
    return wanted[0]


def data_file(path: Path, *, lines: list[int], branch: bool = False) -> None:
    """Write what coverage.py itself would, for ``web.py`` of the project."""
    web = str(path.parent / "app" / "web.py")
    data = CoverageData(basename=str(path))
    if branch:
        data.add_arcs({web: [(line, line + 1) for line in lines]})
    else:
        data.add_lines({web: lines})
    data.write()
    data.close(force=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            b"[run\nsource = app\n",
            (
                "the configuration {config} cannot be read: File contains no section headers. file: '{config}', "
                "line: 1 '[run\\n' (config-broken)"
            ),
        ),
        (
            b"[run]\nbranch = maybe\n",
            "coverage.py cannot use {config}: Couldn't read config file {config}: Not a boolean: maybe (config-broken)",
        ),
        (
            b"[run]\nsource = \xff\xfe\n",
            (
                "the configuration {config} cannot be read: 'utf-8' codec can't decode byte 0xff in position 15: "
                "invalid start byte (config-broken)"
            ),
        ),
        (
            SECTION.encode() + b"intervall_s = 2\n",
            (
                "[vmpilot_cov] intervall_s in {config} is not a setting; use one of e2e, e2e_scripts, "
                "e2e_scripts_args, e2e_scripts_cwd, e2e_scripts_env, interval_s, "
                "pipeline_data, script_timeout_s, server_command, signals, stale, tag_requests (setting-unknown)"
            ),
        ),
        (
            SECTION.encode() + b"interval_s = soon\n",
            "interval_s=soon (from [vmpilot_cov] in {config}) is not a number of seconds above 0 (setting-invalid)",
        ),
        (
            SECTION.encode() + b"signals = perhaps\n",
            "signals=perhaps (from [vmpilot_cov] in {config}) is not on or off (setting-invalid)",
        ),
        (
            b"[report]\nfail_under = 175\n",
            "fail_under=175.0 (from {config}) is not a percentage; use 0 to 100 (fail-under-range)",
        ),
    ],
    ids=["ini", "refused", "bytes", "unknown", "interval", "switch", "threshold"],
)
def test_broken_configuration(app: Project, text: bytes, expected: str) -> None:
    """Session and command refuse a configuration that cannot be used in one line each, and leave all files alone."""
    data_file(app.path / ".coverage.pipeline", lines=[1, 2])
    config = app.path / ".coveragerc"
    config.write_bytes(text)
    before = contents(app.path)
    line = expected.format(config=config)
    assert usage_error(session(app)) == f"ERROR: {line}"
    done = vmpilot(app, "combine")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"vmpilot-cov: {line}\n")
    assert contents(app.path) == before


def test_broken_configuration_does_not_matter_without_the_flag(app: Project) -> None:
    """Whoever does not measure is not told about a configuration that nobody reads."""
    app.write(".coveragerc", "[run\n")
    done = app.pytest("-q", "-p", "vmpilot_cov", env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["none.rc", "none/.coveragerc"])
def test_missing_configuration(app: Project, name: str) -> None:
    """A ``--cov-config`` that is not there is refused with the path where it was looked for."""
    what = "is neither a configuration file nor a folder; name a .coveragerc or the project's folder"
    assert usage_error(session(app, f"--cov-config={name}")) == f"ERROR: {app.path / name} {what} (config-not-found)"
    done = vmpilot(app, "combine", f"--config={name}")
    expected = f"vmpilot-cov: {app.path / name} {what} (config-not-found)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_unknown_origin_is_required(app: Project) -> None:
    """An origin that is none is refused with the origins that there are."""
    expected = "is not an origin; use unit, e2e or pipeline, several with commas (origin-unknown)"
    line = usage_error(session(app, "--vmpilot-cov-require=unit,server"))
    assert line == f"ERROR: 'server' (from --vmpilot-cov-require) {expected}"


@pytest.mark.parametrize("threshold", ["175", "abc"])
def test_threshold_that_is_no_percentage(app: Project, threshold: str) -> None:
    """A threshold that cannot be reached or is no number is refused with its value and the range."""
    line = usage_error(session(app, f"--cov-fail-under={threshold}"))
    expected = f"fail_under={threshold} (from the command line) is not a percentage; use 0 to 100 (fail-under-range)"
    assert line.endswith(f"error: argument --cov-fail-under: {expected}")


def test_data_files_that_hold_nothing(app: Project) -> None:
    """Each data file that cannot be read, or holds no line, is named in one warning; the tests' verdict stands."""
    whole = app.path / "whole.data"
    data_file(whole, lines=list(range(1, 5000)))
    data_file(app.path / "schema.data", lines=[])
    app.write("zero.data", "")
    (app.path / "garbage.data").write_bytes(GARBAGE)
    (app.path / "cut.data").write_bytes(whole.read_bytes()[:9000])
    before = contents(app.path)
    empty = "holds no executed line; was the process measured with the right source? (data-empty)"
    names = ("schema", "zero", "garbage", "cut")
    options = [f"--vmpilot-cov-pipeline={name}.data" for name in names]
    done = session(app, "--cov-fail-under=10", *options)
    said = [line.removeprefix(f"WARNING: {app.path}/") for line in warnings_in(done)]
    assert said[:2] == [f"schema.data {empty}", f"zero.data {empty}"]
    unreadable = " cannot be read as coverage data and does not count: "
    assert [line.partition(unreadable)[0] for line in said[2:]] == ["garbage.data", "cut.data"]
    assert [line.rpartition(" ")[2] for line in said[2:]] == ["(data-unreadable)"] * 2
    assert (done.returncode, lines_in(app.path / ".coverage")) == (0, TESTED)
    assert before.items() <= contents(app.path).items()


@pytest.mark.parametrize("octets", [b"", GARBAGE], ids=["zero", "garbage"])
def test_published_file_that_holds_nothing(app: Project, octets: bytes) -> None:
    """A damaged ``.coverage.pipeline`` in its usual place is named in one warning, and set aside, not overwritten."""
    path = app.path / ".coverage.pipeline"
    path.write_bytes(octets)
    done = session(app, "--cov-fail-under=10")
    (line,) = warnings_in(done)
    assert line.startswith(f"WARNING: {path} ")
    assert (done.returncode, lines_in(app.path / ".coverage")) == (0, TESTED)
    assert hashlib.sha256(octets).hexdigest() in contents(app.path).values()


def test_data_file_that_is_missing(app: Project) -> None:
    """A data file that was named and is not there is a warning before the tests and after them, not a failure."""
    done = session(app, "--vmpilot-cov-pipeline=none.data", "--cov-fail-under=10")
    expected = (
        f"WARNING: {app.path / 'none.data'} (from --vmpilot-cov-pipeline), where pipeline data should lie, does not "
        f"exist; correct the path, or start the server with VMPILOT_COV={app.path / '.coveragerc'} (pipeline-not-found)"
    )
    assert (done.returncode, warnings_in(done)) == (0, [f"vmpilot-cov: {expected}", expected])


@pytest.mark.parametrize("branch", [False, True])
def test_data_of_coverage_itself_is_kept(app: Project, branch: bool) -> None:  # noqa: FBT001 - a parameter
    """Data that coverage.py wrote, statements or branches, counts in every session, and is not lost by publishing."""
    data_file(app.path / ".coverage.pipeline", lines=[1, 2], branch=branch)
    expected = {**TESTED, "web.py": [1, 2, 3] if branch else [1, 2]}
    for _ in range(2):
        done = session(app)
        unknown = [line for line in warnings_in(done) if "some data of unit has lines only" in line]
        assert (done.returncode, warnings_in(done), len(unknown)) == (0, unknown, int(branch))
        assert lines_in(app.path / ".coverage") == expected


def test_session_folder_that_cannot_be_written(app: Project) -> None:
    """A session that could not keep its data refuses to start, and says which folder and why."""
    app.write(".vmpilot-cov", "a file is in the way\n")
    line = usage_error(session(app))
    assert line.startswith(f"ERROR: {app.path / '.vmpilot-cov'}/")
    assert " cannot be written: it is a file, not a folder; delete it" in line
    assert line.endswith(" (cannot-record)")
    elsewhere = {"COVERAGE_FILE": str(app.path.parent / "elsewhere" / ".coverage")}
    assert session(app, "--cov-fail-under=10", env=elsewhere).returncode == 0


def test_source_that_is_a_test_file(app: Project) -> None:
    """A path that ``--cov`` has swallowed is named with the option, not with the configuration."""
    done = session(app, "--cov", "tests/test_unit.py")
    assert "WARNING: source tests/test_unit.py (from --cov) is not a folder here" in done.stdout


def test_data_file_that_cannot_be_written(app: Project) -> None:
    """A ``.coverage`` that cannot be written is one warning; the verdict stands, and ``.coverage.tests`` is there."""
    (app.path / ".coverage").mkdir()
    expected = (
        f"WARNING: {app.path / '.coverage'} cannot be written: Is a directory; the verdict stands without it "
        "(cannot-write)"
    )
    for threshold, code in (("10", 0), ("90", 1)):
        done = session(app, f"--cov-fail-under={threshold}")
        assert (done.returncode, warnings_in(done)) == (code, [expected])
    assert lines_in(app.path / ".coverage.tests") == TESTED


def test_reports_that_cannot_be_written(app: Project) -> None:
    """Each report with a destination that cannot be written is one failed check; the figures and the data stand."""
    app.write("file", "in the way\n")
    kinds = ("html", "xml", "json", "lcov", "markdown")
    done = session(app, *(f"--cov-report={kind}:file/{kind}" for kind in kinds), "--cov-fail-under=10")
    lines = [line for line in done.stdout.splitlines() if line.endswith(" (report-failed)")]
    expected = [f"FAIL the {kind} report file/{kind} cannot be made" for kind in kinds]
    assert [line.partition(": ")[0] for line in lines] == expected
    assert "Required test coverage of 10% reached." in done.stdout
    assert (done.returncode, lines_in(app.path / ".coverage")) == (1, TESTED)


def test_report_that_is_unknown(app: Project) -> None:
    """A report of no known kind is refused with the kinds that there are."""
    line = usage_error(session(app, "--cov-report=pdf"))
    kinds = "term, term-missing, annotate, html, page, xml, json, markdown, markdown-append, lcov, badge"
    expected = f"--cov-report=pdf is not a report; use {kinds}, file kinds with :DEST (report-unknown)"
    assert line.endswith(f"error: argument --cov-report: {expected}")


def test_damaged_segment(app: Project) -> None:
    """A segment that was cut short is named in one warning, and the others count."""
    vmpilot(app, "serve", "--", "python", "-m", "app.work", "0")
    (folder,) = {path.parent for path in app.path.glob(".vmpilot-cov/*/*.seg")}
    (folder / "000009.seg").write_bytes(next(folder.glob("*.seg")).read_bytes()[:-5])
    done = session(app, "--cov-fail-under=10")
    (line,) = warnings_in(done)
    assert line.startswith(f"WARNING: {folder / '000009.seg'} of process {folder.name} does not count: ")
    assert (done.returncode, line.endswith(" (segment-torn)")) == (0, True)
    assert set(lines_in(app.path / ".coverage", "pipeline")) == {"__init__.py", "work.py"}
