"""The blocks of a module: what changes which of them."""

from __future__ import annotations

import zlib

import pytest

from server_hook.store import blocks as store
from server_hook.store.blocks import MODULE, Block, blocks_of, changed_blocks, decode, encode, lines_of
from server_hook.store.segment import bitmap, line_numbers

SOURCE = b"""\
import os

LIMIT = 3

@staticmethod
def one(number=LIMIT):
    # a comment
    return number

class Shop:
    name = "shop"

    async def sell(self, what: str,
                   price: int) -> int:
        def inner():
            return price
        return inner()

def short(): return 1
"""


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (b"# a comment", b"# another one\n\n\n", set()),
        (b"import os\n", b"# head\nimport os\n\n", set()),
        (b"return number", b"return number + 1", {"one"}),
        (b"return price", b"return 2 * price", {"Shop.sell"}),
        (b"LIMIT = 3", b"LIMIT = 4", {MODULE}),
        (b"number=LIMIT", b"number=7", {MODULE}),
        (b"@staticmethod", b"@classmethod", {MODULE}),
        (b"price: int", b"price: float", {MODULE}),
        (b'"shop"', b'"market"', {MODULE}),
        (b"return 1", b"return 2", {MODULE}),
        (b"import os", b"import os, sys", {MODULE}),
        (b"def one", b"def two", {MODULE, "one", "two"}),
    ],
)
def test_what_changes_which_block(before: bytes, now: bytes, expected: set[str]) -> None:
    """Comments change nothing, a body its function, and everything that runs at import the module's block."""
    assert changed_blocks(blocks_of(SOURCE), blocks_of(SOURCE.replace(before, now))) == expected


def test_each_line_has_one_block() -> None:
    """A body's lines begin after its head; all others are the module's."""
    blocks = blocks_of(SOURCE)
    lines = {name: line_numbers(lines_of(blocks, name) & bitmap(range(1, 21))) for name in blocks}
    assert lines == {"one": [8], "Shop.sell": [15, 16, 17], MODULE: [*range(1, 8), *range(9, 15), 18, 19, 20]}


def test_functions_of_one_name_are_told_apart() -> None:
    """A function that is defined again has a block of its own."""
    source = b"if 1:\n    def f():\n        return 1\nelse:\n    def f():\n        return 2\n"
    assert blocks_of(source).keys() == {"f", "f (2)", MODULE}


@pytest.mark.parametrize("source", [b"def", b"\xff", b"a\0b", b"(" * 5000])
def test_what_is_no_python_is_refused(source: bytes) -> None:
    """A file that Python cannot read has no blocks."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever Python says
        blocks_of(source)


def test_blocks_come_back() -> None:
    """What a data file holds of blocks is what was put into it."""
    by_content = {"1" * 32: blocks_of(SOURCE), "2" * 32: {MODULE: Block("x")}}
    assert decode(encode(by_content)) == by_content


@pytest.mark.parametrize(
    "octets",
    [b"", b"x", zlib.compress(b"["), zlib.compress(b"[1]"), zlib.compress(b'{"1": [["f", "x", 9, 1]]}')],
)
def test_strange_blocks_are_refused(octets: bytes) -> None:
    """Octets that we never write are an error that the reader expects."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong
        decode(octets)


def test_blocks_that_unpack_to_more_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few octets cannot fill the memory."""
    octets = encode({"1" * 32: blocks_of(SOURCE)})
    monkeypatch.setattr(store, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="too large"):
        decode(octets)
