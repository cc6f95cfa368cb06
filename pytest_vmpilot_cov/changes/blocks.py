"""The source of a module -> its blocks, each with a fingerprint: the bodies of its functions, and the rest. Pure.

Comments, blank lines and the place in the file change no fingerprint.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from server_hook.store import segment
from server_hook.store.segment import Lines

MODULE = ""
"""The name of the block that is no body: imports, decorators, defaults, class bodies, constants."""
MARK_DIGITS = 16
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Block:
    """A part of a module that changes as a whole."""

    mark: str
    """What it was: a hash of its syntax tree."""
    lines: Lines
    """The lines that are its own; of the module's block, all that are no body's."""


def blocks_of(source: bytes) -> dict[str, Block]:
    """Split a module into its blocks, by name; an inner function is a part of the one around it.

    Raises:
        ValueError: when it is no Python source.
    """
    try:
        module = ast.parse(source)
        bodies = list(_bodies(module, ""))
        blocks: dict[str, Block] = {}
        for name, function in bodies:
            body, function.body = function.body, []  # what stays is of the module
            lines = segment.bitmap(range(body[0].lineno, (function.end_lineno or 0) + 1))
            blocks[_free(name, blocks)] = Block(_mark(body), lines)
        blocks[MODULE] = Block(_mark([module]), _others(blocks, source.count(b"\n") + 1))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error
    return blocks


def changed_blocks(before: dict[str, Block], now: dict[str, Block]) -> set[str]:
    """Name the blocks that are not in both alike."""
    return {name for name in before.keys() | now.keys() if _mark_in(before, name) != _mark_in(now, name)}


def _mark_in(blocks: dict[str, Block], name: str) -> str:
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


def _free(name: str, blocks: dict[str, Block]) -> str:
    """Number the functions that are defined again under their name."""
    number = 1
    while (numbered := name if number == 1 else f"{name} ({number})") in blocks:
        number += 1
    return numbered


def _mark(nodes: list[ast.stmt] | list[ast.Module]) -> str:
    text = "\n".join(ast.dump(node) for node in nodes)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:MARK_DIGITS]


def _others(blocks: dict[str, Block], length: int) -> Lines:
    lines = segment.bitmap(range(1, length + 1))
    for each in blocks.values():
        lines &= ~each.lines
    return lines
