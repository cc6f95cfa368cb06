"""Run sides in turn, take their ratios, and print a table of figures with their limits.

A figure is the median of the ratios of pairs that ran one right after the other, so that other load on the machine
affects both sides. The baseline runs twice per round: its ratio to itself (A/A) is what the table can't tell from 1.
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
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TypeAlias

BASE, AGAIN = "no coverage", "again"
"""The side that the others are compared with, where nothing else is said, and the second turn of that side."""
GROWTH_LIMIT = 1.15
"""The limit for an exponent of growth: 1 is linear, and the rest is the noise of two timings."""
_LAUNCH = """
import os, sys
with open(sys.argv[1], "w") as file:
    _, status, used = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
    print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, file=file)
"""
"""What starts a measured process: the kernel counts the memory of whoever forks as the child's, and this has little."""
_OURS_AND_THEIRS = ("VMPILOT_COV", "COVERAGE_", "COV_", "PYTEST_", "PYTHON")

Figures: TypeAlias = Mapping[str, Sequence[float]]
"""The figures of each side, one per round, in the order of the rounds."""


@dataclass(frozen=True)
class Cost:
    """The cost of a process and of all processes it waited for."""

    cpu_s: float
    peak_bytes: int
    output: str

    @property
    def peak_mib(self) -> float:
        """The peak of its memory in MiB."""
        return self.peak_bytes / (1 << 20)


def arguments(doc: str | None, pairs: int = 10) -> argparse.ArgumentParser:
    """Make a parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=pairs, help=f"how often to run each side (default {pairs})")
    return parser


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a measured process: without settings of others, and with the same hashes each time."""
    neutral = {name: value for name, value in os.environ.items() if not name.startswith(_OURS_AND_THEIRS)}
    return {**neutral, "PYTHONHASHSEED": "0", **more}


def run(command: Sequence[str], folder: Path, **env: str) -> Cost:
    """Run a command until it exits, and return its cost.

    Raises:
        SystemExit: when it fails, because its cost then means nothing.
    """
    with tempfile.NamedTemporaryFile("r") as used:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH, used.name]
        ran = subprocess.run(
            [*launcher, *command],
            cwd=folder,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        code, cpu_s, peak_bytes = (used.read() or "1 0 0").split()
    if code != "0":
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{ran.stdout}")
    return Cost(float(cpu_s), int(peak_bytes), ran.stdout)


def take_in_turn(sides: Mapping[str, Callable[[], float]], pairs: int) -> dict[str, list[float]]:
    """Call each side once per round, every other round backwards, so that no side always has the same neighbor."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(pairs):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            figures[name].append(sides[name]())
    return figures


def ratio(figures: Figures, side: str, base: str = BASE) -> float:
    """Return the median of the ratios of one side to another, round by round."""
    return median(one / other for one, other in zip(figures[side], figures[base], strict=True))


def spread(figures: Figures, base: str = BASE, again: str = AGAIN) -> float:
    """Return how far from 1 a ratio can be without meaning anything.

    That is how far from 1 the baseline's ratio to itself is, or the third quartile of its pairs' differences over the
    root of their number, whichever is larger.
    """
    apart = sorted(abs(one / other - 1) for one, other in zip(figures[again], figures[base], strict=True))
    return max(abs(ratio(figures, again, base) - 1), apart[(3 * len(apart)) // 4] / math.sqrt(len(apart)))


def quantile(figures: Sequence[float], part: float) -> float:
    """Return the figure that *part* of all figures (0 to 1) don't exceed."""
    return sorted(figures)[min(len(figures) - 1, int(part * len(figures)))]


@dataclass
class Table:
    """Rows of figures, printed as they come, and those that missed their limit."""

    missed: list[str] = field(default_factory=list)

    def begin(self, title: str) -> None:
        """Print a title, and the versions of the interpreter and coverage.py."""
        python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
        print(f"\n{title}\n{python}, coverage {version('coverage')}, {os.cpu_count()} CPUs, {sys.executable}")
        print(f"{'what':<58} {'figure':>12} {'limit':>12}  verdict", flush=True)

    def note(self, what: str, figure: str) -> None:
        """Print a figure without a limit."""
        print(f"{what:<58} {figure:>12}", flush=True)

    def noise(self, figures: Figures, base: str = BASE, again: str = AGAIN) -> float:
        """Print the baseline's ratio to itself; return how far from 1 ratios can be without meaning anything."""
        apart = spread(figures, base, again)
        self.note(f"  A/A: {base} to itself (means nothing: {100 * apart:.1f} %)", f"{ratio(figures, again, base):.3f}")
        return apart

    def at_most(self, what: str, figure: float, limit: float, unit: str = "", *, noise: float = 0.0) -> None:
        """Print a figure that must not exceed its limit.

        Args:
            what: the row's name.
            figure: what was measured.
            limit: its largest value.
            unit: the unit of both numbers.
            noise: for ratios, the result of ``noise``: this figure can't judge a limit that is closer to 1.
        """
        self._row(what, figure, limit, unit, "", figure - limit, noise)

    def at_least(self, what: str, figure: float, limit: float, unit: str = "", *, noise: float = 0.0) -> None:
        """Print a figure that must not be below its limit; otherwise like ``at_most``."""
        self._row(what, figure, limit, unit, "min ", limit - figure, noise)

    def growth(self, what: str, by_size: Mapping[int, float]) -> None:
        """Print how the cost grows: all sizes, and the exponent between the last two."""
        (small, less), (large, more) = sorted(by_size.items())[-2:]
        costs = ", ".join(f"{size:,}: {cost:.4g}" for size, cost in sorted(by_size.items()))
        self.note(f"  {what} at {costs}", "")
        exponent = math.log(more / less) / math.log(large / small) if less > 0 and more > 0 else 0.0
        self.at_most("  growth, as an exponent of the size", exponent, GROWTH_LIMIT)

    def end(self) -> None:
        """Exit the process, with 1 if a limit was missed."""
        print(f"\n{len(self.missed)} missed" + "".join(f"\n  {what.strip()}" for what in self.missed))
        raise SystemExit(bool(self.missed))

    def _row(self, what: str, figure: float, limit: float, unit: str, word: str, beyond: float, noise: float) -> None:  # noqa: PLR0913, PLR0917 - a row has that many columns
        verdict = "reached" if beyond <= 0 else "MISSED"
        if abs(limit - 1) < noise and abs(beyond) < noise:
            verdict = "within noise"
        if verdict == "MISSED":
            self.missed.append(what)
        print(f"{what:<58} {f'{figure:.3f}{unit}':>12} {f'{word}{limit:g}{unit}':>12}  {verdict}", flush=True)
