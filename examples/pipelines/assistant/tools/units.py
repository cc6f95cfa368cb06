"""Convert between units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from assistant.errors import ToolError
from assistant.generated import UNITS
from assistant.tools.calculator import format_number
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

# What no factor can express: to and from kelvin.
TEMPERATURES: Final = {"k": (1.0, 0.0), "c": (1.0, 273.15), "f": (5 / 9, 459.67 * 5 / 9)}


def convert(value: float, source: str, target: str) -> float:
    """Return the value in another unit.

    Raises:
        ToolError: a unit is unknown, or the two do not measure the same thing.
    """
    if source.lower() in TEMPERATURES and target.lower() in TEMPERATURES:
        return _convert_temperature(value, source.lower(), target.lower())
    source_dimension, source_factor = _unit(source)
    target_dimension, target_factor = _unit(target)
    if source_dimension != target_dimension:
        raise ToolError(f"{source} is a unit of {source_dimension}, {target} one of {target_dimension}")
    return value * source_factor / target_factor


def _unit(name: str) -> tuple[str, float]:
    try:
        return UNITS[name]
    except KeyError:
        raise ToolError(f"{name} is not a unit that I know") from None


def _convert_temperature(value: float, source: str, target: str) -> float:
    factor, offset = TEMPERATURES[source]
    kelvin = value * factor + offset
    if kelvin < 0:
        raise ToolError(f"{format_number(value)} {source.upper()} is below absolute zero")
    factor, offset = TEMPERATURES[target]
    return (kelvin - offset) / factor


def _run(arguments: Mapping[str, str], _: Context) -> str:
    try:
        value = float(arguments["value"])
    except ValueError:
        raise ToolError(f"{arguments['value']} is not a number") from None
    source, target = arguments["source"], arguments["target"]
    return f"{format_number(convert(value, source, target))} {target}"


TOOL: Final = Tool("units", "convert a value into another unit", ("value", "source", "target"), _run)
