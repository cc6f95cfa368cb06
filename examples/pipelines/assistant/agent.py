"""The agent loop: ask the model, run the tool that it wants, tell it the result, until it answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import MessageError, StepLimitError, ToolError
from assistant.messages import Message
from assistant.usage import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from assistant.messages import ToolCall
    from assistant.model import Model
    from assistant.tools import Context, Registry

logger = logging.getLogger("assistant")


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool is about to run."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool has run, or has failed."""

    result: Message


@dataclass(frozen=True, slots=True)
class Answered:
    """The model has answered; this is the last event."""

    text: str


Event = ToolStarted | ToolFinished | Answered


class Agent:
    """Lead one question to its answer."""

    def __init__(self, model: Model, tools: Registry, max_steps: int, meter: Callable[[int, int], None]) -> None:
        """Take the parts.

        ``max_steps`` is how often the model may be asked; ``meter`` is told the tokens that went into
        and came out of the model, after each time.
        """
        self.model = model
        self.tools = tools
        self.max_steps = max_steps
        self.meter = meter

    def events(self, messages: Sequence[Message], context: Context) -> Iterator[Event]:
        """Yield what happens, as it happens.

        Raises:
            MessageError: there is no question in the messages.
            StepLimitError: the model wants yet another tool after its last step.
        """
        if not any(message.role == "user" and message.content.strip() for message in messages):
            raise MessageError("there is no question to answer")
        messages = list(messages)
        for _ in range(self.max_steps):
            reply = self.model.complete(messages, self.tools.names)
            said = reply.text if reply.call is None else " ".join(reply.call.arguments.values())
            self.meter(sum(count_tokens(message.content) for message in messages), count_tokens(said))
            if reply.call is None:
                yield Answered(reply.text)
                return
            yield ToolStarted(reply.call)
            result = self._run(reply.call, context)
            yield ToolFinished(result)
            messages.append(result)
        raise StepLimitError(self.max_steps)

    def _run(self, call: ToolCall, context: Context) -> Message:
        try:
            return Message("tool", self.tools.run(call, context), call.tool)
        except ToolError as error:
            return Message("tool", str(error), call.tool, failed=True)
        except Exception:
            # One broken tool must not end the conversation.
            logger.exception("tool %s failed", call.tool)
            return Message("tool", f"the tool {call.tool} is broken", call.tool, failed=True)
