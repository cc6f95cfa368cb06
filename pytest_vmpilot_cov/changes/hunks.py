"""What git prints of a change -> which files it touched, and which lines it added to each. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_vmpilot_cov.model.value import Value

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
_SUBMODULE = b"160000"


class Touched(Value):
    """A file that a change touched, named as git names it: below the top folder, in octets."""

    name: bytes
    before: bytes
    """Its name before; the same unless it was renamed."""
    is_submodule: bool


def touched_files(raw: bytes) -> Iterator[Touched]:
    """Read what ``git diff-index --raw -z`` prints, without files that were deleted."""
    fields = iter(raw.split(b"\0"))
    for field in fields:
        if not field:
            continue
        modes, status = field.lstrip(b":").split(b" ")[:2], field.rsplit(b" ", 1)[1]
        before = name = next(fields)
        if status[:1] in b"RC":  # and how similar the two are
            name = next(fields)
        if status != b"D":
            yield Touched(name, before, is_submodule=_SUBMODULE in modes)


def added_lines(patch: bytes) -> dict[bytes, list[int]]:
    """Read a patch: the lines that are new in each file as it is now, ascending.

    Lines are told from the patch's own by their number, never by how they look: they may look like anything.
    """
    added: dict[bytes, list[int]] = {}
    lines: list[int] = []
    old = new = number = 0
    for line in patch.split(b"\n"):  # no other character ends a line for git
        if old > 0 or new > 0:
            sign = line[:1] or b" "  # an empty line of context, where a setting leaves its blank out
            if sign == b"+":
                lines.append(number)
            old -= sign not in b"+\\"
            new -= sign not in b"-\\"
            number += sign not in b"-\\"
        elif hunk := _HUNK.match(line):
            old, new = int(hunk[1] or 1), int(hunk[3] or 1)
            number = int(hunk[2])
        elif line.startswith(b"+++ "):
            lines = added.setdefault(_name(line[4:]), [])
    return added


def _name(text: bytes) -> bytes:
    """Read a name in the head of a patch, with b/ before it."""
    if text.startswith(b'"'):
        text = _ESCAPED.sub(lambda match: _octet(match[1]), text.rpartition(b'"')[0][1:])
    else:
        text = text.removesuffix(b"\t")  # which git puts after names with spaces
    return text.removeprefix(b"b/")


def _octet(escaped: bytes) -> bytes:
    return bytes([int(escaped, 8)]) if len(escaped) > 1 else bytes([_LETTERS.get(escaped[0], escaped[0])])
