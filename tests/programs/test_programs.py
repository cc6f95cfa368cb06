"""Programs run recorded as they run alone: they end alike, print alike, and leave the same files behind.

By default each sixth program of the table is tried; with ``TEST_PROGRAMS=all`` each is.
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import Project, lines_in
from tests.plugin.conftest import CORES
from tests.programs import children, ends, interpreter, library, limits, looks, pools, threads, traces
from tests.programs.program import Program, run, without_log

TABLE = {
    name: program
    for module in (ends, children, pools, threads, traces, looks, interpreter, limits, library)
    for name, program in module.PROGRAMS.items()
}
STEP = 1 if os.environ.get("TEST_PROGRAMS") == "all" else 6


@pytest.mark.parametrize("name", list(TABLE)[::STEP])
def test_a_program_runs_recorded_as_alone(project: Project, name: str) -> None:
    """A program ends, prints and leaves files as without us, with any core and where others were recorded before it."""
    check(project, TABLE[name])


def check(project: Project, program: Program) -> None:
    """Compare how a program runs recorded, with each core, with how it runs alone."""
    if program.lacks():
        pytest.skip("this system lacks what it needs")
    alone = run(project, program)
    expected = alone if program.prints is None else alone._replace(stdout=program.prints)
    for core in (*CORES, CORES[0])[:2]:
        recorded = run(project, program, VMPILOT_COV=str(project.path), COVERAGE_CORE=core)
        stderr, logged = without_log(recorded.stderr)
        assert recorded._replace(stderr=stderr) == expected
        assert set(logged) <= set(program.logged)
    assert was_recorded(project) == program.is_recorded


def was_recorded(project: Project) -> bool:
    """Tell whether the body of the function that the programs call is among the data."""
    project.run("vmpilot-cov", "combine")
    path = project.path / ".coverage.pipeline"
    return path.exists() and 2 in lines_in(path).get("work.py", [])
