"""Measure what docs/performance.md shows, with all peers in the same run; print the table, or write it there.

The sides of a row run in turn, ten rounds; the side that the others are compared with runs twice a round (A/A).
``python benchmarks/all.py`` takes about ten minutes on a machine that does nothing else; ``--quick`` is one round, to
see that everything runs; ``--write`` puts the tables into docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import scale
from shared import counts, works
from shared.pairs import AGAIN, Figures, ratio, spread
from shared.peers import COVERAGE, OURS, PYTEST_COV, SLIPCOVER, why_no_slipcover

PAGE = Path(__file__).parent.parent / "docs/performance.md"
BEGIN, END = "<!-- made by benchmarks/all.py -->\n", "<!-- end of what it made -->\n"
PEERS = (COVERAGE, PYTEST_COV, SLIPCOVER, OURS)
COLUMNS = ("work", "1 is", "again", *PEERS)
SCALE_COLUMNS = ("what", *(f"{share:g} of it" for share in scale.SHARES), "growth")
INSTRUCTIONS = "M instructions"
BUSY = 0.5
"""Above this load per processor, seconds say more about what else runs than about us."""
PACKAGES = ("coverage", "pytest", "pytest-cov", "slipcover")


class Row(NamedTuple):
    """One line of the table of peers."""

    what: str
    base: str
    """What the sides of this row are compared with."""
    unit: str
    measure: Callable[[Path, int], Figures]


ROWS = (
    Row("start, not recorded", works.NONE, INSTRUCTIONS, works.count_start),
    Row("start of a program of one file, recorded", works.NONE, INSTRUCTIONS, works.count_recorded_start),
    Row("session of one empty test, 40 files, nothing changed", works.NONE, "s", works.empty_session),
    Row("suite of 60 busy tests, unit and E2E in turn", works.NONE, "s", works.busy_suite),
    Row("the same, contexts: 400 short tests", PYTEST_COV, "s", works.contexts),
    Row("last test to exit, 100 files, nothing changed", PYTEST_COV, "s", works.session_end),
    Row("the same, the first time", PYTEST_COV, "s", works.first_session_end),
    Row("request to a server, 3 lines", works.NONE, "ms", works.trivial_request),
    Row("request to a server, 1,000 lines", works.NONE, "ms", works.busy_request),
    Row("program of 20,000 lines, peak memory", COVERAGE, "MiB", works.peak_memory),
    Row("combine 100 processes, 500 files", COVERAGE, "s", works.combine_processes),
    Row("the same, peak memory", COVERAGE, "MiB", works.combine_memory),
    Row("`vmpilot-cov report`, 200 files, the second time", works.FIRST, "s", works.second_report),
    Row("`vmpilot-cov combine`, the same", works.FIRST, "s", works.second_combine),
    Row("the page, the same", works.FIRST, "s", works.second_page),
    Row("the live page, the same", works.FIRST, "s", works.second_live_page),
    Row("report of a file of 100,000 lines, the first time", COVERAGE, "s", works.large_cpu),
    Row("the same, peak memory", COVERAGE, "MiB", works.large_memory),
    Row("the same, the second time", COVERAGE, "s", works.later_large_cpu),
    Row("the same, the second time, peak memory", COVERAGE, "MiB", works.later_large_memory),
)


def cells(row: Row, figures: Figures) -> list[str]:
    """Return the cells of a row: the cost of one side, and the other sides' as shares of it."""
    if row.base not in figures:
        return [row.what, *["-"] * (len(COLUMNS) - 1)]
    cost, apart = median(figures[row.base]), spread(figures, row.base, AGAIN)
    again = f"{ratio(figures, AGAIN, row.base):.3f} ± {apart:.3f}"
    shares = ["1" if peer == row.base else share(figures, peer, row.base) for peer in PEERS]
    return [row.what, f"{row.base}, {cost:.3g} {row.unit}", again, *shares]


def share(figures: Figures, side: str, base: str) -> str:
    """Return the share of one side; a dash where it has none."""
    return f"{ratio(figures, side, base):.3f}" if side in figures else "-"


def line(texts: list[str] | tuple[str, ...]) -> str:
    """Make a line of a table."""
    return f"| {' | '.join(texts)} |\n"


def table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    """Make a table."""
    return "".join([line(columns), line(["---"] * len(columns)), *map(line, rows)])


def scale_cells(what: str, by_share: Mapping[float, float]) -> list[str]:
    """Return the cells of what grows with the size."""
    return [what, *(f"{by_share[each]:.3g}" for each in scale.SHARES), f"{scale.exponent(by_share):.2f}"]


def machine() -> str:
    """Describe the machine, and the versions of what runs on it."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    model = found[1] if found else platform.machine()
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PAGE.parent, capture_output=True, text=True)  # noqa: PLW1510 - without git there is no commit
    at = f" at {commit.stdout.strip()}" if commit.stdout else ""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {', '.join(versions)}{at}; {os.cpu_count()} x {model}"


def load() -> str:
    """Describe how busy the machine is, and warn if it is too busy."""
    one, five, _ = os.getloadavg()
    text = f"load {one:.2f} (1 min), {five:.2f} (5 min)"
    if one > BUSY * (os.cpu_count() or 1):
        warning = f"**busy machine**: above {BUSY:g} per processor, don't trust seconds"
        print(f"WARNING: {text}: {warning}", file=sys.stderr)
        text += f", {warning}"
    return text


def measured(rounds: int, wanted: str) -> str:
    """Measure everything; return what stands between the marks."""
    began, before = time.monotonic(), load()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for number, row in enumerate(ROWS):
            if not re.search(wanted, row.what):
                continue
            can = row.unit != INSTRUCTIONS or counts.can_count()
            rows.append(cells(row, row.measure(Path(name).resolve() / str(number), rounds) if can else {}))
            print(f"{time.monotonic() - began:5.0f} s  {'  '.join(rows[-1])}", file=sys.stderr, flush=True)
    costs = {} if wanted else scale.measured()
    minutes = (time.monotonic() - began) / 60
    slip = f" SlipCover is left out: {why_no_slipcover()}." if why_no_slipcover() else ""
    valgrind = "" if counts.can_count() else f" Starts are left out: {counts.MISSING}."
    head = f"{machine()}.\n{rounds} rounds in {minutes:.0f} minutes; {before} before.{slip}{valgrind}\n"
    return "\n".join(
        [
            head,
            table(COLUMNS, rows),
            table(SCALE_COLUMNS, [scale_cells(what, by_share) for what, by_share in costs.items()]),
        ]
    )


def write(text: str) -> None:
    """Put what was made between the marks of the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="rounds of each row (default 10)")
    parser.add_argument("--quick", action="store_true", help="one round, to see that everything runs")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.add_argument("--only", default="", metavar="REGEX", help="the rows whose work it matches, printed only")
    args = parser.parse_args()
    if args.write and args.only:
        parser.error("--write needs all rows")
    text = measured(1 if args.quick else args.pairs, args.only)
    print(text)
    if args.write:
        write(text)


if __name__ == "__main__":
    main()
