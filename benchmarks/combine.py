"""What does combining the data of many processes cost, compared with coverage.py's own ``combine``?

Three things are measured. *segments*: what ``vmpilot-cov combine`` does before it counts, from the segments of all
processes to one data file; *data files*: the same from the very files that ``coverage combine`` reads; *verdict*: the
whole command, beside ``coverage combine`` and ``coverage report`` one after the other.

``python benchmarks/combine.py``; the data of 1,000 processes takes minutes to make, with branches 3 GB below TMPDIR.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from coverage import CoverageData
from coverage.numbits import nums_to_numbits
from shared.pairs import AGAIN, Cost, Figures, Table, arguments, ratio, run
from shared.peers import COVERAGE

from server_hook.arcs import Arcs
from server_hook.store import records, segment, working_folder
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Label, Part, Source, bitmap

SOURCES, LINES = 500, 200
SIZES = (100, 300, 1000)
ARCS = [(n, n + 1) for n in range(1, LINES)] + [(n, n + 3) for n in range(2, LINES - 4, 4)] + [(-1, 1), (LINES, -1)]
Drawn: TypeAlias = dict[Source, list[Any]]
"""Lines, or arcs, by source."""
CONTEXTS = 5
"""How many tests a process runs, in data with contexts."""
KINDS = {"lines": 0.25, "contexts": 0.5, "branch": 1.0}
"""The kinds of data, and the limit for *segments* and *data files* as a share of coverage.py's CPU."""
MEMORY_LIMIT = 1.2
"""The limit for the same as a share of coverage.py's peak memory."""
WAYS = ("segments", "data files", "verdict")
COMBINE = """
import sys
from pathlib import Path
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.options.options import make_options
from server_hook.store.publication import write_data_file

options = make_options(Path.cwd(), str(Path.cwd()))
places = [Path.cwd()] if sys.argv[1] == "segments" else sorted(Path("theirs").iterdir())
combined = combine(options, collect(options, Scope(only=tuple(places))))
write_data_file(str(Path.cwd() / "ours"), combined.counted, combined.untouched)
"""
COMMAND = [sys.executable, "-m", "pytest_vmpilot_cov", "combine"]
COVERAGE_PY = [sys.executable, "-m", "coverage"]


