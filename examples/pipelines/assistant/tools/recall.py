"""Search in earlier conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from assistant.memory import Memory, shorten
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping


def _run(arguments: Mapping[str, str], context: Context) -> str:
    words = arguments["words"].strip()
    found = Memory(context.database).search(context.user, words)
    if not found:
        return f"Nothing was said about {words}"
    return "\n".join(f"{conversation}: {shorten(content, 60)}" for conversation, content in found)


TOOL: Final = Tool("recall", "search in earlier conversations", ("words",), _run)
