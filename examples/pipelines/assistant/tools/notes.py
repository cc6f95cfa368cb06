"""A list of notes that can be ticked off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from assistant.errors import ToolError
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_NOTES: Final = 50


def _add(arguments: Mapping[str, str], context: Context) -> str:
    text = arguments.get("text", "").strip()
    if not text:
        raise ToolError("an empty note is not worth remembering")
    with context.database.transaction() as connection:
        highest, count = connection.execute(
            "SELECT COALESCE(MAX(number), 0), COUNT(*) FROM notes WHERE user = ?", (context.user,)
        ).fetchone()
        if count >= MAX_NOTES:
            raise ToolError(f"there are {MAX_NOTES} notes already; forget one first")
        connection.execute("INSERT INTO notes (user, number, text) VALUES (?, ?, ?)", (context.user, highest + 1, text))
    return f"Note {highest + 1} is saved"


def _list(_: Mapping[str, str], context: Context) -> str:
    with context.database.transaction() as connection:
        rows = connection.execute(
            "SELECT number, text, done FROM notes WHERE user = ? ORDER BY number", (context.user,)
        ).fetchall()
    if not rows:
        return "There are no notes"
    return "\n".join(f"{number}. [{'x' if done else ' '}] {text}" for number, text, done in rows)


def _done(arguments: Mapping[str, str], context: Context) -> str:
    number = _number(arguments)
    _change("UPDATE notes SET done = 1 WHERE user = ? AND number = ?", number, context)
    return f"Note {number} is done"


def _remove(arguments: Mapping[str, str], context: Context) -> str:
    number = _number(arguments)
    _change("DELETE FROM notes WHERE user = ? AND number = ?", number, context)
    return f"Note {number} is forgotten"


def _number(arguments: Mapping[str, str]) -> int:
    text = arguments.get("number", "")
    if not text.isdecimal():
        raise ToolError(f"{text!r} is not the number of a note")
    return int(text)


def _change(statement: str, number: int, context: Context) -> None:
    with context.database.transaction() as connection:
        changed = connection.execute(statement, (context.user, number)).rowcount
    if not changed:
        raise ToolError(f"there is no note {number}")


ACTIONS: Final = {"add": _add, "list": _list, "done": _done, "remove": _remove}


def _run(arguments: Mapping[str, str], context: Context) -> str:
    action = ACTIONS.get(arguments["action"])
    if action is None:
        raise ToolError(f"{arguments['action']} is not an action; there are {', '.join(ACTIONS)}")
    return action(arguments, context)


TOOL: Final = Tool("notes", "add, list, tick off and remove notes", ("action",), _run)
