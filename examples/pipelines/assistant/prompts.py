"""Everything that the assistant says in words of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from assistant.messages import Message

SYSTEM: Final = "You are an assistant. Use a tool where one fits, and answer in one short sentence."
GREETING: Final = "Hello! Ask me to calculate, convert, count, remember or look something up."
NOT_UNDERSTOOD: Final = "I do not know how to do that. Say 'help' to see what I can do."
ANSWERS: Final[Mapping[str, str]] = {
    "calculator": "The result is {}.",
    "units": "That is {}.",
    "wordcount": "I counted: {}.",
}


def system_prompt(tools: Mapping[str, str]) -> str:
    """Return the prompt that names each tool and what it is for."""
    return "\n".join([SYSTEM, *(f"- {name}: {purpose}" for name, purpose in tools.items())])


def help_text(tools: Iterable[str]) -> str:
    """Return the answer to a cry for help."""
    return f"I can use these tools: {', '.join(sorted(tools))}."


def answer(results: Sequence[Message]) -> str:
    """Put the results of one or more tools into words."""
    sentences = [ANSWERS.get(result.tool, "{}").format(result.content) for result in results]
    if len(sentences) == 1:
        return sentences[0]
    return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1))


def apology(result: Message) -> str:
    """Say that a tool failed, and why."""
    return f"I could not do that: {result.content}."
