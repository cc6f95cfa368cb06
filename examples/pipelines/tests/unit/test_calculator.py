"""The calculator."""

from __future__ import annotations

import pytest

from assistant.errors import ToolError
from assistant.tools.calculator import calculate, format_number


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("7 % 4 - 1", "2"),
        ("-2 ^ 2", "-4"),
        ("2 ^ 3 ^ 2", "512"),
        ("2 ^ -1", "0.5"),
        ("10 / 4", "2.5"),
        ("0.1 + 0.2", "0.3"),
        ("max(1, 2, 3) + min(4, 5)", "7"),
        ("SQRT(16) + abs(-1) + round(2.4)", "7"),
        ("2 * pi", "6.283185307"),
    ],
)
def test_arithmetic(expression: str, value: str) -> None:
    """Expressions have the value that mathematics gives them."""
    assert format_number(calculate(expression)) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 +", "expected a number in column 4, found the end"),
        ("(1", r"expected \) in column 3, found the end"),
        ("1 2", "expected the end in column 3, found 2"),
        ("2 & 3", "unexpected '&' in column 2"),
        ("tau", "tau is not a constant; there are pi, e"),
        ("exec(1)", "exec is not a function"),
        ("min(1)", "min does not take 1 arguments"),
        ("1 / 0", "division by zero"),
        ("sqrt(-1)", "the result is not a real number"),
        ("(-8) ^ 0.5", "the result is not a real number"),
        ("2 ^ 1001", "the exponent 1001 is larger than 1000"),
    ],
)
def test_refusal(expression: str, message: str) -> None:
    """What cannot be computed is refused with the reason."""
    with pytest.raises(ToolError, match=message):
        calculate(expression)
