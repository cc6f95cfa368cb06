"""Write a conversation in a form that other programs read."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Final

from assistant.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from assistant.memory import Conversation
    from assistant.messages import Message


def export(conversation: Conversation, messages: Sequence[Message], form: str) -> str:
    """Return the conversation as ``json``, ``markdown`` or ``csv``.

    Raises:
        ExportError: there is no such form.
    """
    writer = FORMS.get(form)
    if writer is None:
        raise ExportError(f"format {form!r} is unknown; use one of {', '.join(FORMS)}")
    return writer(conversation, messages)


def _json(conversation: Conversation, messages: Sequence[Message]) -> str:
    said = [{"role": message.role, "content": message.content} for message in messages]
    document = {"id": conversation.id, "title": conversation.title, "messages": said}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    said = [f"**{message.role}**: {message.content}" for message in messages]
    return "\n\n".join([f"# {conversation.title}", *said])


def _csv(conversation: Conversation, messages: Sequence[Message]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["conversation", "number", "role", "content"])
    for number, message in enumerate(messages, 1):
        writer.writerow([conversation.id, number, message.role, message.content])
    return buffer.getvalue().rstrip("\n")


FORMS: Final[Mapping[str, Callable[[Conversation, Sequence[Message]], str]]] = {
    "json": _json,
    "markdown": _markdown,
    "csv": _csv,
}
