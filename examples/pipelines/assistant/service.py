"""The assistant as a whole: what the command line and the pipeline use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from assistant import prompts
from assistant.agent import Agent, Answered
from assistant.database import Database
from assistant.memory import Memory
from assistant.messages import Message
from assistant.model import ScriptedModel
from assistant.tools import Context, default_registry
from assistant.usage import UsageLedger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from assistant.agent import Event
    from assistant.settings import Settings


@dataclass(frozen=True, slots=True)
class Turn:
    """One question."""

    text: str
    user: str = "anonymous"
    conversation: str = "default"
    # What was said before; None means: look it up.
    earlier: Sequence[Message] | None = None


class Assistant:
    """Answer questions, and remember them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database)
        self.memory = Memory(self.database)
        self.usage = UsageLedger(self.database)
        self.tools = default_registry()
        self.model = ScriptedModel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def events(self, turn: Turn) -> Iterator[Event]:
        """Yield what happens on the way to the answer, then remember question and answer.

        Raises:
            AssistantError: there will be no answer.
        """
        earlier = turn.earlier
        if earlier is None:
            earlier = self.memory.messages(turn.user, turn.conversation)
        question = Message("user", turn.text)
        system = Message("system", prompts.system_prompt(self.tools.purposes))
        meter = partial(self.usage.record, turn.user, self.model.name)
        agent = Agent(self.model, self.tools, self.settings.max_steps, meter)
        context = Context(turn.user, self.settings, self.database)
        for event in agent.events([system, *earlier, question], context):
            if isinstance(event, Answered):
                self.memory.add(turn.user, turn.conversation, [question, Message("assistant", event.text)])
                self.memory.prune(turn.user, self.settings.keep_conversations)
            yield event

    def ask(self, turn: Turn) -> str:
        """Return the answer.

        Raises:
            AssistantError: there is none.
        """
        return "".join(event.text for event in self.events(turn) if isinstance(event, Answered))
