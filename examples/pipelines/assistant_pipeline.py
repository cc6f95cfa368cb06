"""The adapter between the pipeline server and the assistant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assistant import Assistant, AssistantError, Turn, load_settings
from assistant.messages import parse_messages
from assistant.streaming import stream


class Pipeline:
    """What the server looks for in each file of its pipelines folder."""

    def __init__(self) -> None:
        self.name = "Assistant"
        self.assistant: Assistant

    async def on_startup(self) -> None:
        """Open the database; the server calls this before the first request."""
        self.assistant = Assistant(load_settings())

    async def on_shutdown(self) -> None:
        """Close the database."""
        self.assistant.close()

    def pipe(
        self,
        user_message: str,
        model_id: str,  # noqa: ARG002 - the server passes it to every pipeline
        messages: Sequence[Mapping[str, object]],
        body: Mapping[str, object],
    ) -> str | Iterator[str]:
        """Answer the last message of a chat: as a text, or in pieces if the body asks for a stream."""
        try:
            *earlier, question = parse_messages(messages)
            turn = Turn(
                # The server leaves the text empty if the message has several parts.
                text=user_message or question.content,
                user=_user(body),
                conversation=str(body.get("chat_id") or "default"),
                earlier=earlier,
            )
            if body.get("stream"):
                return stream(self.assistant.events(turn), self.assistant.settings.chunk_size)
            return self.assistant.ask(turn)
        except AssistantError as error:
            return f"Sorry: {error}."


def _user(body: Mapping[str, object]) -> str:
    # A text in the API of OpenAI; an object with an id where a web interface is in front.
    user = body.get("user")
    if isinstance(user, Mapping):
        user = user.get("id")
    return str(user or "anonymous")
