"""What does the verdict on one file of 100,000 lines take, compared with ``coverage report`` on the same data?

The first time, the file is parsed; later, what was parsed is there. ``python benchmarks/large.py``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from shared.pairs import AGAIN, Cost, Figures, Table, arguments, ratio, run
from shared.peers import COVERAGE
from shared.programs import modules, write_package

LINES = 100_000
FIRST, LATER = "the first time", "later"
LIMITS = {False: (0.5, 0.5), True: (0.85, 0.55)}
"""Branches -> the limits of CPU and memory the first time. Of branches, both sides search the arcs and analyze them."""
LATER_LIMITS = {False: (0.1, 0.15), True: (0.35, 0.35)}
REPORT = [sys.executable, "-m", "pytest_vmpilot_cov", "report"]


@cache
def costs(pairs: int, *, branch: bool) -> dict[str, list[Cost]]:
    """Run the sides in turn; return what each report took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_package(folder, 1, LINES)
        (folder / ".coveragerc").write_text(f"[run]\nsource = app\nbranch = {branch}\n")
        (folder / "main.py").write_text(modules(1) + "ALL[0].run()\n")
        theirs = {"COVERAGE_FILE": str(folder / "theirs")}
        run([sys.executable, "-m", "coverage", "run", "main.py"], folder, **theirs)
        run([sys.executable, "main.py"], folder, VMPILOT_COV=name)

        def first() -> Cost:
            for path in (folder / ".vmpilot-cov").glob("parsed-*"):
                path.unlink()
            return run(REPORT, folder)

        report = partial(run, [sys.executable, "-m", "coverage", "report"], folder, **theirs)
        sides: dict[str, Callable[[], Cost]] = {
            COVERAGE: report,
            FIRST: first,
            LATER: partial(run, REPORT, folder),
            AGAIN: report,
        }
        made: dict[str, list[Cost]] = {side: [] for side in sides}
        for _ in range(pairs):  # not backwards every other round: later comes after the first time
            for side, act in sides.items():
                made[side].append(act())
        return made


def figures(made: Mapping[str, list[Cost]], figure: Callable[[Cost], float]) -> Figures:
    """Take one figure of each cost."""
    return {side: [figure(each) for each in all_of_it] for side, all_of_it in made.items()}


def cpu_s(cost: Cost) -> float:
    """Return the CPU seconds."""
    return cost.cpu_s


def peak_mib(cost: Cost) -> float:
    """Return the peak of the memory in MiB."""
    return cost.peak_mib


def main() -> None:
    """Print the table."""
    pairs = arguments(__doc__, pairs=3).parse_args().pairs
    table = Table()
    table.begin(f"One file of {LINES:,} lines, {pairs} pairs")
    for branch in (False, True):
        made = costs(pairs, branch=branch)
        for number, (what, figure) in enumerate({"CPU": cpu_s, "peak memory": peak_mib}.items()):
            all_of_it = figures(made, figure)
            noise = table.noise(all_of_it, COVERAGE, AGAIN)
            for side, limits in {FIRST: LIMITS, LATER: LATER_LIMITS}.items():
                name = f"{'branches' if branch else 'lines'}, {side}: {what}, to {COVERAGE} report"
                table.at_most(name, ratio(all_of_it, side, COVERAGE), limits[branch][number], noise=noise)
    table.end()


if __name__ == "__main__":
    main()
