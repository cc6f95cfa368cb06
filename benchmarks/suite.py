"""What does measuring a CPU-bound test suite cost, compared with pytest-cov, ``coverage run`` and SlipCover?

Unit and E2E tests take turns, so that the origin changes at every test; with ``--contexts`` a second table labels
2,000 tests each by its name. The figures are CPU of whole sessions, from start to exit, with the default report.
``python benchmarks/suite.py``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from shared.pairs import AGAIN, BASE, Table, arguments, ratio, run, take_in_turn
from shared.peers import NO_PLUGINS, OURS, PYTEST_COV, sessions
from shared.programs import write_package

SYSMON = sys.version_info >= (3, 12)
LIMIT_THEIRS = 0.5 if SYSMON else 1.05
LIMIT_NONE, LIMIT_CONTEXTS = 1.1, 0.8
SIZES, CONTEXT_SIZES = (50, 150, 450), (500, 1000, 2000)
FILES, LINES = 20, 500
ROUNDS = 2000 if SYSMON else 300
"""How often a test runs its module: about 10 s without coverage, less if a trace function takes many times that."""

TEST = """
{mark}
def test_{number}():
    for _ in range({rounds}):
        ALL[{module}].run()
"""


def write_suite(folder: Path, tests: int, rounds: int) -> None:
    """Write tests that each run all lines of a module again and again. Every other test is an E2E test."""
    write_package(folder, FILES, LINES)
    (folder / "conftest.py").write_text("")
    imports = "".join(f"from app import m{number}\n" for number in range(FILES))
    names = ", ".join(f"m{number}" for number in range(FILES))
    bodies = [
        TEST.format(number=number, module=number % FILES, rounds=rounds, mark="@pytest.mark.e2e" if number % 2 else "")
        for number in range(tests)
    ]
    (folder / "test_all.py").write_text(f"import pytest\n{imports}ALL = [{names}]\n" + "".join(bodies))


def measure(
    table: Table, sides: Mapping[str, list[str]], tests: int, rounds: int, pairs: int
) -> dict[str, list[float]]:
    """Run the sides in turn over a suite of *tests* tests; return their CPU."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(folder, tests, rounds)
        run(sides[BASE], folder, **NO_PLUGINS)  # from now on the bytecode is cached
        figures = take_in_turn(
            {side: (lambda c=command: run(c, folder, **NO_PLUGINS).cpu_s) for side, command in sides.items()}, pairs
        )
    table.note(f"{tests:,} tests", "")
    for side in sides:
        if side not in (BASE, AGAIN):
            table.note(f"  {side}, to {BASE}", f"{ratio(figures, side):.3f}")
    return figures


def judge(table: Table, pairs: int, rounds: int) -> None:
    """Print the table of the suite that tells tests apart by origin."""
    table.begin(f"A CPU-bound suite, lines, origins told apart, {pairs} pairs")
    costs: dict[str, dict[int, float]] = {BASE: {}, OURS: {}, PYTEST_COV: {}}
    for tests in SIZES:
        figures = measure(table, sessions(), tests, rounds, pairs)
        noise = table.noise(figures)
        for side, by_size in costs.items():
            by_size[tests] = median(figures[side])
    table.at_most(f"CPU, to {PYTEST_COV}", ratio(figures, OURS, PYTEST_COV), LIMIT_THEIRS, noise=noise)
    if SYSMON:
        table.at_most(f"CPU, to {BASE}", ratio(figures, OURS), LIMIT_NONE, noise=noise)
    fewer, more = SIZES[-2:]
    for side, by_size in costs.items():
        table.note(f"seconds of CPU a further test, {side}", f"{(by_size[more] - by_size[fewer]) / (more - fewer):.4f}")
        table.growth(f"CPU seconds, {side}", by_size)


def judge_contexts(table: Table, pairs: int) -> None:
    """Print the table of the suite that labels each test with its name."""
    table.begin(f"--cov-context=test, {pairs} pairs")
    costs: dict[int, float] = {}
    for tests in CONTEXT_SIZES:
        figures = measure(table, sessions("--cov-context=test"), tests, 1, pairs)
        noise = table.noise(figures)
        costs[tests] = median(figures[OURS])
    table.at_most(f"CPU, to {PYTEST_COV}", ratio(figures, OURS, PYTEST_COV), LIMIT_CONTEXTS, noise=noise)
    table.growth(f"CPU seconds, {OURS}", costs)


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often a test runs its module")
    parser.add_argument("--only", choices=("origins", "contexts"), help="one of the two tables")
    args = parser.parse_args()
    table = Table()
    if args.only != "contexts":
        judge(table, args.pairs, args.rounds)
    if args.only != "origins":
        judge_contexts(table, args.pairs)
    table.end()


if __name__ == "__main__":
    main()
