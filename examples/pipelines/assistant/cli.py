"""The command line: chat, history, usage, tools and export."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from assistant import usage
from assistant.agent import Answered, ToolFinished, ToolStarted
from assistant.errors import AssistantError, SettingsError
from assistant.export import FORMS, export
from assistant.service import Assistant, Turn
from assistant.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, or 1 after an error that has been printed."""
    options = _parser().parse_args(argv)
    try:
        settings = load_settings()
        if options.needs_home and settings.home is None:
            raise SettingsError("ASSISTANT_HOME is not set, so nothing has been stored; set it to a folder")
        with Assistant(settings) as assistant:
            options.run(assistant, options)
    except AssistantError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="assistant", description="Chat with the assistant.")
    parser.add_argument("--user", default="me", help="whose conversations (default: %(default)s)")
    parser.set_defaults(needs_home=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    chat = commands.add_parser("chat", help="ask a question, or each line of the standard input")
    chat.add_argument("text", nargs="*")
    chat.add_argument("--conversation", default="default")
    chat.add_argument("--steps", action="store_true", help="show the tools at work")
    chat.set_defaults(run=_chat)

    history = commands.add_parser("history", help="list conversations, or show one")
    history.add_argument("conversation", nargs="?")
    history.add_argument("--search", metavar="WORDS")
    history.set_defaults(run=_history, needs_home=True)

    used = commands.add_parser("usage", help="show what was used and what it costs")
    used.set_defaults(run=_usage, needs_home=True)

    tools = commands.add_parser("tools", help="list the tools")
    tools.set_defaults(run=_tools)

    out = commands.add_parser("export", help="print a conversation in another format")
    out.add_argument("conversation")
    out.add_argument("--format", default="json", help=f"one of {', '.join(FORMS)} (default: %(default)s)")
    out.set_defaults(run=_export, needs_home=True)
    return parser


def _chat(assistant: Assistant, options: argparse.Namespace) -> None:
    questions = [" ".join(options.text)] if options.text else sys.stdin.read().splitlines()
    for question in questions:
        for event in assistant.events(Turn(question, options.user, options.conversation)):
            match event:
                case ToolStarted(call) if options.steps:
                    print(f"> {call.tool} {' '.join(call.arguments.values())}")
                case ToolFinished(result) if options.steps:
                    print(f"< {result.content}")
                case Answered(text):
                    print(text)


def _history(assistant: Assistant, options: argparse.Namespace) -> None:
    memory = assistant.memory
    if options.search:
        for conversation, content in memory.search(options.user, options.search):
            print(f"{conversation}: {content}")
    elif options.conversation:
        memory.find(options.user, options.conversation)
        for message in memory.messages(options.user, options.conversation):
            print(f"{message.role}: {message.content}")
    else:
        for entry in memory.conversations(options.user):
            print(f"{entry.id}\t{entry.messages}\t{entry.title}")


def _usage(assistant: Assistant, options: argparse.Namespace) -> None:
    print(usage.report(options.user, assistant.usage.totals(options.user)))


def _tools(assistant: Assistant, _: argparse.Namespace) -> None:
    for name, purpose in assistant.tools.purposes.items():
        print(f"{name:<12}{purpose}")


def _export(assistant: Assistant, options: argparse.Namespace) -> None:
    conversation = assistant.memory.find(options.user, options.conversation)
    messages = assistant.memory.messages(options.user, options.conversation)
    print(export(conversation, messages, options.format))
