"""What a tool is, and the registry that runs tools by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from assistant.database import Database
    from assistant.messages import ToolCall
    from assistant.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """What a tool may know beside its arguments."""

    user: str
    settings: Settings
    database: Database


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call."""

    name: str
    purpose: str
    parameters: tuple[str, ...]
    run: Callable[[Mapping[str, str], Context], str]


class Registry:
    """Tools by name."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        """Take the tools.

        Raises:
            ValueError: two tools have the same name.
        """
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ValueError(f"there are two tools of the name {tool.name}")
            self._tools[tool.name] = tool

    @property
    def names(self) -> list[str]:
        """Return the names in order of the alphabet."""
        return sorted(self._tools)

    @property
    def purposes(self) -> dict[str, str]:
        """Return what each tool is for, by name."""
        return {name: self._tools[name].purpose for name in self.names}

    def run(self, call: ToolCall, context: Context) -> str:
        """Run a tool and return its result.

        Raises:
            ToolError: there is no such tool, an argument is missing, or the tool itself says no.
        """
        tool = self._tools.get(call.tool)
        if tool is None:
            raise ToolError(f"there is no tool {call.tool}")
        missing = [name for name in tool.parameters if name not in call.arguments]
        if missing:
            raise ToolError(f"{call.tool} needs {' and '.join(missing)}")
        return tool.run(call.arguments, context)
