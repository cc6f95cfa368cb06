"""Turn what the agent does into pieces that can be sent one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from assistant.agent import Answered, ToolFinished, ToolStarted
from assistant.errors import AssistantError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assistant.agent import Event


def chunks(text: str, size: int) -> Iterator[str]:
    """Split a text into pieces of at most ``size`` characters, after a space where there is one."""
    while len(text) > size:
        end = text.rfind(" ", 0, size) + 1 or size
        yield text[:end]
        text = text[end:]
    if text:
        yield text


def stream(events: Iterator[Event], size: int) -> Iterator[str]:
    """Yield a status line for each step of a tool, then the answer in pieces.

    An error becomes the answer: whoever listens has already been told that all is well.
    """
    try:
        for event in events:
            match event:
                case ToolStarted(call):
                    yield status(f"{call.tool} is running", done=False)
                case ToolFinished(result):
                    outcome = "has failed" if result.failed else "is done"
                    yield status(f"{result.tool} {outcome}", done=True)
                case Answered(text):
                    yield from chunks(text, size)
    except AssistantError as error:
        yield from chunks(f"Sorry: {error}.", size)


def status(description: str, *, done: bool) -> str:
    """Return a status as a server-sent event, which a server passes on as it is."""
    event = {"event": {"type": "status", "data": {"description": description, "done": done}}}
    return f"data: {json.dumps(event)}\n\n"
