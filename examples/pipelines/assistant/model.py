"""A scripted model: it stands in for a paid one and always gives the same reply to the same messages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from assistant import prompts
from assistant.messages import Message, Reply, ToolCall

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class Model(Protocol):
    """What the agent needs of a model."""

    name: str

    def complete(self, messages: Sequence[Message], tools: Collection[str]) -> Reply:
        """Return a text or a tool call that continues the messages."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and the tool call that it stands for; named groups become arguments."""

    pattern: str
    tool: str
    fixed: Mapping[str, str] = field(default_factory=dict)

    def call(self, text: str) -> ToolCall | None:
        """Return the call, or None if the text does not match."""
        match = re.fullmatch(self.pattern, text, re.IGNORECASE | re.DOTALL)
        return match and ToolCall(self.tool, {**self.fixed, **match.groupdict("")})


RULES: Final = (
    Rule(r"(?:calculate|what is) (?P<expression>.+?)\??", "calculator"),
    Rule(r"convert (?P<value>\S+) (?P<source>\w+) (?:to|into) (?P<target>\w+)", "units"),
    Rule(r"describe:? (?P<text>.+)", "text"),
    Rule(r"remember:? (?P<text>.+)", "notes", {"action": "add"}),
    Rule(r"(?:my|list) notes", "notes", {"action": "list"}),
    Rule(r"done (?P<number>\S+)", "notes", {"action": "done"}),
    Rule(r"forget (?P<number>\S+)", "notes", {"action": "remove"}),
    Rule(r"read (?P<path>\S+)", "files"),
    Rule(r"search (?P<words>.+)", "recall"),
    Rule(r"run (?P<command>[\w-]+)(?:: (?P<text>.*))?", "shell"),
    Rule(r"use (?P<tool>\w+)", "", {}),
)
# With this word in front the model asks for the same tool again and again, as a confused one does.
ENDLESS: Final = "always "


class ScriptedModel:
    """Reply by rules.

    "A then B" is a plan of two steps; "it" in a later step means the result of the step before.
    """

    name = "scripted-1"

    def complete(self, messages: Sequence[Message], tools: Collection[str]) -> Reply:
        """Return the next step of the plan as a tool call, or the answer once all steps are done."""
        asked, results = _this_turn(messages)
        if results and results[-1].failed:
            return Reply(text=prompts.apology(results[-1]))
        if asked.startswith(ENDLESS):
            return _reply(asked.removeprefix(ENDLESS), tools)
        plan = asked.split(" then ")
        if len(results) == len(plan):
            return Reply(text=prompts.answer(results))
        step = plan[len(results)].strip()
        if results:
            step = re.sub(r"\bit\b", lambda _: results[-1].content, step)
        return _reply(step, tools)


def _this_turn(messages: Sequence[Message]) -> tuple[str, list[Message]]:
    """Return what the user asked last, and the results of the tools since then."""
    last = max(index for index, message in enumerate(messages) if message.role == "user")
    return messages[last].content.strip(), [m for m in messages[last:] if m.role == "tool"]


def _reply(step: str, tools: Collection[str]) -> Reply:
    for rule in RULES:
        if call := rule.call(step):
            return Reply(call=call if call.tool else ToolCall(call.arguments["tool"], {}))
    words = step.lower().strip("!.? ")
    if words in {"hello", "hi", "good morning"}:
        return Reply(text=prompts.GREETING)
    if words in {"help", "what can you do"}:
        return Reply(text=prompts.help_text(tools))
    return Reply(text=prompts.NOT_UNDERSTOOD)