class Bench:
    """A project and the data of its processes, twice: as segments and as data files."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Write the project."""
        self.folder, self.kind, self.count = folder, kind, 0
        self.theirs = folder / "theirs"
        self.theirs.mkdir()
        (folder / "app").mkdir()
        (folder / "combined").mkdir()
        self._combined = folder / "combined/.coverage"
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
        """Write the data of more processes, until there are *count* of them."""
        for number in range(self.count, count):
            drawn = random.Random(number)
            measured = [(context, self._measure(drawn, context)) for context in self._contexts(drawn)]
            self._write_segment(number, measured)
            self._write_data_file(number, measured)
        self.count = count

    def _contexts(self, drawn: random.Random) -> list[str]:
        return [f"test_{n}" for n in drawn.sample(range(50), CONTEXTS)] if self.kind == "contexts" else [""]

    def _measure(self, drawn: random.Random, context: str) -> Drawn:
        """Draw what a process reached: four fifths of everything; in a test, that of a fifth of the sources."""
        sources = drawn.sample(self.sources, SOURCES // CONTEXTS) if context else self.sources
        whole: list[Any] = ARCS if self.kind == "branch" else list(range(1, LINES + 1))
        return {source: sorted(drawn.sample(whole, len(whole) * 4 // 5)) for source in sources}

    def _write_segment(self, number: int, measured: Sequence[tuple[str, Drawn]]) -> None:
        folder = working_folder.make_folder(str(self.folder), f"{number}-bench")
        record = records.Record(f"{number}-bench", number, "unit", ended=1.0)
        Path(folder, records.RECORD).write_text(json.dumps(record._asdict()))
        segment.write(folder, 1, [self._part(number, context, files) for context, files in measured])

    def _part(self, number: int, context: str, files: Drawn) -> Part:
        part = Part(Label("unit", context), 1e9 + number, 2e9)
        for source, drawn in files.items():
            part.add(source, Arcs(drawn) if self.kind == "branch" else bitmap(drawn))
        return part

    def _write_data_file(self, number: int, measured: Sequence[tuple[str, Drawn]]) -> None:
        """Write what coverage.py would write; its own API takes a second with arcs."""
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

    def combine_theirs(self) -> Cost:
        """Combine with coverage.py."""
        self._combined.unlink(missing_ok=True)
        file = f"--data-file={self._combined}"
        return run([*COVERAGE_PY, "combine", "-q", "--keep", file, str(self.theirs)], self.folder)

    def run_theirs(self) -> tuple[Cost, Cost]:
        """Combine and report with coverage.py."""
        combined = self.combine_theirs()
        reported = run([*COVERAGE_PY, "report", f"--data-file={self._combined}"], self.folder)
        return combined, Cost(combined.cpu_s + reported.cpu_s, max(combined.peak_bytes, reported.peak_bytes), "")

    def combine_ours(self, way: str) -> Cost:
        """Do the same in one of our ways."""
        used = run(COMMAND if way == "verdict" else [sys.executable, "-c", COMBINE, way], self.folder)
        for path in self.folder.glob(".coverage*[!rc]"):
            path.unlink()  # or the next turn would read what this one published
        return used


def measure(table: Table, kind: str, sizes: Sequence[int], pairs: int) -> None:
    """Print the table of one kind of data; only the largest size has limits."""
    what = f"{SOURCES} sources with {SOURCES * LINES:,} lines"
    table.begin(f"Combine, {kind}, {what}, {pairs} pairs")
    costs: dict[str, dict[int, float]] = {way: {} for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name).resolve(), kind)
        for size in sizes:
            bench.grow(size)
            turns = [(bench.run_theirs(), [*map(bench.combine_ours, WAYS)], bench.run_theirs()) for _ in range(pairs)]
            table.note(f"{size:,} processes", "")
            for number, way in enumerate(WAYS):
                which = int(way == "verdict")
                sides = {COVERAGE: [turn[0][which] for turn in turns], AGAIN: [turn[2][which] for turn in turns]}
                cpu, peaks = pick({**sides, way: [turn[1][number] for turn in turns]})
                costs[way][size] = statistics.median(cpu[way])
                print_rows(table, kind, way, cpu, peaks, judged=size == sizes[-1])
    for way in WAYS:
        table.growth(f"CPU seconds, {way}", costs[way])


def pick(sides: Mapping[str, Sequence[Cost]]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Split usage into CPU and peak memory, by side."""
    cpu = {side: [each.cpu_s for each in used] for side, used in sides.items()}
    return cpu, {side: [each.peak_mib for each in used] for side, used in sides.items()}


def print_rows(table: Table, kind: str, way: str, cpu: Figures, peaks: Figures, *, judged: bool) -> None:  # noqa: PLR0913 - what the rows need
    """Print the cost of one way."""
    base = "coverage combine and report" if way == "verdict" else "coverage combine"
    seconds = " to ".join(f"{statistics.median(cpu[side]):.2f} s" for side in (way, COVERAGE))
    mib = " to ".join(f"{statistics.median(peaks[side]):.0f} MiB" for side in (way, COVERAGE))
    again = f"A/A {ratio(cpu, AGAIN, COVERAGE):.3f}"
    if judged and way != "verdict":
        table.at_most(f"  {way}: CPU, to {base} ({again})", ratio(cpu, way, COVERAGE), KINDS[kind])
        table.at_most(f"  {way}: peak memory, to {base}", ratio(peaks, way, COVERAGE), MEMORY_LIMIT)
    else:
        table.note(f"  {way}: CPU, to {base} ({again})", f"{ratio(cpu, way, COVERAGE):.3f}")
        table.note(f"  {way}: peak memory, to {base}", f"{ratio(peaks, way, COVERAGE):.3f}")
    table.note(f"    {seconds}, {mib}", "")


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many processes")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    args = parser.parse_args()
    table = Table()
    for kind in args.kinds:
        measure(table, kind, args.sizes, args.pairs)
    table.end()


if __name__ == "__main__":
    main()
