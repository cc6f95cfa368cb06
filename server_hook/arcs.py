"""Arcs of one file, in eight octets each; as a set of pairs they take more than ten times that.

The pairs are kept as one string of octets, two signed numbers of 32 bits each, ascending by the number of 64 bits that
a pair is when it is read as one. Such numbers are united; pairs are made only where somebody asks for them.
"""

from __future__ import annotations

import binascii
import sys
from array import array
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import chain

# the second line number of a pair is the upper half on little-endian machines, the first one on others
NUMBER_IN_SQL = (
    "tono << 32 | (fromno & 4294967295)" if sys.byteorder == "little" else "fromno << 32 | (tono & 4294967295)"
)
"""How SQL makes of a row of coverage.py's table ``arc`` the number that ``Arcs.from_numbers`` takes."""
_LINE, _PAIR = "i", "q"
_UPPER, _NEXT = (3, 2) if sys.byteorder == "little" else (0, 1)
"""Which octets of a number are the upper ones."""


class Arcs(AbstractSet[tuple[int, int]]):
    """A set of arcs that does not change."""

    __slots__ = ("_octets",)

    def __init__(self, arcs: Iterable[tuple[int, int]] = ()) -> None:
        """Take pairs of line numbers in any order; negative ones are entries and exits, as coverage.py has them."""
        flat = array(_LINE, chain.from_iterable(arcs))
        self._octets = _in_order(set(array(_PAIR, flat.tobytes())))  # the same octets, two lines a number

    @classmethod
    def from_numbers(cls, numbers: Iterable[int]) -> Arcs:
        """Take pairs that were made one number each by ``NUMBER_IN_SQL``, each of them once."""
        return cls._of(_in_order(numbers))

    @classmethod
    def from_text(cls, text: str) -> Arcs:
        """Turn back what ``to_text`` has returned.

        Raises:
            ValueError: when it cannot be.
        """
        return cls._of(array(_PAIR, binascii.a2b_base64(text)).tobytes())

    @classmethod
    def _of(cls, octets: bytes) -> Arcs:
        made = cls.__new__(cls)
        made._octets = octets
        return made

    def to_text(self) -> str:
        """Return the arcs as text, which machines of the same byte order understand."""
        return binascii.b2a_base64(self._octets, newline=False).decode("ascii")

    def is_within(self, most: int) -> bool:
        """Tell whether every line is at most *most*, or as far below 0."""
        upper = self._octets[_UPPER::4]
        if most >= 1 << 16 and upper == self._octets[_NEXT::4] and not upper.strip(b"\0\xff"):
            return True  # all of them are numbers of 16 bits, as of nearly every file
        flat = array(_LINE, self._octets)
        return not flat or (max(flat) <= most and min(flat) >= -most)

    def lines(self) -> set[int]:
        """Return the lines at either end, without entries and exits."""
        return {line for line in set(array(_LINE, self._octets)) if line > 0}  # the set first: a line ends several arcs

    def __or__(self, other: AbstractSet[object]) -> Arcs:
        """Unite; where the other one has nothing new this is the same object."""
        if not isinstance(other, Arcs):
            return NotImplemented
        if self._octets == other._octets:
            return self
        mine, theirs = set(array(_PAIR, self._octets)), set(array(_PAIR, other._octets))
        return self if theirs <= mine else Arcs._of(_in_order(mine | theirs))

    def __eq__(self, other: object) -> bool:
        """Compare as sets do."""
        return self._octets == other._octets if isinstance(other, Arcs) else super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as sets that change: they are equal to those

    def __contains__(self, arc: object) -> bool:
        """Tell whether an arc is among them."""
        return arc in set(self)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Walk the pairs."""
        flat = array(_LINE, self._octets)
        return zip(flat[::2], flat[1::2], strict=True)

    def __len__(self) -> int:
        """Count the arcs."""
        return len(self._octets) // 8

    def __repr__(self) -> str:
        """Show the pairs."""
        return f"Arcs({list(self)})"


def number_of(start: int, end: int) -> int:
    """Make of an arc the number that ``Arcs.from_numbers`` takes."""
    upper, lower = (end, start) if sys.byteorder == "little" else (start, end)
    return upper << 32 | (lower & 0xFFFFFFFF)


def _in_order(numbers: Iterable[int]) -> bytes:
    return array(_PAIR, sorted(numbers)).tobytes()
