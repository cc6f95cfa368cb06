"""What it costs to combine the data of many processes, beside coverage.py's own ``combine`` on the same data.

Three things are measured. *segments*: what ``vmpilot-cov combine`` does before it counts, from the segments of all
processes to one data file; *data files*: the same from the very files that ``coverage combine`` reads; *verdict*: the
whole command, beside ``coverage combine`` and ``coverage report`` one after the other. Both sides take turns, medians
are shown, and the baseline runs twice a round: A/A is how much it differs from itself. Growth is the CPU of a further
process between the last two sizes over that between the first two: above 1 it is worse than linear.

``python benchmarks/combine.py``; the data of 1,000 processes takes minutes to make, with branches 3 GB below TMPDIR.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from coverage import CoverageData
from coverage.numbits import nums_to_numbits

from server_hook import announce, segment
from server_hook.arcs import Arcs
from server_hook.fingerprint import fingerprint
from server_hook.segment import Label, Part, Source, bitmap

SOURCES, LINES = 500, 200
ARCS = [(n, n + 1) for n in range(1, LINES)] + [(n, n + 3) for n in range(2, LINES - 4, 4)] + [(-1, 1), (LINES, -1)]
Drawn: TypeAlias = dict[Source, list[Any]]
"""Lines, or arcs, by source."""
CONTEXTS = 5
"""How many tests one process runs, in data with contexts."""
KINDS = {"lines": 0.25, "contexts": 0.5, "branch": 1.0}
"""What is measured, and how much of coverage.py's CPU may be used for *segments* and *data files*."""
MEMORY_LIMIT = 1.2
"""How much of coverage.py's peak memory may be used for the same."""
WAYS = ("segments", "data files", "verdict")
COMBINE = """
import sys
from pathlib import Path
from pytest_vmpilot_cov.collect import Scope, collect
from pytest_vmpilot_cov.options import make_options
from pytest_vmpilot_cov.verdict import combine_collected
from server_hook.publish import write_data_file

options = make_options(Path.cwd(), str(Path.cwd()))
places = [Path.cwd()] if sys.argv[1] == "segments" else sorted(Path("theirs").iterdir())
combined = combine_collected(options, collect(options, Scope(only=tuple(places))))
write_data_file(str(Path.cwd() / "ours"), combined.counted, combined.untouched)
"""
COMMAND = "import sys; from pytest_vmpilot_cov.cli import main; sys.exit(main())"


