"""Arcs that no event tells of: from a function or class on one line to the line below it.

Such a line has two ends, because its body ends on it, too. coverage.py joins each line to the one before it in the code
object. While several tests run, that is another test's; but where a statement without a branch leads is plain to see.
"""

from __future__ import annotations

import dis
from collections import defaultdict
from types import CodeType
from typing import Any


def joins_of(code: CodeType) -> dict[int, int]:
    """Return where the lines of a code object lead that define others; only those that lead to one place.

    Args:
        code: a code object of Python 3.13 or later.
    """
    spans = [_span(inner) for inner in code.co_consts if isinstance(inner, CodeType)]
    if not any(spans):
        return {}
    steps: list[Any] = list(dis.get_instructions(code))
    places = {step.offset: place for place, step in enumerate(steps)}
    leads: dict[int, set[int]] = defaultdict(set)
    for place, step in enumerate(steps):
        for span in spans:
            if step.line_number in span:
                after = (steps[each].line_number for each in _next_places(step, place, places))
                leads[step.line_number].update(line for line in after if line and line not in span)
    return {line: min(after) for line, after in leads.items() if len(after) == 1}


def _span(code: CodeType) -> range:
    if code.co_name.startswith("<"):  # an expression: what stands around it is no statement of its own
        return range(0)
    return range(code.co_firstlineno, max(line or 0 for _, _, line in code.co_lines()) + 1)


def _next_places(step: Any, place: int, places: dict[int, int]) -> list[int]:  # noqa: ANN401 - an Instruction
    if step.opname.startswith(("RETURN_", "RAISE_", "RERAISE")):
        return []
    after = [] if step.jump_target is None else [places[step.jump_target]]
    if not step.opname.startswith("JUMP_") and place + 1 < len(places):
        after.append(place + 1)
    return after
