"""coverage.py's private side of parsing: what its parser remembers of a source can be kept, and given back.

Why at all: a parser has no public name, and it parses anew in each process what has not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from coverage.parser import PythonParser
from coverage.python import PythonFileReporter, get_python_source

if TYPE_CHECKING:
    from coverage import Coverage


class ParserState(NamedTuple):
    """What coverage.py's parser tells of one source."""

    statements: set[int]
    excluded: set[int]
    first_lines: dict[int, int]
    """Line -> first line of its statement, for statements of several lines."""
    arcs: set[tuple[int, int]] | None
    """All that the source has; None if nobody asked."""
    jumps: dict[tuple[int, int], Any]
    """Arcs that leave ``with`` statements -> what stands for them, in whatever form this coverage.py has it."""


class ParsedSources(Protocol):
    """Keeps what was parsed."""

    branch: bool
    """Whether arcs are needed, too."""

    def state(self, path: str, parse: Callable[[], ParserState | None]) -> ParserState | None:
        """Return what was parsed of a source; parse it if nothing was kept."""


_PARSER = {
    *("text", "filename", "exclude", "statements", "excluded", "multiline_map", "_multiline", "_all_arcs"),
    *("_with_jump_fixers", "raw_statements", "raw_excluded", "raw_docstrings", "show_tokens"),
    *("_ast_root", "_missing_arc_fragments", "_first_line_cache"),
}
"""All that a parser remembers, in the versions that are known here; of one with more, nothing can be kept."""


class RestoredParser(PythonParser):
    """A parser of a source that was parsed earlier; it parses only when asked for more than was kept."""

    def __init__(self, path: str, exclude: str, state: ParserState) -> None:
        """Restore what it had."""
        super().__init__(text="#", filename=path, exclude=exclude)
        del self.text, self._missing_arc_fragments  # made when somebody needs them
        self.statements, self.excluded, self._all_arcs = state.statements, state.excluded, state.arcs
        setattr(self, _first_lines_name(self), state.first_lines)
        self._with_jump_fixers = state.jumps
        self._moved = {line: first for line, first in state.first_lines.items() if line != first}
        self._moved |= {-line: -first for line, first in self._moved.items()}  # entries and exits

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the text, or what describes arcs
        """Make what was not kept."""
        if name == "text":
            self.text = get_python_source(self.filename)
        elif name == "_missing_arc_fragments":
            self._analyze_ast()
        return self.__getattribute__(name)

    def first_lines(self, linenos: Iterable[int]) -> set[int]:
        """Return the first lines of the statements of lines, as its base does with a call for each."""
        return {self._moved.get(line, line) for line in linenos} if self._moved else set(linenos)

    def translate_arcs(self, arcs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
        """Return arcs between first lines, as its base does with two calls for each."""
        first = self._moved.get
        right = self.fix_with_jumps(arcs) if self._with_jump_fixers else arcs
        return {(first(begin, begin), first(end, end)) for begin, end in right} if self._moved else set(right)

    def _analyze_ast(self) -> None:
        whole = PythonParser(text=self.text, filename=self.filename, exclude=self.exclude)
        whole.parse_source()
        whole.arcs()
        vars(self).update(vars(whole))


class SparingReporter(PythonFileReporter):
    """coverage.py's reporter of a Python source, with a parser that keeps what it has parsed."""

    def __init__(self, morf: Any, cov: Coverage, sources: ParsedSources) -> None:  # noqa: ANN401 - as its base
        """Prepare; nothing is parsed yet."""
        super().__init__(morf, cov)
        self._sources = sources
        self._no_branch: set[int] | None = None

    @property
    def parser(self) -> PythonParser:
        """Restore or make the parser."""
        if self._parser is None:
            state = self._sources.state(self.filename, self._parse)
            if self._parser is None and state is not None:
                self._parser = RestoredParser(self.filename, self._exclude, state)
        assert self._parser is not None
        return self._parser

    @property
    def _exclude(self) -> str:
        assert self.coverage is not None
        return self.coverage._exclude_regex("exclude")

    def _parse(self) -> ParserState | None:
        from pytest_vmpilot_cov.judge import coverage_pieces  # what was parsed earlier needs none of it

        parser = PythonParser(filename=self.filename, exclude=self._exclude)
        # of a template, say, both raise: what is half made must not be taken for an empty file
        is_large = coverage_pieces.is_for(parser)
        if is_large:
            parser = coverage_pieces.parse(parser, branch=self._sources.branch)
        else:
            parser.parse_source()
        self._parser = parser
        if vars(parser).keys() - _PARSER:
            return None
        arcs = parser.arcs() if self._sources.branch else None  # first: it fills the jumps
        # five times as large as all else, and never used again; new versions let go of it themselves
        parser._ast_root = None
        if is_large:
            self._parser = None  # what is left of it is nearly as large: restored, it has no text
        first_lines = getattr(parser, _first_lines_name(parser))
        return ParserState(parser.statements, parser.excluded, first_lines, arcs, parser._with_jump_fixers)

    def no_branch_lines(self) -> set[int]:
        """Return the lines that are left out of the branches, found once."""
        if self._no_branch is None:
            self._no_branch = super().no_branch_lines()
        return self._no_branch

    def let_go(self) -> None:
        """Let go of what was parsed; it comes back when somebody asks again."""
        self._parser = self._source = self._no_branch = None


def _first_lines_name(parser: PythonParser) -> str:
    return "multiline_map" if hasattr(parser, "multiline_map") else "_multiline"  # the second before 7.17
