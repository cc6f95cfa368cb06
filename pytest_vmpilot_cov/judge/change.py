"""Figures and Diff -> Change: the statements of a change, and who reached them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pytest_vmpilot_cov.model import Change, ChangedFile, Diff, Figures, Row


def count_change(figures: Figures, diff: Diff) -> Change:
    """Count the statements that begin in a line of the change, as diff-cover does.

    Args:
        figures: what was reached of the whole project.
        diff: the lines.
    """
    files = {path: each for path in sorted(diff.lines) if (each := _file(path, figures, diff)).statements}
    rows = tuple(_row(row.origin, files) for row in figures.rows)
    return Change(diff, rows, _total(files), files)


def _file(path: str, figures: Figures, diff: Diff) -> ChangedFile:
    by_origin, missing = figures.lines.get(path, {}), figures.missing.get(path, ())
    everything = sorted({*missing, *(line for lines in by_origin.values() for line in lines)})
    changed = set(diff.lines[path])
    unreached = [line for line in missing if line in changed]
    return ChangedFile(
        statements=tuple(line for line in everything if line in changed),
        missing=tuple(unreached),
        reached={origin: some for origin, lines in by_origin.items() if (some := _among(lines, changed))},
        ranges=tuple(_stretches(everything, set(unreached))),
    )


def _among(lines: tuple[int, ...], changed: Collection[int]) -> tuple[int, ...]:
    return tuple(line for line in lines if line in changed)


def _stretches(statements: list[int], missing: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of missing statements."""
    run: list[int] = []
    for line in statements:
        if line in missing:
            run.append(line)
        elif run:
            yield run[0], run[-1]
            run = []
    if run:
        yield run[0], run[-1]


def _row(origin: str, files: Mapping[str, ChangedFile]) -> Row:
    own = [each.reached.get(origin, ()) for each in files.values()]
    others = [
        {line for name, lines in each.reached.items() if name != origin for line in lines} for each in files.values()
    ]
    alone = sum(line not in theirs for lines, theirs in zip(own, others, strict=True) for line in lines)
    return _filled(origin, files, sum(map(bool, own)), sum(map(len, own)), alone)


def _total(files: Mapping[str, ChangedFile]) -> Row:
    reached = [len(each.statements) - len(each.missing) for each in files.values()]
    return _filled("combined", files, sum(map(bool, reached)), sum(reached), 0)


def _filled(origin: str, files: Mapping[str, ChangedFile], number: int, reached: int, alone: int) -> Row:
    statements = sum(len(each.statements) for each in files.values())
    # as coverage.py has it: of nothing, all was reached
    return Row(origin, number, statements, reached, 100.0 * reached / statements if statements else 100.0, alone)
