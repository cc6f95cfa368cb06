"""What the benchmarks share: sides taken in turn, their ratios, and one table of figures with their limits.

A figure is the median of the ratios of pairs that ran right after each other, so that what else the machine does meets
both sides. The baseline runs twice in each round: its ratio to itself (A/A) says what the table cannot tell apart.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeAlias

BASE, AGAIN = "no coverage", "no coverage, again"
GROWTH_LIMIT = 1.15
"""Most that an exponent of growth may be: 1 is linear, and what is over it the noise of two timings."""
_OURS_AND_THEIRS = ("VMPILOT_COV", "COVERAGE_", "COV_", "PYTEST_", "PYTHON")

Figures: TypeAlias = Mapping[str, Sequence[float]]
"""What was measured, by side: one figure a round, in the order of the rounds."""


@dataclass(frozen=True)
class Cost:
    """What a process has cost, with all that it waited for."""

    cpu_s: float
    peak_bytes: int
    output: str


def arguments(doc: str | None, pairs: int = 10) -> argparse.ArgumentParser:
    """Make a parser with what every benchmark understands."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=pairs, help=f"how often each side runs (default {pairs})")
    return parser


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a measured process: nobody's settings in it, and the same hashes each time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS_AND_THEIRS)}
    return {**kept, "PYTHONHASHSEED": "0", **more}


def run(command: Sequence[str], folder: Path, **env: str) -> Cost:
    """Run a command to its end, and say what it has cost.

    Raises:
        SystemExit: when it fails; what it has cost then is no figure.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(**env), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, text)


def take_in_turn(sides: Mapping[str, Callable[[], float]], pairs: int) -> dict[str, list[float]]:
    """Call each side once a round; every other round goes backwards, so that no side always has the same neighbour."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(pairs):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            figures[name].append(sides[name]())
    return figures


def ratio(figures: Figures, side: str, base: str = BASE) -> float:
    """Return the median of the ratios of a side to another, round by round."""
    return median(one / other for one, other in zip(figures[side], figures[base], strict=True))


def spread(figures: Figures, base: str = BASE, again: str = AGAIN) -> float:
    """Return how far from 1 a ratio may be that means nothing.

    That is how far the baseline's ratio to itself is, or what three of four of its pairs differ by, over the root of
    their number, whichever is more.
    """
    apart = sorted(abs(one / other - 1) for one, other in zip(figures[again], figures[base], strict=True))
    return max(abs(ratio(figures, again, base) - 1), apart[(3 * len(apart)) // 4] / math.sqrt(len(apart)))


def quantile(figures: Sequence[float], part: float) -> float:
    """Return the figure that *part* of all figures (0 to 1) are not above."""
    return sorted(figures)[min(len(figures) - 1, int(part * len(figures)))]


@dataclass
class Table:
    """Rows of figures, printed as they come; it remembers what missed its limit."""

    missed: list[str] = field(default_factory=list)

    def begin(self, title: str) -> None:
        """Print a title, and what the interpreter and coverage.py are."""
        # asked in a process of its own: what this one holds when it forks counts as its children's peak
        asked = run([sys.executable, "-c", "import coverage; print(coverage.__version__, end='')"], Path())
        python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
        print(f"\n{title}\n{python}, coverage {asked.output}, {os.cpu_count()} CPUs, {sys.executable}")
        print(f"{'what':<58} {'figure':>12} {'limit':>12}  verdict", flush=True)

    def note(self, what: str, figure: str) -> None:
        """Print a figure that has no limit."""
        print(f"{what:<58} {figure:>12}", flush=True)

    def noise(self, figures: Figures, base: str = BASE, again: str = AGAIN) -> float:
        """Print the baseline's ratio to itself; return what ratios near 1 may differ by without a meaning."""
        apart = spread(figures, base, again)
        self.note(f"  A/A: {base} to itself (means nothing: {100 * apart:.1f} %)", f"{ratio(figures, again, base):.3f}")
        return apart

    def at_most(self, what: str, figure: float, limit: float, unit: str = "", *, noise: float = 0.0) -> None:
        """Print a figure that may not be above its limit.

        Args:
            what: the row's name.
            figure: what was measured.
            limit: the most that it may be.
            unit: what stands behind both numbers.
            noise: for ratios, what ``noise`` returned: a limit nearer to 1 than that is not judged by this figure.
        """
        self._row(what, figure, limit, unit, "", figure - limit, noise)

    def at_least(self, what: str, figure: float, limit: float, unit: str = "", *, noise: float = 0.0) -> None:
        """Print a figure that may not be below its limit; else as ``at_most``."""
        self._row(what, figure, limit, unit, "min ", limit - figure, noise)

    def growth(self, what: str, by_size: Mapping[int, float]) -> None:
        """Print how cost grows: the exponent of size between the last two sizes, with what came before it."""
        (small, less), (large, more) = sorted(by_size.items())[-2:]
        costs = ", ".join(f"{size:,}: {cost:.4g}" for size, cost in sorted(by_size.items()))
        self.note(f"  {what} at {costs}", "")
        exponent = math.log(more / less) / math.log(large / small) if less > 0 and more > 0 else 0.0
        self.at_most("  growth, as an exponent of the size", exponent, GROWTH_LIMIT)

    def end(self) -> None:
        """Leave the process: with 1 where a limit was missed."""
        print(f"\n{len(self.missed)} missed" + "".join(f"\n  {what.strip()}" for what in self.missed))
        raise SystemExit(bool(self.missed))

    def _row(self, what: str, figure: float, limit: float, unit: str, word: str, beyond: float, noise: float) -> None:  # noqa: PLR0913, PLR0917 - a row has that many columns
        verdict = "reached" if beyond <= 0 else "MISSED"
        if abs(limit - 1) < noise and abs(beyond) < noise:
            verdict = "within noise"
        if verdict == "MISSED":
            self.missed.append(what)
        print(f"{what:<58} {f'{figure:.3f}{unit}':>12} {f'{word}{limit:g}{unit}':>12}  {verdict}", flush=True)
