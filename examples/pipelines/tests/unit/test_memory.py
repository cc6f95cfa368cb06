"""What is remembered: conversations and usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assistant import Turn
from assistant.errors import MemoryStoreError
from assistant.memory import Conversation, Memory, shorten
from assistant.messages import Message
from assistant.usage import UsageLedger, count_tokens, report

if TYPE_CHECKING:
    from assistant import Assistant
    from assistant.database import Database


@pytest.fixture
def memory(database: Database) -> Memory:
    """Return a memory with three conversations of one user."""
    memory = Memory(database)
    for name in ("first", "second", "third"):
        memory.add("ann", name, [Message("user", f"100% of the {name}"), Message("assistant", "yes")])
    return memory


def test_conversations_are_newest_first(memory: Memory) -> None:
    """A conversation with a new message comes to the front."""
    memory.add("ann", "first", [Message("user", "again")])

    assert memory.conversations("ann") == [
        Conversation("first", "100% of the first", 3),
        Conversation("third", "100% of the third", 2),
        Conversation("second", "100% of the second", 2),
    ]
    assert memory.conversations("bob") == []


def test_search_takes_signs_literally(memory: Memory) -> None:
    """A percent sign is a percent sign, and the newest hit comes first."""
    assert memory.search("ann", "0% of", limit=1) == [("third", "100% of the third")]
    assert memory.search("ann", "1%0") == []


def test_pruning_forgets_the_oldest(memory: Memory) -> None:
    """The newest conversations stay, with their messages; the others are gone."""
    assert memory.prune("ann", keep=2) == ["first"]
    assert memory.prune("ann", keep=2) == []
    assert memory.messages("ann", "first") == []
    assert memory.find("ann", "third").messages == 2
    with pytest.raises(MemoryStoreError, match="ann has no conversation 'first'"):
        memory.find("ann", "first")


def test_titles_are_short() -> None:
    """A title is one line of limited length."""
    assert shorten("one\n two") == "one two"
    assert shorten("abcdef", 4) == "abc…"


def test_answers_are_remembered_and_recalled(assistant: Assistant) -> None:
    """The recall tool finds what was said in another conversation."""
    assistant.ask(Turn("remember: the cat is called Tom", "ann", "one"))

    assert assistant.ask(Turn("search dog", "ann", "two")) == "Nothing was said about dog"
    assert assistant.ask(Turn("search cat is", "ann", "two")) == "one: remember: the cat is called Tom"


def test_only_the_newest_conversations_are_kept(assistant: Assistant) -> None:
    """After each answer the oldest conversations beyond the limit are forgotten."""
    for name in ("a", "b", "c", "d"):
        assistant.ask(Turn("hello", "ann", name))

    assert [entry.id for entry in assistant.memory.conversations("ann")] == ["d", "c", "b"]


def test_tokens_are_counted_by_rule() -> None:
    """Six letters are a token, and so is each sign."""
    assert [count_tokens(text) for text in ("", "abcdef", "abcdefg", "a, b!")] == [0, 1, 2, 4]


def test_usage_is_summed_up_by_user(database: Database) -> None:
    """The totals of a user are those of their own calls, with the cost."""
    ledger = UsageLedger(database)
    ledger.record("ann", "scripted-1", 100, 10)
    ledger.record("ann", "scripted-1", 300, 30)
    ledger.record("bob", "scripted-1", 1, 1)

    assert report("ann", ledger.totals("ann")) == "scripted-1: 2 calls, 400 + 40 tokens, 0.260 cents"
    assert report("eve", ledger.totals("eve")) == "eve has used nothing"
