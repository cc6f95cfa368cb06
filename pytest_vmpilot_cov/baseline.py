"""The baseline: a small file, to be committed, that says how much of each file was reached. Written and read here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import ORIGINS, Baseline, Figures, Options
from server_hook.problems import one_line

NAME = "coverage-baseline.txt"
"""What the file is called; it lies beside the configuration."""
_HEAD = """\
# How many statements and branches of each file were reached: by all together, and by each origin.
# Written by `vmpilot-cov baseline`; a threshold that is `baseline` asks for no less.
"""
_LINE = r"(.+): ([0-9]{1,9}) of ([0-9]{1,9})((?:, [a-z0-9]+ [0-9]{1,9})*)"
"""Not compiled before a baseline is read: most projects have none."""


def path_of(options: Options) -> Path:
    """Return where the baseline of a project lies."""
    return Path(options.settings.folder) / NAME


def text_of(figures: Figures, options: Options) -> str:
    """Make the file's text: a line a file, sorted, without sums, so that git can merge it."""
    lines = []
    for path, by in figures.tallies.items():
        there = by["combined"].there
        if there:
            reached = {name: by[name].there - by[name].to_gain for name in ("combined", *ORIGINS) if name in by}
            own = "".join(f", {origin} {reached[origin]}" for origin in ORIGINS if reached.get(origin))
            name = _written(os.path.relpath(path, options.settings.folder))
            lines.append(f"{name}: {reached['combined']} of {there}{own}\n")
    return _HEAD + "".join(sorted(lines))


def read_baseline(options: Options) -> Baseline:
    """Read the baseline of a project if a threshold asks for it."""
    if not any(each.baseline for each in options.thresholds):
        return Baseline()
    path = path_of(options)
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return Baseline(problem=say("baseline-missing", path=path))
    except (OSError, UnicodeDecodeError) as error:
        return Baseline(problem=say("baseline-broken", path=path, why=one_line(error)))
    try:
        entries = dict(_entries(text.splitlines(), options.settings.folder))
    except ValueError as error:
        return Baseline(problem=say("baseline-broken", path=path, why=one_line(error)))
    there = {path: total for path, (total, _) in entries.items()}
    return Baseline(there, {path: reached for path, (_, reached) in entries.items()})


def _entries(lines: list[str], folder: str) -> Iterator[tuple[str, tuple[int, dict[str, int]]]]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parted = re.fullmatch(_LINE, line.strip())
        if parted is None:  # such as the marks of a conflict
            raise ValueError(f"line {number} is not of this form: app/chat.py: 55 of 60, unit 38")
        name = _read_name(parted[1])
        if name in seen:  # git has merged two lines of one file
            raise ValueError(f"line {number} names {name} again, after line {seen[name]}")
        seen[name] = number
        own = (each.rsplit(" ", 1) for each in parted[4].split(", ")[1:])
        reached = {"combined": int(parted[2]), **{origin: int(count) for origin, count in own}}
        if max(reached.values()) > int(parted[3]) or not reached.keys() <= {"combined", *ORIGINS}:
            raise ValueError(f"line {number} counts more than there is, or for an origin that doesn't exist")
        yield os.path.normpath(os.path.join(folder, name)), (int(parted[3]), reached)


def _written(name: str) -> str:
    """Write a name so that it stays on its line and can be read back."""
    plain = name.isprintable() and name[0] not in '"# ' and not name.endswith(" ")
    return name if plain else json.dumps(name)


def _read_name(text: str) -> str:
    return str(json.loads(text)) if text.startswith('"') else text
