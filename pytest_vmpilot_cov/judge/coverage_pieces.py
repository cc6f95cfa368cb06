"""coverage.py's parser for large sources: its own rules, over a tree that is made and let go piece by piece.

Why at all: coverage.py holds all tokens and the whole tree of a source at the same time, 5 KiB for each line.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import io
import itertools
import keyword
import sys
import token
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

from coverage import parser

from pytest_vmpilot_cov.coverage_private import collecting_later

LARGE = 1 << 19
"""How many characters make a source large: below, coverage.py's parser needs less than 100 MiB."""
PIECE = 1000
"""How many lines a piece has at least; a statement is never divided."""
_GOES_ON = {"else", "elif", "except", "finally"}
"""Words that begin a line without indentation, but no statement."""
_OPERATORS = set("()[]{}:")
_REPLACED = {"generate_tokens", "multiline_map_from_tokens", "walk_statement_nodes", "ByteParser"}
_KINDS = {"INDENT", "DEDENT", "NEWLINE", "OP", "COMMENT"}
"""The tokens that coverage.py's parser acts upon, where it is understood here."""
_BLOCKS = {"body", "orelse", "finalbody", "handlers", "cases"}
"""What holds the statements in a statement."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_for(plain: parser.PythonParser) -> bool:
    """Return whether a source is better parsed in pieces, and this coverage.py's parser can do that."""
    return len(plain.text) >= LARGE and _can()


def parse(plain: parser.PythonParser, *, branch: bool) -> Any:  # noqa: ANN401 - a copy of its class
    """Parse a source; return coverage.py's parser, without the tree.

    Args:
        plain: coverage.py's own parser of the source, which has not parsed it yet.
        branch: whether to find arcs, too.

    Raises:
        NotPython: when it isn't Python.
    """
    module = _own_copy()
    made = module.PythonParser(text=plain.text, filename=plain.filename, exclude=plain.exclude)
    pieces = _Pieces(module, made, branch=branch)
    with collecting_later():  # trees and tokens have no cycles, and to look for some takes a third of the time
        made.parse_source()
        if branch:
            made.arcs()
    vars(pieces).clear()  # they are in a cycle, with what is left of the tree
    return made


class _Pieces:
    """Stands, in a copy of coverage.py's module, for what that would hold as a whole."""

    def __init__(self, module: Any, made: Any, *, branch: bool) -> None:  # noqa: ANN401 - a copy, and its parser
        self._generate_tokens = module.generate_tokens
        self._make_analyzer, self._analyzer = module.AstArcAnalyzer, cast("Any", None)
        self._parser, self._branch = made, branch
        self._begins: list[int] = []
        self._statements: set[int] = set()
        self._whole, self._is_whole = ast.Module([], []), False
        module.ast = SimpleNamespace(**{**vars(ast), "parse": self.compile})
        module.ByteParser = lambda **_: SimpleNamespace(find_statements=lambda: self._statements)
        module.generate_tokens, module.walk_statement_nodes = self.tokens, self.walk
        module.AstArcAnalyzer = lambda *_: self._analyzer

    def compile(self, text: str) -> ast.Module:
        """Find the statements in the code, while there is nothing else in memory."""
        byte_parser = vars(parser)["ByteParser"](text=text, filename=self._parser.filename)
        self._statements.update(byte_parser.find_statements())
        return self._whole

    def tokens(self, text: str) -> Iterator[Any]:
        """Yield the tokens that coverage.py acts upon: the first one of a statement, and what opens or closes."""
        begins, decorated, first = [1], False, True
        comment, newline, operator, operators = token.COMMENT, token.NEWLINE, token.OP, _OPERATORS
        for kind, word, begin, end, _ in self._generate_tokens(text):
            if first:
                if word.strip() and kind != comment:
                    first = False
                    line, column = begin
                    if not column and line >= begins[-1] + PIECE and not decorated and word not in _GOES_ON:
                        begins.append(line)
                    decorated = word == "@" and not column
            elif kind == operator:
                if word not in operators:
                    continue
            elif kind == newline:
                first = True
            else:
                continue
            # of positions coverage.py wants the lines: the text of the line, and most ends, needn't be in memory
            yield kind, word, begin, begin if begin[0] == end[0] else end, ""
        self._begins = begins

    def walk(self, root: ast.Module) -> Iterator[ast.AST]:
        """Yield the nodes of all statements, a piece after another, and at last the whole without functions' bodies."""
        if root is self._whole:
            yield from () if self._is_whole else self._of_pieces()
            yield root
            return
        todo: list[Any] = list(root.body)
        while todo:
            node = todo.pop()
            yield node
            for name in _BLOCKS.intersection(node._fields):
                todo += getattr(node, name)

    def _of_pieces(self) -> Iterator[ast.AST]:
        made, whole = self._parser, self._whole
        if self._branch:
            self._analyzer = self._make_analyzer(made.filename, whole, made.raw_statements, made.multiline_map)
        for piece in self._trees():
            yield from self.walk(piece)
            if self._branch:
                self._analyzer.root_node = piece
                self._analyzer.analyze()
                self._analyzer.missing_arc_fragments.clear()  # of the words, which take most, nothing is used
            for node in piece.body:
                if isinstance(node, _DEFINITIONS):
                    node.body = [ast.Pass()]
            whole.body += piece.body if self._branch else piece.body[: not whole.body]
        self._is_whole = True
        if self._branch:
            self._analyzer.root_node = whole  # what is left of it are the arcs between its statements

    def _trees(self) -> Iterator[ast.Module]:
        lines = io.StringIO(self._parser.text)
        for begin, end in itertools.pairwise((*self._begins, sys.maxsize)):
            yield ast.parse("\n" * (begin - 1) + "".join(itertools.islice(lines, end - begin)))


def _own_copy() -> Any:  # noqa: ANN401 - a module
    spec = importlib.util.find_spec(parser.__name__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def _can() -> bool:
    """Return whether this coverage.py's parser takes what is put in its place, and acts upon no other tokens."""
    if not hasattr(parser, "multiline_map_from_tokens"):
        return False
    said: set[Any] = set()
    for function in (parser.PythonParser._raw_parse, parser.multiline_map_from_tokens):
        said.update(function.__code__.co_names, function.__code__.co_consts)
    words = said & {*keyword.kwlist, *keyword.softkwlist, *token.EXACT_TOKEN_TYPES}
    return said >= _REPLACED and said & {*token.tok_name.values()} <= _KINDS and words <= {":"}
