"""What it costs to combine the data of many processes: ``vmpilot-cov combine`` beside coverage.py's ``combine``.

Both combine the same lines, or arcs, of the same processes: one reads ``.coverage.*`` files, the other segments, and
``vmpilot-cov combine`` also counts, judges and publishes. They take turns, medians are shown, and the baseline runs
twice a round: A/A is how much it differs from itself. Limits are given for the largest size; growth is the CPU of each
further process there, compared with that between the two smaller sizes: above 1 it is worse than linear.
``python benchmarks/combine.py``; 1,000 processes need some gigabytes below TMPDIR and a few minutes.
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
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from coverage import CoverageData
from coverage.numbits import nums_to_numbits

from server_hook import announce, segment
from server_hook.fingerprint import fingerprint
from server_hook.segment import Arcs, Label, Part, Source, bitmap

SOURCES, LINES = 500, 200
CONTEXTS = 5
"""How many tests one process runs, in data with contexts."""
KINDS = {"lines": 0.25, "contexts": 0.5, "branch": 1.0}
"""What is measured, and how much of coverage.py's CPU may be used."""
MEMORY_LIMIT = 1.2


class Bench:
    """A project, and the data that its processes have left, twice: as segments and as data files."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Write the project."""
        self.folder, self.kind, self.count = folder, kind, 0
        self.theirs = folder / "theirs"
        self.theirs.mkdir()
        (folder / "app").mkdir()
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

    def _measure(self, drawn: random.Random, context: str) -> dict[Source, list[int]]:
        """Draw which lines a process has reached: about four in five of all, of a tenth of the sources in one test."""
        sources = drawn.sample(self.sources, SOURCES // CONTEXTS) if context else self.sources
        return {source: sorted(drawn.sample(range(1, LINES + 1), LINES * 4 // 5)) for source in sources}

    def _write_segment(self, number: int, measured: Sequence[tuple[str, dict[Source, list[int]]]]) -> None:
        folder = announce.make_folder(str(self.folder), f"{number}-bench")
        record = announce.Record(f"{number}-bench", number, "unit", ended=1.0)
        Path(folder, announce.RECORD).write_text(json.dumps(asdict(record)))
        segment.write(folder, 1, [self._part(number, context, files) for context, files in measured])

    def _part(self, number: int, context: str, files: dict[Source, list[int]]) -> Part:
        part = Part(Label("unit" if context else "pipeline", context), 1e9 + number, 2e9)
        for source, lines in files.items():
            part.add(source, arcs_of(lines) if self.kind == "branch" else bitmap(lines))
        return part

    def _write_data_file(self, number: int, measured: Sequence[tuple[str, dict[Source, list[int]]]]) -> None:
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
                    rows = ((ids[each], context, *arc) for each, lines in files.items() for arc in arcs_of(lines))
                    base.executemany("INSERT INTO arc VALUES (?, ?, ?, ?)", rows)
                else:
                    bits = ((ids[each], context, nums_to_numbits(lines)) for each, lines in files.items())
                    base.executemany("INSERT INTO line_bits VALUES (?, ?, ?)", bits)

    def run_theirs(self) -> tuple[float, float]:
        """Let coverage.py combine; return CPU in seconds, and peak memory in MiB."""
        target = self.folder / "combined" / ".coverage"
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        return run(self.folder, "coverage", "combine", "-q", "--keep", f"--data-file={target}", str(self.theirs))

    def run_ours(self) -> tuple[float, float]:
        """Let vmpilot-cov combine; return the same."""
        return run(self.folder, "pytest_vmpilot_cov.cli", "combine", "--cov-report=")


def arcs_of(lines: Sequence[int]) -> Arcs:
    """Make arcs between lines that follow each other, and the way in and out."""
    return set(zip([-1, *lines], [*lines, -1], strict=True))


def run(folder: Path, module: str, *words: str) -> tuple[float, float]:
    """Run a module of this Python; return CPU in seconds, and peak memory in MiB."""
    code = "import sys; from pytest_vmpilot_cov.cli import main; sys.exit(main())"
    command = ["-c", code] if module.endswith("cli") else ["-m", module]
    process = subprocess.Popen([sys.executable, *command, *words], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(kind: str, sizes: Sequence[int], rounds: int) -> None:
    """Print the rows of one kind of data."""
    ours_s, theirs_s = [], []
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name).resolve(), kind)
        for size in sizes:
            bench.grow(size)
            turns = [(bench.run_theirs(), bench.run_ours(), bench.run_theirs()) for _ in range(rounds)]
            again, one = (
                statistics.median(turn[2][0] for turn in turns),
                statistics.median(turn[0][0] for turn in turns),
            )
            theirs, mine = ([turn[0] for turn in turns], [turn[1] for turn in turns])
            cpu, memory = (statistics.median(each[place] for each in mine) for place in (0, 1))
            their_cpu, their_memory = (statistics.median(each[place] for each in theirs) for place in (0, 1))
            ours_s.append(cpu)
            theirs_s.append(their_cpu)
            print(
                f"{kind:<9} {size:>9} {cpu:>8.2f} s {their_cpu:>8.2f} s {cpu / their_cpu:>6.2f} {KINDS[kind]:>6.2f} "
                f"{again / one:>5.2f} {memory:>6.0f} MiB {their_memory:>6.0f} MiB {memory / their_memory:>6.2f}",
                flush=True,
            )
    print(f"{kind:<9}    growth {growth(sizes, ours_s):>8.2f}   {growth(sizes, theirs_s):>8.2f}", flush=True)


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
    print("what      processes       CPU   coverage  ratio  limit   A/A     memory   coverage  ratio")
    for kind in asked.kinds.split(","):
        measure(kind, sizes, asked.rounds)


if __name__ == "__main__":
    main()
