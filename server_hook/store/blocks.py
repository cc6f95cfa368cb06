"""The source of a module -> its blocks, each with a fingerprint: the bodies of its functions, and the rest.

Comments, blank lines and the place in the file change no fingerprint.
"""

from __future__ import annotations

import ast
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from server_hook.store import segment
from server_hook.store.publication import blocks_in
from server_hook.store.segment import MOST_LINES, Lines

MODULE = ""
"""The name of the block that is no body: imports, decorators, defaults, class bodies, constants."""
MARK_DIGITS = 12
"""Hexadecimal digits of a block's fingerprint, which is compared with those of the same name alone."""
MOST_BYTES = 64 << 20
"""How large all blocks together may be, unpacked."""
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Block:
    """A part of a module that changes as a whole."""

    mark: str
    """What it was: a hash of its syntax tree."""
    first: int = 0
    """Its first line; 0 for the module's block, which has all lines that are no body's."""
    last: int = 0


Blocks: TypeAlias = Mapping[str, Block]
"""Those of one module, by name."""
ByContent: TypeAlias = Mapping[str, Blocks]
"""Those of several, by the fingerprint of their content."""


def blocks_of(source: bytes) -> Blocks:
    """Split a module into its blocks; an inner function is a part of the one around it.

    Raises:
        ValueError: when it is no Python source.
    """
    try:
        module = ast.parse(source)
        blocks: dict[str, Block] = {}
        for name, function in list(_bodies(module, "")):  # a list: bodies are taken out on the way
            body, function.body = function.body, []  # what stays is of the module
            blocks[_free(name, blocks)] = Block(_mark(body), body[0].lineno, function.end_lineno or 0)
        blocks[MODULE] = Block(_mark([module]))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error
    return blocks


def lines_of(blocks: Blocks, name: str) -> Lines:
    """Return the lines of a block; those of the module's have no end."""
    if name != MODULE:
        return segment.bitmap(range(blocks[name].first, blocks[name].last + 1))
    others = ~0
    for each in blocks.keys() - {MODULE}:
        others &= ~lines_of(blocks, each)
    return others


def changed_blocks(before: Blocks, now: Blocks) -> set[str]:
    """Name the blocks that are not in both alike."""
    return {name for name in before.keys() | now.keys() if _mark_in(before, name) != _mark_in(now, name)}


def encode(by_content: ByContent) -> bytes:
    """Turn blocks into octets for a data file."""
    values = {
        content: [[name, each.mark, each.first, each.last] for name, each in blocks.items()]
        for content, blocks in by_content.items()
    }
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode("ascii"))


def decode(octets: bytes) -> ByContent:
    """Turn back what ``encode`` has returned.

    Raises:
        ValueError: when it cannot be.
    """
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(octets, MOST_BYTES)  # a kilobyte may unpack to a megabyte
        if unpacking.unconsumed_tail:
            raise ValueError("it is too large")
        return {content: dict(map(_block, blocks)) for content, blocks in json.loads(text).items()}
    except (zlib.error, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_blocks(path: Path) -> ByContent:
    """Read the blocks of the sources of a data file; empty where it has none that can be read."""
    octets = blocks_in(path)
    try:
        return decode(octets) if octets else {}
    except ValueError:
        return {}


def _block(value: Any) -> tuple[str, Block]:  # noqa: ANN401 - whatever somebody has written
    name, mark, first, last = value
    if not (isinstance(name, str) and isinstance(mark, str) and 0 <= first <= last <= MOST_LINES):
        raise ValueError("no block")
    return name, Block(mark, first, last)


def _mark_in(blocks: Blocks, name: str) -> str:
    return blocks[name].mark if name in blocks else ""


def _bodies(node: ast.AST, prefix: str) -> Iterator[tuple[str, _Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            # on the line of its head a body can't be told from it
            if child.body[0].lineno > max(_head_lines(child)):
                yield prefix + child.name, child
        else:
            inner = f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix
            yield from _bodies(child, inner)


def _head_lines(function: _Function) -> Iterator[int]:
    yield function.lineno
    for node in (function.args, *filter(None, [function.returns])):
        yield from (each.end_lineno or 0 for each in ast.walk(node) if isinstance(each, ast.expr | ast.arg))


def _free(name: str, blocks: Blocks) -> str:
    """Number the functions that are defined again under their name."""
    number = 1
    while (numbered := name if number == 1 else f"{name} ({number})") in blocks:
        number += 1
    return numbered


def _mark(nodes: list[ast.stmt] | list[ast.Module]) -> str:
    text = "\n".join(ast.dump(node) for node in nodes)
    # a literal may hold half a surrogate pair
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:MARK_DIGITS]
