"""How much memory does a recorded program need, compared with ``coverage run``?

The program imports and runs every line of packages of three sizes. ``python benchmarks/memory.py``.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from shared.pairs import AGAIN, Table, arguments, ratio, run, take_in_turn
from shared.peers import COVERAGE, OURS
from shared.programs import modules, write_package

SIZES, LINES = (10_000, 30_000, 100_000), 200
LIMIT = 1.2


def peak_mib(command: list[str], folder: Path, **env: str) -> float:
    """Return the peak memory of a command."""
    return run(command, folder, **env).peak_mib


def measure(lines: int, pairs: int, *, branch: bool) -> dict[str, list[float]]:
    """Run the sides in turn over a program of *lines* lines; return their peaks."""
    with tempfile.TemporaryDirectory() as name:
        folder, files = Path(name), lines // LINES
        write_package(folder, files, LINES)
        (folder / ".coveragerc").write_text(
            f"[run]\nsource = app\nbranch = {branch}\n[vmpilot_cov]\ninterval_s = 0.1\n"
        )
        (folder / "main.py").write_text(modules(files) + "for each in ALL:\n    each.run()\n")
        bare, theirs = [sys.executable, "main.py"], [sys.executable, "-m", "coverage", "run", "main.py"]
        sides = {
            COVERAGE: partial(peak_mib, theirs, folder),
            OURS: lambda: peak_mib(bare, folder, VMPILOT_COV=name, VMPILOT_COV_DATA_DIR=tempfile.mkdtemp(dir=name)),
            AGAIN: partial(peak_mib, theirs, folder),
        }
        run(bare, folder)  # from now on the bytecode is cached
        return take_in_turn(sides, pairs)


def main() -> None:
    """Print the table."""
    pairs = arguments(__doc__, pairs=5).parse_args().pairs
    table = Table()
    table.begin(f"Peak memory, {pairs} pairs")
    for branch in (False, True):
        peaks: dict[int, float] = {}
        for lines in SIZES:
            figures = measure(lines, pairs, branch=branch)
            what = f"{'branches' if branch else 'lines'}, {lines:,} lines"
            noise = table.noise(figures, COVERAGE, AGAIN)
            for side in figures:
                table.note(f"  {side}", f"{median(figures[side]):.1f} MiB")
            table.at_most(f"{what}: peak, to {COVERAGE}", ratio(figures, OURS, COVERAGE), LIMIT, noise=noise)
            peaks[lines] = median(figures[OURS])
        table.growth("MiB, recorded", peaks)
    table.end()


if __name__ == "__main__":
    main()
