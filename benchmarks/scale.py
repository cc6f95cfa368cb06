"""What do thousands of processes, kills and tests cost the end of one process, and the one who combines them?

The data is simulated: written by the product's own writers, as that many processes would leave it, and read by the
product. It grows from a quarter to the whole: 10,000 processes in 100 artifacts, 2,000 killed processes beside a
server, and 5,000 tests that a server is told of, all with 500 files. ``python benchmarks/scale.py``.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from shared.pairs import Cost, Table, arguments, run

from server_hook.store import records, segment, working_folder
from server_hook.store.segment import Label, Part, Source

SHARES = (0.25, 0.5, 1.0)
FILES, LINES = 500, 200
PROCESSES, ARTIFACTS, FILES_A_PROCESS = 10_000, 100, 50
KILLED = 2000
TESTS, TESTS_A_PROCESS, FILES_A_TEST = 5000, 50, 50
ENDS = 5
"""How many processes end one after the other; the first one finds what all of the others have left."""
END_LIMIT_S, MEMORY_GROWTH_LIMIT = 0.1, 0.5
NOBODY = 1 << 30
"""A pid that no process has."""
END = """
import sys, time
from server_hook.store.publish import MOST_BEHIND, publish_pipeline
began = time.process_time()
publish_pipeline(sys.argv[1], "", MOST_BEHIND)
print(time.process_time() - began)
"""
COMBINE = [sys.executable, "-m", "pytest_vmpilot_cov", "combine"]
WHAT = (
    "10,000 processes in 100 artifacts: combine, s of CPU",
    "the same, peak MiB",
    "the same, MiB on disk",
    "2,000 killed processes: the next end, s of CPU",
    "2,000 killed processes: a later end, s of CPU",
    "the same, peak MiB of an end",
    "5,000 tests: an end, s of CPU",
    "5,000 tests: peak MiB of an end",
    "5,000 tests: combine, s of CPU",
    "5,000 tests: peak MiB of combine",
)
"""What is measured, in the order of the table."""


class Simulation:
    """A project, and what its processes leave."""

    def __init__(self, folder: Path) -> None:
        """Write the sources."""
        self.drawn = random.Random(0)
        (folder / "app").mkdir()
        text = "".join(f"x{number} = {number}\n" for number in range(LINES))
        self.sources = []
        for number in range(FILES):
            path = folder / f"app/m{number}.py"
            path.write_text(f"{text}NUMBER = {number}\n")
            self.sources.append(Source(str(path)))
        (folder / ".coveragerc").write_text("[run]\nsource = app\n")
        self._numbers = itertools.count(1)

    def part(self, test: str, files: int) -> Part:
        """Draw what a test, or a process, runs: half of the lines of some files."""
        drawn = self.drawn.sample(self.sources, files)
        now = time.time() - 1000
        return Part(Label("pipeline", test), now, now, {each: self.drawn.getrandbits(LINES) << 1 for each in drawn})

    def leave(self, folder: Path, parts: Sequence[Part], ended: float) -> None:
        """Leave what one process has recorded; 0 for one that was killed."""
        name = f"{NOBODY + next(self._numbers)}-simulated"
        place = working_folder.make_folder(str(folder), name)
        segment.write(place, 1, parts)
        record = records.Record(name, NOBODY, "pipeline", started=time.time() - 2000, ended=ended)
        records.write_record(place, record)
        for path in (f"{place}/{records.RECORD}", place):
            os.utime(path, (ended or time.time() - 900,) * 2)

    def end(self, folder: Path, parts: Sequence[Part]) -> tuple[float, float]:
        """End one more process; return the CPU seconds of publishing, and the peak of its memory in MiB."""
        self.leave(folder, parts, time.time())
        cost = run([sys.executable, "-c", END, str(folder)], folder)
        return float(cost.output.split()[-1]), cost.peak_mib

    def ends(self, folder: Path, parts: Callable[[], Sequence[Part]]) -> tuple[float, float, float]:
        """End several; return the CPU seconds of the first, those of a later one, and the largest peak in MiB."""
        seconds, peaks = zip(*(self.end(folder, parts()) for _ in range(ENDS)), strict=True)
        return seconds[0], statistics.median(seconds[1:]), max(peaks)

    def artifacts(self, share: float) -> Iterator[float]:
        """Combine what the processes of many machines have left."""
        with _folder() as name:
            folders = [Path(name) / f"artifact-{number}" for number in range(int(ARTIFACTS * share))]
            for folder in folders:
                for _ in range(PROCESSES // ARTIFACTS):
                    self.leave(folder, [self.part("", FILES_A_PROCESS)], time.time() - 900)
            yield from _of(self.combined(map(str, folders)))
            yield sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file()) / (1 << 20)

    def killed(self, share: float) -> Iterator[float]:
        """End beside processes that were killed."""
        with _folder() as name:
            for _ in range(int(KILLED * share)):
                self.leave(Path(name), [self.part("", FILES_A_PROCESS)], 0.0)
            yield from self.ends(Path(name), lambda: [self.part("", FILES_A_PROCESS)])

    def tests(self, share: float) -> Iterator[float]:
        """End, and combine, where servers were told of many tests."""
        numbers = itertools.count()

        def parts() -> list[Part]:
            tests = [self.part(f"test_{next(numbers)}", FILES_A_TEST) for _ in range(TESTS_A_PROCESS)]
            return [self.part("", FILES), *tests]

        with _folder() as name:
            for _ in range(int(TESTS * share) // TESTS_A_PROCESS):
                self.leave(Path(name), parts(), time.time() - 900)
            yield from self.ends(Path(name), parts)[1:]
            yield from _of(self.combined([name]))

    def combined(self, places: Sequence[str] | Iterator[str]) -> Cost:
        """Combine data folders."""
        folder = Path(self.sources[0].path).parent.parent
        cost = run([*COMBINE, *places], folder)
        for path in folder.glob(".coverage.*"):
            path.unlink()
        return cost


def _of(cost: Cost) -> tuple[float, float]:
    return cost.cpu_s, cost.peak_mib


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def exponent(by_share: Mapping[float, float]) -> float:
    """Return the exponent by which a figure grows with the size, between the last two."""
    half, whole = by_share[SHARES[-2]], by_share[SHARES[-1]]
    return math.log2(whole / half) if half > 0 and whole > 0 else 0.0


def measured() -> dict[str, dict[float, float]]:
    """Simulate everything at every size; return the figures of each row by the share of the whole."""
    costs: dict[str, dict[float, float]] = {what: {} for what in WHAT}
    with _folder() as name:
        simulation = Simulation(Path(name).resolve())
        simulation.leave(Path(name), [simulation.part("", FILES)], time.time() - 900)
        simulation.combined([])  # parses the sources, once
        for share in SHARES:
            works = (simulation.artifacts, simulation.killed, simulation.tests)
            for what, figure in zip(WHAT, itertools.chain.from_iterable(work(share) for work in works), strict=True):
                costs[what][share] = figure
    return costs


def main() -> None:
    """Print the table."""
    arguments(__doc__).parse_args()
    table = Table()
    table.begin("Scale, by simulation")
    for what, by_share in measured().items():
        table.note(what, "  ".join(f"{by_share[share]:.3g}" for share in SHARES))
        if " end, s" in what:
            table.at_most("  each end", max(by_share.values()), END_LIMIT_S, " s")
        elif "peak" in what and "tests" not in what:  # a union is as large as what was measured
            table.at_most("  growth, as an exponent of the size", exponent(by_share), MEMORY_GROWTH_LIMIT)
        else:
            table.growth(what, {int(100 * share): cost for share, cost in by_share.items()})
    table.end()


if __name__ == "__main__":
    main()
