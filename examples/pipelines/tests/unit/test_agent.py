"""The agent loop with the scripted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assistant import Turn
from assistant.agent import Answered, ToolFinished, ToolStarted
from assistant.errors import MessageError, StepLimitError

if TYPE_CHECKING:
    from assistant import Assistant


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Hello!", "Hello! Ask me to calculate, convert, count, remember or look something up."),
        ("help", "I can use these tools: calculator, files, notes, recall, shell, text, units."),
        ("sing", "I do not know how to do that. Say 'help' to see what I can do."),
        ("what is 6 * 7?", "The result is 42."),
        ("calculate 6 * 7 then convert it km to m", "1. The result is 42.\n2. That is 42000 m."),
        ("calculate 1 / 0 then my notes", "I could not do that: division by zero."),
        ("use hammer", "I could not do that: there is no tool hammer."),
    ],
)
def test_answers(assistant: Assistant, question: str, answer: str) -> None:
    """The same question always has the same answer."""
    assert assistant.ask(Turn(question)) == answer


def test_events_come_in_order(assistant: Assistant) -> None:
    """Each tool is announced before it runs, and the answer comes last."""
    events = list(assistant.events(Turn("remember: milk then my notes")))

    kinds = [type(event) for event in events]
    assert kinds == [ToolStarted, ToolFinished, ToolStarted, ToolFinished, Answered]


def test_endless_plan_is_stopped(assistant: Assistant) -> None:
    """A model that never answers is stopped at the limit, and nothing is remembered."""
    with pytest.raises(StepLimitError, match="no answer after 6 steps"):
        assistant.ask(Turn("always calculate 1"))

    assert assistant.memory.conversations("anonymous") == []


def test_question_is_needed(assistant: Assistant) -> None:
    """An empty question is refused before the model is asked."""
    with pytest.raises(MessageError, match="no question"):
        assistant.ask(Turn("  "))