class Bench:
    """A project, and the data that its processes have left, twice: as segments and as data files."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Write the project."""
        self.folder, self.kind, self.count = folder, kind, 0
        self.theirs = folder / "theirs"
        self.theirs.mkdir()
        (folder / "app").mkdir()
        (folder / "combined").mkdir()
        branch = kind == "branch"
        (folder / ".coveragerc").write_text(f"[run]\nsource = app\nbranch = {branch}\nrelative_files = false\n")
        self.sources = [self._write_source(number) for number in range(SOURCES)]
        self._empty = folder / "empty"
        data = CoverageData(basename=str(self._empty))
        if branch:
            data.add_arcs({"x": [(1, 2)]})
        else:
            data.add_lines({"x": [1]})
        data.write()
        data.close(force=True)

    def _write_source(self, number: int) -> Source:
        path = self.folder / "app" / f"m{number:03}.py"
        functions = (f"def f{n}(x):\n    if x:\n        return {n + number}\n    return 0\n" for n in range(LINES // 4))
        path.write_text("".join(functions))
        return Source(str(path), fingerprint(str(path)))

    def grow(self, count: int) -> None:
        """Leave the data of further processes until there is that of *count*."""
        for number in range(self.count, count):
            drawn = random.Random(number)
            measured = [(context, self._measure(drawn, context)) for context in self._contexts(drawn)]
            self._write_segment(number, measured)
            self._write_data_file(number, measured)
        self.count = count

    def _contexts(self, drawn: random.Random) -> list[str]:
        return [f"test_{n}" for n in drawn.sample(range(50), CONTEXTS)] if self.kind == "contexts" else [""]

    def _measure(self, drawn: random.Random, context: str) -> Drawn:
        """Draw what a process has reached: four in five of all, in a test that of a fifth of the sources."""
        sources = drawn.sample(self.sources, SOURCES // CONTEXTS) if context else self.sources
        whole: list[Any] = ARCS if self.kind == "branch" else list(range(1, LINES + 1))
        return {source: sorted(drawn.sample(whole, len(whole) * 4 // 5)) for source in sources}

    def _write_segment(self, number: int, measured: Sequence[tuple[str, Drawn]]) -> None:
        folder = announce.make_folder(str(self.folder), f"{number}-bench")
        record = announce.Record(f"{number}-bench", number, "unit", ended=1.0)
        Path(folder, announce.RECORD).write_text(json.dumps(record._asdict()))
        segment.write(folder, 1, [self._part(number, context, files) for context, files in measured])

    def _part(self, number: int, context: str, files: Drawn) -> Part:
        part = Part(Label("unit", context), 1e9 + number, 2e9)
        for source, drawn in files.items():
            part.add(source, Arcs(drawn) if self.kind == "branch" else bitmap(drawn))
        return part

    def _write_data_file(self, number: int, measured: Sequence[tuple[str, Drawn]]) -> None:
        """Write what coverage.py would; through its own API it takes a second with arcs."""
        target = self.theirs / f".coverage.host.{number}.x"
        target.write_bytes(self._empty.read_bytes())
        with closing(sqlite3.connect(target)) as base, base:
            for table in ("file", "context", "line_bits", "arc"):
                base.execute(f"DELETE FROM {table}")
            base.executemany("INSERT INTO file VALUES (?, ?)", enumerate((each.path for each in self.sources), 1))
            base.executemany("INSERT INTO context VALUES (?, ?)", enumerate((name for name, _ in measured), 1))
            ids = {source: place for place, source in enumerate(self.sources, 1)}
            for context, (_, files) in enumerate(measured, 1):
                if self.kind == "branch":
                    rows = ((ids[each], context, *arc) for each, lines in files.items() for arc in lines)
                    base.executemany("INSERT INTO arc VALUES (?, ?, ?, ?)", rows)
                else:
                    bits = ((ids[each], context, nums_to_numbits(lines)) for each, lines in files.items())
                    base.executemany("INSERT INTO line_bits VALUES (?, ?, ?)", bits)

    def run_theirs(self) -> tuple[Used, Used]:
        """Let coverage.py combine, and report."""
        target = self.folder / "combined" / ".coverage"
        target.unlink(missing_ok=True)
        file = f"--data-file={target}"
        combined = run(self.folder, "-m", "coverage", "combine", "-q", "--keep", file, str(self.theirs))
        reported = run(self.folder, "-m", "coverage", "report", file)
        return combined, Used(combined.cpu_s + reported.cpu_s, max(combined.peak_mib, reported.peak_mib))

    def run_ours(self) -> list[Used]:
        """Do the same in each of the ways."""
        used = [run(self.folder, "-c", COMBINE, way) for way in WAYS[:2]] + [run(self.folder, "-c", COMMAND, "combine")]
        for path in self.folder.glob(".coverage*[!rc]"):
            path.unlink()  # what was published would be read by the next turn, too
        return used


class Used(NamedTuple):
    """What a process has used."""

    cpu_s: float
    peak_mib: float


def run(folder: Path, *words: str) -> Used:
    """Run this Python to its end."""
    process = subprocess.Popen([sys.executable, *words], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return Used(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(kind: str, sizes: Sequence[int], rounds: int) -> None:
    """Print the rows of one kind of data."""
    took_s: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name).resolve(), kind)
        for size in sizes:
            bench.grow(size)
            turns = [(bench.run_theirs(), bench.run_ours(), bench.run_theirs()) for _ in range(rounds)]
            for number, way in enumerate(WAYS):
                which = int(way == "verdict")
                ours = middle(turn[1][number] for turn in turns)
                theirs, again = (middle(turn[side][which] for turn in turns) for side in (0, 2))
                took_s[way].append((ours.cpu_s, theirs.cpu_s))
                print_row(kind, way, size, ours, theirs, again)
    for way in WAYS:
        ours_, theirs_ = (growth(sizes, [each[side] for each in took_s[way]]) for side in (0, 1))
        print(f"{kind:<9} {way:<11}   growth {ours_:>7.2f}   {theirs_:>7.2f}", flush=True)


def middle(used: Iterable[Used]) -> Used:
    """Return the medians."""
    cpu_s, peak_mib = zip(*used, strict=True)
    return Used(statistics.median(cpu_s), statistics.median(peak_mib))


def print_row(kind: str, way: str, size: int, ours: Used, theirs: Used, again: Used) -> None:  # noqa: PLR0913, PLR0917
    """Print one row."""
    limit = "     -" if way == "verdict" else f"{KINDS[kind]:>6.2f}"
    print(
        f"{kind:<9} {way:<11} {size:>7} {ours.cpu_s:>7.2f} s {theirs.cpu_s:>7.2f} s {ours.cpu_s / theirs.cpu_s:>6.2f} "
        f"{limit} {again.cpu_s / theirs.cpu_s:>5.2f} {ours.peak_mib:>6.1f} MiB {theirs.peak_mib:>6.1f} MiB "
        f"{ours.peak_mib / theirs.peak_mib:>6.2f}",
        flush=True,
    )


def growth(sizes: Sequence[int], took_s: Sequence[float]) -> float:
    """Return how the CPU of a further process changes from the first pair of sizes to the last; 1 is linear."""
    slopes = [(took_s[n + 1] - took_s[n]) / (sizes[n + 1] - sizes[n]) for n in range(len(sizes) - 1)]
    return slopes[-1] / slopes[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="100,300,1000", help="how many processes, three numbers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(KINDS))
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    print(
        f"Python {sys.version.split()[0]}, {SOURCES} sources, {SOURCES * LINES} lines, {asked.rounds} rounds;", end=" "
    )
    print(f"limit of the memory: {MEMORY_LIMIT:g} of coverage.py's")
    print("what                  processes    CPU  coverage  ratio  limit   A/A     memory   coverage  ratio")
    for kind in asked.kinds.split(","):
        measure(kind, sizes, asked.rounds)


if __name__ == "__main__":
    main()
