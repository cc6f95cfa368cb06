from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Project, wait_for
from tests.e2e.conftest import processes_in, said
from tests.e2e.example import PYTEST, Example, deploy

COVERAGE_RUN = ("-m", "coverage", "run", "--rcfile=plain.rc")
HIDDEN = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from pytest_vmpilot_cov.cli.main import main
sys.exit(main(["demo"]))
"""

Lines = dict[str, list[int]]


@dataclass(frozen=True)
class Measured:
    """What came out of the example, measured here and by coverage.py alone."""

    example: Example
    code: int
    output: str
    server_pid: int
    by_origin: dict[str, Lines]
    """``.coverage`` as the session left it, while the server was running."""
    total_of_coverage: str
    """The last line of coverage.py's own report, right after the session."""
    lines: Lines
    """``.coverage`` when the server had ended, and all was combined."""
    plain: Lines
    """The same of coverage.py alone."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Run the same server and the same tests twice, side by side: measured here, and by coverage.py alone."""
    ours, plain = (deploy(tmp_path_factory.mktemp(name)) for name in ("ours", "plain"))
    servers = [ours.start(*ours.uvicorn, VMPILOT_COV="."), plain.start(*COVERAGE_RUN, *plain.uvicorn)]
    try:
        ours.wait_until_it_answers()
        plain.wait_until_it_answers()
        other = plain.start(*COVERAGE_RUN, *PYTEST)
        code, output = ours.run(*PYTEST, "--vmpilot-cov", "--cov-fail-under=75")
        by_origin = {name: ours.lines(context=name) for name in ("unit", "e2e", "pipeline")}
        report = ours.run("-m", "coverage", "report")
        assert_ended(other, 0)
        for server in servers:
            server.terminate()
            assert_ended(server, -signal.SIGTERM)
    finally:
        for server in servers:
            server.kill()
            server.wait()
    for example, words in (
        (ours, ("vmpilot-cov", "combine")),
        (plain, ("-m", "coverage", "combine", *COVERAGE_RUN[3:])),
    ):
        combined = example.run(*words)
        assert combined[0] == 0, combined[1]
    total = report[1].splitlines()[-1]
    return Measured(ours, code, output, servers[0].pid, by_origin, total, ours.lines(), plain.lines())


def assert_ended(process: subprocess.Popen[str], code: int) -> None:
    """Wait for the end of a process, and fail with what it printed unless it ended as it should."""
    output, _ = process.communicate(timeout=180)
    assert process.returncode == code, output


def test_combined_lines_are_those_of_coverage_itself(measured: Measured) -> None:
    """The combined line set is, file by file and line by line, the one of ``coverage run`` and ``coverage combine``."""
    assert measured.lines == measured.plain


def test_session_above_the_threshold_passes(measured: Measured) -> None:
    """With the live server's data the example is above the threshold, and the session passes."""
    lines = measured.output.splitlines()
    assert measured.code == 0, measured.output
    assert f"Pipeline: 1 of 1 live process delivered (pid {measured.server_pid})" in lines
    assert re.fullmatch(r"Required test coverage of 75% reached\. Total coverage: 9\d\.\d\d%", lines[-2])


def test_each_origin_has_its_row_over_one_denominator(measured: Measured) -> None:
    """Unit tests, E2E tests and the server have a row each, the combined row comes last, all of the same statements."""
    rows = [line.split() for line in measured.output.splitlines() if re.match(r"(unit|e2e|pipeline|combined) ", line)]
    assert [row[0] for row in rows] == ["unit", "e2e", "pipeline", "combined"]
    assert len({row[2] for row in rows}) == 1
    assert all(int(row[5]) > 0 for row in rows[:3])


def test_lines_belong_to_whom_the_example_says(measured: Measured) -> None:
    """Unit tests never enter the server; the command line is for the E2E tests; child processes of the server count."""
    in_server = {
        name: sorted(Path(path).stem for path in lines if re.match(r"server/[a-z]", path))
        for name, lines in measured.by_origin.items()
    }
    modules = ["auth", "completion", "config", "loader", "main", "pipelines", "routes"]
    assert in_server == {"unit": [], "e2e": [], "pipeline": modules}
    only_by = {
        path: [name for name, lines in measured.by_origin.items() if path in lines]
        for path in ("assistant/cli.py", "assistant/tools/wordcount.py", "assistant/maintenance.py")
    }
    assert only_by == {
        "assistant/cli.py": ["e2e"],
        "assistant/tools/wordcount.py": ["pipeline"],
        "assistant/maintenance.py": [],
    }


def test_report_of_coverage_shows_the_verdict(measured: Measured) -> None:
    """A bare ``coverage report`` right after the session prints the verdict's total."""
    (total,) = [line for line in measured.output.splitlines() if line.startswith("TOTAL ")]
    assert measured.total_of_coverage == total


def test_session_below_the_threshold_fails(measured: Measured) -> None:
    """Below the threshold the session fails, although every test passes."""
    words = ("--vmpilot-cov", "--cov-fail-under=99", "tests/unit/test_calculator.py")
    code, output = measured.example.run(*PYTEST, *words)
    verdict, last = output.splitlines()[-2:]
    assert (code, "failed" in last, " passed in " in last) == (1, False, True)
    assert re.fullmatch(r"FAIL Required test coverage of 99% not reached\. Total coverage: \d\d\.\d\d%", verdict)


def start_demo(project: Project, tmp_path: Path, *, output: Path) -> subprocess.Popen[bytes]:
    """Start the demo with its temporary folder below the test's."""
    with output.open("wb") as file:
        return subprocess.Popen(
            ["vmpilot-cov", "demo"],
            cwd=project.path,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def test_demo(project: Project, tmp_path: Path) -> None:
    """The demo passes, names the page that it made, and leaves no process running."""
    output = tmp_path / "output"
    code = start_demo(project, tmp_path, output=output).wait(180)
    assert code == 0, output.read_text()
    found = re.fullmatch(r"The page is (.*); the server has been stopped\.", output.read_text().splitlines()[-1])
    assert found
    report = Path(found[1])
    assert (report.name, "coverage" in report.read_text().lower()) == ("index.html", True)
    assert report.is_relative_to(tmp_path)
    assert processes_in(tmp_path) == {}
    assert list(project.path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    """A demo that is ended by Ctrl-C or SIGTERM leaves no process running, and does not end in a traceback."""
    output = tmp_path / "output"
    demo = start_demo(project, tmp_path, output=output)
    wait_for(lambda: "collected " in output.read_text(), output.read_text)
    if number == signal.SIGINT:  # a terminal sends it to all
        os.killpg(demo.pid, number)
    else:
        demo.terminate()
    assert demo.wait(60) != 0
    assert processes_in(tmp_path) == {}
    assert "Traceback" not in output.read_text()


@pytest.mark.parametrize(
    ("names", "expected"),
    [(("fastapi",), "fastapi"), (("uvicorn",), "uvicorn"), (("fastapi", "uvicorn"), "fastapi and uvicorn")],
)
def test_demo_without_its_extra(project: Project, names: tuple[str, ...], expected: str) -> None:
    """Without FastAPI or uvicorn one line says what to install."""
    done = project.run(sys.executable, "-c", HIDDEN, *names)
    text = f"the demo needs {expected}; install it with: pip install 'pytest-vmpilot-cov[demo]' (demo-needs)"
    assert said(done) == (2, f"vmpilot-cov: {text}")
