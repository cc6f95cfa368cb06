"""A calculator: a parser of its own, so that nothing but arithmetic can be run.

Each line of the grammar is a method of the parser::

    sum     = product { ("+" | "-") product }
    product = unary { ("*" | "/" | "%") unary }
    unary   = ("+" | "-") unary | power
    power   = atom [ "^" unary ]
    atom    = number | name | name "(" sum { "," sum } ")" | "(" sum ")"
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from assistant.errors import ToolError
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Operator = Callable[[float, float], float]

MAX_LENGTH: Final = 200  # characters
MAX_DEPTH: Final = 20  # parentheses, signs and powers inside each other
MAX_EXPONENT: Final = 1000
TOKEN: Final = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-z]+)|(?P<sign>[-+*/%^(),]))")
CONSTANTS: Final = {"pi": math.pi, "e": math.e}
# The function and the smallest and largest number of its arguments.
FUNCTIONS: Final[Mapping[str, tuple[Callable[..., float], int, int]]] = {
    "abs": (abs, 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "round": (round, 1, 1),
    "min": (min, 2, 9),
    "max": (max, 2, 9),
}
SUMS: Final[Mapping[str, Operator]] = {"+": operator.add, "-": operator.sub}
PRODUCTS: Final[Mapping[str, Operator]] = {"*": operator.mul, "/": operator.truediv, "%": operator.mod}


@dataclass(frozen=True, slots=True)
class Token:
    """A number, a name, a sign, or the end."""

    kind: str
    text: str
    column: int


def tokenize(text: str) -> list[Token]:
    """Split an expression into tokens; the last one is the end.

    Raises:
        ToolError: there is a character that belongs to no token.
    """
    text = text.lower().rstrip()
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ToolError(f"unexpected {text[position:].lstrip()[0]!r} in column {position + 1}")
        tokens.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        position = match.end()
    return [*tokens, Token("end", "the end", len(text) + 1)]


class Parser:
    """Compute while reading."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0

    def value(self) -> float:
        """Return the value of the whole expression."""
        value = self._sum()
        self._expect("the end")
        return value

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        token = self._next
        self._index += 1
        return token

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text != text:
            raise ToolError(f"expected {text} in column {token.column}, found {token.text}")

    def _sum(self) -> float:
        value = self._product()
        while self._next.text in SUMS:
            value = SUMS[self._take().text](value, self._product())
        return value

    def _product(self) -> float:
        value = self._unary()
        while self._next.text in PRODUCTS:
            value = PRODUCTS[self._take().text](value, self._unary())
        return value

    def _unary(self) -> float:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ToolError("the expression is nested too deeply")
        if self._next.text in SUMS:
            sign = self._take().text
            value = SUMS[sign](0, self._unary())
        else:
            value = self._power()
        self._depth -= 1
        return value

    def _power(self) -> float:
        base = self._atom()
        if self._next.text != "^":
            return base
        self._take()
        exponent = self._unary()
        if abs(exponent) > MAX_EXPONENT:
            raise ToolError(f"the exponent {format_number(exponent)} is larger than {MAX_EXPONENT}")
        return float(base**exponent)

    def _atom(self) -> float:
        token = self._take()
        if token.kind == "number":
            return float(token.text)
        if token.kind == "name":
            return self._call(token) if self._next.text == "(" else self._constant(token)
        if token.text == "(":
            value = self._sum()
            self._expect(")")
            return value
        raise ToolError(f"expected a number in column {token.column}, found {token.text}")

    def _constant(self, token: Token) -> float:
        if token.text not in CONSTANTS:
            raise ToolError(f"{token.text} is not a constant; there are {', '.join(CONSTANTS)}")
        return CONSTANTS[token.text]

    def _call(self, token: Token) -> float:
        if token.text not in FUNCTIONS:
            raise ToolError(f"{token.text} is not a function; there are {', '.join(FUNCTIONS)}")
        function, fewest, most = FUNCTIONS[token.text]
        self._expect("(")
        arguments = [self._sum()]
        while self._next.text == ",":
            self._take()
            arguments.append(self._sum())
        self._expect(")")
        if not fewest <= len(arguments) <= most:
            raise ToolError(f"{token.text} does not take {len(arguments)} arguments")
        return function(*arguments)


def calculate(expression: str) -> float:
    """Return the value of an expression.

    Raises:
        ToolError: it is too long, malformed, or has no value.
    """
    if len(expression) > MAX_LENGTH:
        raise ToolError(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        return Parser(tokenize(expression)).value()
    except ZeroDivisionError:
        raise ToolError("division by zero") from None
    except OverflowError:
        raise ToolError("the result is too large") from None
    except (ValueError, TypeError):
        # sqrt(-1), and (-8)^0.5, which is a complex number.
        raise ToolError("the result is not a real number") from None


def format_number(value: float) -> str:
    """Return a number with up to ten digits, without a trailing ".0"."""
    return f"{value:.10g}"


def _run(arguments: Mapping[str, str], _: Context) -> str:
    return format_number(calculate(arguments["expression"]))


TOOL: Final = Tool("calculator", "compute an expression", ("expression",), _run)
