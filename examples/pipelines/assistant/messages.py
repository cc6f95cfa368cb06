"""The values that travel between user, model and tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from assistant.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that was said."""

    role: Role
    content: str
    tool: str = ""  # with role "tool": whose result this is
    failed: bool = False  # with role "tool": the content is the reason


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model's wish to have a tool run."""

    tool: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says next: either a text, or a call of a tool."""

    text: str = ""
    call: ToolCall | None = None


def parse_messages(items: Iterable[Mapping[str, object]]) -> list[Message]:
    """Turn messages in the form of the OpenAI API into our own.

    Raises:
        MessageError: an item has no role that we know.
    """
    return [Message(_role(item), _text(item.get("content"))) for item in items]


def _role(item: Mapping[str, object]) -> Role:
    role = item.get("role")
    if role not in get_args(Role):
        raise MessageError(f"role {role!r} is unknown; use one of {', '.join(get_args(Role))}")
    return cast("Role", role)


def _text(content: object) -> str:
    # A content is a text, or a list of parts of which only the texts matter here.
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "\n".join(str(part["text"]) for part in parts)
    return str(content or "")
