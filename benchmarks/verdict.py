"""What do the verdict and the reports cost, from the last test to the end, compared with pytest-cov's?

A suite runs every line of 500 files with 100,000 lines. Its conftest notes the CPU when the loop over the tests is
done; what the process uses from there to its exit is the figure. ``python benchmarks/verdict.py``.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from shared.pairs import AGAIN, Table, arguments, ratio, run, take_in_turn
from shared.peers import NO_PLUGINS, OURS, PYTEST_COV, sessions
from shared.programs import modules, write_package

SIZES = (50, 150, 500)
LINES = 200
LIMIT = 1.0

CONFTEST = """
import os, pytest
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop():
    try:
        return (yield)
    finally:
        used = os.times()
        with open(os.environ["NOTE"], "w") as file:
            file.write(str(used.user + used.system + used.children_user + used.children_system))
"""
TESTS = """
import pytest
{imports}
def test_unit():
    for each in ALL[::2]:
        each.run()
@pytest.mark.e2e
def test_e2e():
    for each in ALL[1::2]:
        each.run()
"""


def write_suite(folder: Path, files: int) -> None:
    """Write tests that run every line of *files* files, and what notes the end of the last one."""
    write_package(folder, files, LINES)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_all.py").write_text(TESTS.format(imports=modules(files)))


def cost_s(command: list[str], folder: Path) -> float:
    """Return the CPU time from the last test to the exit."""
    note = folder / "note"
    whole = run(command, folder, NOTE=str(note), **NO_PLUGINS).cpu_s
    return whole - float(note.read_text())


def measure(report: str, files: int, pairs: int) -> dict[str, list[float]]:
    """Run the sides in turn over a suite of *files* files; return their CPU after the last test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(folder, files)
        theirs, ours = (sessions(f"--cov-report={report}")[side] for side in (PYTEST_COV, OURS))
        sides = {PYTEST_COV: theirs, OURS: ours, AGAIN: theirs}
        return take_in_turn({side: partial(cost_s, command, folder) for side, command in sides.items()}, pairs)


def main() -> None:
    """Print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of files")
    args = parser.parse_args()
    table = Table()
    table.begin(f"Last test to exit, {LINES} lines a file, {args.pairs} pairs")
    for report in ("term", "html"):
        costs: dict[int, float] = {}
        for files in args.sizes:
            figures = measure(report, files, args.pairs)
            costs[files] = median(figures[OURS])
        noise = table.noise(figures, PYTEST_COV, AGAIN)
        figure = ratio(figures, OURS, PYTEST_COV)
        table.at_most(f"{report}, {files} files: CPU, to {PYTEST_COV}", figure, LIMIT, noise=noise)
        table.growth(f"CPU seconds, {OURS}", costs)
    table.end()


if __name__ == "__main__":
    main()
