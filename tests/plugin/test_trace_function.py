"""A test that takes the trace function away: measurement comes back, and what cannot be measured is named."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import EXPLICIT

CODE = """
    def first():  # import
        return 1  # first


    def second():  # import
        return 2  # second


    def third():  # import
        return 3  # third
"""
GIVES_BACK = """
    def test_1():
        sys.settrace(None)
        code.first()
        sys.settrace(lambda *_: None)
        sys.settrace(None)
        code.second()
"""
KEEPS = """
    def test_1():
        code.first()
        sys.settrace(lambda *_: None)
        code.second()
"""
ASKS = """
    def test_1():
        before = sys.gettrace()
        sys.settrace(None)
        code.first()
        code.second()
        sys.settrace(before)
"""


@pytest.fixture
def traced(project: Project) -> Project:
    """Give a project with one file."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("app/code.py", CODE)
    return project


def run(project: Project, test: str, *options: str, core: str = "ctrace") -> subprocess.CompletedProcess[str]:
    """Run a session with a test that deals with the trace function, and one after it."""
    project.write(
        "test_it.py", f"import sys\nfrom app import code\n\n{dedent(test)}\ndef test_9():\n    code.third()\n"
    )
    words = ("-m", "pytest", "-q", "-p", "pytest_vmpilot_cov.plugin", "--vmpilot-cov", *options)
    return project.run(sys.executable, *words, env={**EXPLICIT, "COVERAGE_CORE": core})


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n1")], ids=["one process", "with a worker"])
@pytest.mark.parametrize(
    ("test", "marks", "is_named"),
    [
        (ASKS, ("first", "second", "third"), False),
        (GIVES_BACK, ("first", "second", "third"), True),
        (KEEPS, ("first", "third"), True),
    ],
    ids=["sets None", "sets its own and None", "keeps its own"],
)
def test_measurement_comes_back(
    traced: Project,
    test: str,
    marks: tuple[str, ...],
    is_named: bool,  # noqa: FBT001
    workers: tuple[str, ...],
) -> None:
    """After ``sys.settrace(None)`` lines count at once, at the latest after the test; a test that traces is named."""
    if workers:
        pytest.importorskip("xdist")
    done = run(traced, test, *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines_in(traced.path / ".coverage")["code.py"] == numbered(CODE, "import", *marks)
    named = "test_it.py::test_1 took the trace function away; what ran until it was given back is not measured"
    assert (named in done.stdout) == is_named, done.stdout


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sysmon needs Python 3.12")
def test_sysmon_needs_no_trace_function(traced: Project) -> None:
    """Where the core is sysmon, tests may trace as they like, and nothing is said."""
    done = run(traced, KEEPS, core="sysmon")
    assert (done.returncode, "(trace-taken)" in done.stdout) == (0, False), done.stdout + done.stderr
    assert lines_in(traced.path / ".coverage")["code.py"] == numbered(CODE, "import", "first", "second", "third")
