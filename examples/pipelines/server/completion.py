"""The answers of the chat API: a whole completion, and a stream of server-sent events."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def completion(model_id: str, answer: str | Iterator[str]) -> dict[str, Any]:
    """Return the answer as one object."""
    message = {"role": "assistant", "content": answer if isinstance(answer, str) else "".join(answer)}
    return {
        **_head(model_id, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


def completion_stream(model_id: str, answer: str | Iterator[str]) -> Iterator[str]:
    """Yield the answer as events; a piece that is an event already passes as it is."""
    head = _head(model_id, "chat.completion.chunk")
    for piece in [answer] if isinstance(answer, str) else answer:
        if piece.startswith("data:"):
            yield piece
        else:
            yield _event(head, {"content": piece}, None)
    yield _event(head, {}, "stop")
    yield "data: [DONE]\n\n"


def _head(model_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"{model_id}-{uuid.uuid4()}",
        "object": kind,
        "created": int(time.time()),
        "model": model_id,
    }


def _event(head: dict[str, Any], delta: dict[str, str], finish_reason: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
