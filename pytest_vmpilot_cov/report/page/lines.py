"""What the page shows of one file: its source, who reached each line, and which branches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_vmpilot_cov.model import Tally

MISSING, EXCLUDED, NO_STATEMENT = "0", "x", " "
"""What stands for a line in the page's data beside the digits from 1 to 7, which say who reached it."""
_HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Characters that show nothing, or change the order in which others are shown."""


def body(
    reporter: Any,  # noqa: ANN401 - coverage's FileReporter
    reached: Mapping[int, int],
    excluded: Iterable[int],
    taken: Mapping[tuple[int, int], int],
) -> dict[str, Any]:
    """Return the source of a file, and who reached its lines and took its branches.

    Args:
        reporter: knows the source.
        reached: who reached each statement, as ``masks`` says it.
        excluded: lines that nobody has to reach.
        taken: who took each branch that an origin did not take.
    """
    code = shown_lines(reporter.source())
    return {
        "code": code,
        "lines": drawn(reached, excluded, len(code)),
        "branches": [[*branch, mask] for branch, mask in sorted(taken.items())],
    }


def shown_lines(source: str) -> list[str]:
    """Return the lines of a source, fit to be shown; the browser colors those that somebody looks at."""
    lines = source.expandtabs(8).replace("\r\n", "\n").removesuffix("\n").split("\n")
    return [line if line.isprintable() else _HIDDEN.sub("\ufffd", line) for line in lines]


def masks(statements: Iterable[int], by: Mapping[str, Iterable[int]], origins: Sequence[str]) -> dict[int, int]:
    """Return who reached each statement: the sum of 1, 2, 4 for the first, second, third of *origins*."""
    reached = dict.fromkeys(statements, 0)
    for place, origin in enumerate(origins):
        for line in by.get(origin, ()):
            reached[line] |= 1 << place
    return reached


def drawn(reached: Mapping[int, int], excluded: Iterable[int], length: int) -> str:
    """Return one character a line: who reached it, that nobody did, or why nobody had to."""
    marks = dict.fromkeys(excluded, EXCLUDED) | {line: str(mask) for line, mask in reached.items()}
    return "".join(marks.get(line, NO_STATEMENT) for line in range(1, max([length, *marks]) + 1))


def branches(missing: Sequence[Mapping[int, Iterable[int]]]) -> dict[tuple[int, int], int]:
    """Return who took each branch that an origin did not take, as ``masks`` says who reached a line.

    Args:
        missing: the branches that each origin did not take: line -> where to.
    """
    taken: dict[tuple[int, int], int] = {}
    everybody = (1 << len(missing)) - 1
    for place, arcs in enumerate(missing):
        for line, targets in arcs.items():
            for target in targets:
                taken[line, target] = taken.get((line, target), everybody) & ~(1 << place)
    return taken


def cells(values: Iterable[int]) -> list[int]:
    """Count how many have each of the eight masks, from which the page counts what any origins reached together."""
    numbers = [0] * 8
    for mask in values:
        numbers[mask] += 1
    return numbers


def row(
    name: str, tally: Tally, reached: Mapping[int, int], taken: Mapping[tuple[int, int], int], changed: Iterable[int]
) -> list[Any]:
    """Return what the list of files has of a file; *changed* are its statements that a change added or touched."""
    of_change = cells(reached[line] for line in changed)
    return [name, tally.statements, tally.branches, cells(reached.values()), cells(taken.values()), of_change]
