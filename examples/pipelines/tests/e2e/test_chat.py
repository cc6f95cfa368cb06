"""Chats with the assistant behind the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.client import MODEL, events

if TYPE_CHECKING:
    from tests.e2e.client import Client

pytestmark = pytest.mark.e2e


def test_completion_has_the_form_of_the_api(client: Client) -> None:
    """The answer is one object with one choice."""
    answer = client.chat("calculate 2 ^ 10").json

    assert (answer["object"], answer["model"]) == ("chat.completion", MODEL)
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "The result is 1024."},
            "finish_reason": "stop",
        }
    ]


def test_stream_shows_the_tools_and_then_the_answer(client: Client) -> None:
    """A stream has a status for each step, the answer in pieces and a last event that says stop."""
    found = events(client.chat("remember: buy milk then run wordcount: one two", stream=True))

    assert [event["event"]["data"] for event in found if "event" in event] == [
        {"description": "notes is running", "done": False},
        {"description": "notes is done", "done": True},
        {"description": "shell is running", "done": False},
        {"description": "shell is done", "done": True},
    ]
    choices = [event["choices"][0] for event in found if "choices" in event]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == (
        "1. Note 1 is saved\n2. 1 lines, 2 words, 7 characters"
    )
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]


def test_stream_ends_well_after_an_error(client: Client) -> None:
    """An error in the middle of a stream becomes the answer."""
    found = events(client.chat("always describe x", stream=True))

    choices = [event["choices"][0] for event in found if "choices" in event]
    text = "".join(choice["delta"].get("content", "") for choice in choices)
    assert text == "Sorry: no answer after 6 steps; ask for less at once, or raise max_steps."


def test_command_without_input_fails(client: Client) -> None:
    """What a command prints before it fails is the reason that the user reads."""
    assert client.ask("run wordcount") == ("I could not do that: wordcount failed: there is nothing to count.")


def test_notes_belong_to_the_user(client: Client) -> None:
    """A user finds their notes in another conversation; the name may be given as a text."""
    client.ask("remember: water the plants", chat_id="one")

    assert client.ask("my notes", chat_id="two") == "1. [ ] water the plants"
    assert client.ask("my notes", user=client.user) == "1. [ ] water the plants"
    assert client.ask("my notes", user=f"not-{client.user}") == "There are no notes"


def test_message_of_several_parts(client: Client) -> None:
    """Of a message with several parts, the texts are read."""
    parts = [{"type": "text", "text": "calculate 3 * 3"}, {"type": "image_url", "image_url": {"url": ""}}]

    assert client.ask("", messages=[{"role": "user", "content": parts}]) == "The result is 9."


def test_earlier_messages_are_sent_along(client: Client) -> None:
    """Only the last question is answered, whatever was said before."""
    messages = [
        {"role": "user", "content": "calculate 1 + 1"},
        {"role": "assistant", "content": "The result is 2."},
        {"role": "user", "content": "convert 1 km to m"},
    ]

    assert client.ask("", messages=messages) == "That is 1000 m."


def test_unknown_role_is_explained(client: Client) -> None:
    """A message of nobody that we know is answered with an apology."""
    messages = [{"role": "cat", "content": "meow"}, {"role": "user", "content": "hello"}]

    assert client.ask("", messages=messages) == (
        "Sorry: role 'cat' is unknown; use one of system, user, assistant, tool."
    )
