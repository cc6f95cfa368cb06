"""The registry and the smaller tools."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest

from assistant.errors import ToolError
from assistant.messages import ToolCall
from assistant.tools import Context, default_registry, files, shell, text, units

if TYPE_CHECKING:
    from pathlib import Path


def run(context: Context, tool: str, **arguments: str) -> str:
    """Run a tool by name."""
    return default_registry().run(ToolCall(tool, arguments), context)


def test_unknown_tool_and_missing_arguments_are_refused(context: Context) -> None:
    """A call must name a tool that there is, with all that it needs."""
    with pytest.raises(ToolError, match="there is no tool hammer"):
        run(context, "hammer")
    with pytest.raises(ToolError, match="units needs source and target"):
        run(context, "units", value="1")


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        ("5", "km", "mi", "3.106855961 mi"),
        ("90", "min", "h", "1.5 h"),
    ],
)
def test_units(context: Context, value: str, source: str, target: str, result: str) -> None:
    """A value is converted by the factors of both units."""
    assert run(context, "units", value=value, source=source, target=target) == result


@pytest.mark.parametrize(
    ("value", "source", "target", "message"),
    [
        ("x", "km", "mi", "x is not a number"),
        ("1", "km", "parsec", "parsec is not a unit"),
        ("1", "km", "kg", "km is a unit of length, kg one of mass"),
    ],
)
def test_units_refusal(value: str, source: str, target: str, message: str, context: Context) -> None:
    """What cannot be converted is refused with the reason."""
    with pytest.raises(ToolError, match=message):
        units.TOOL.run({"value": value, "source": source, "target": target}, context)


def test_notes_are_added_ticked_off_and_removed(context: Context) -> None:
    """A note lives until it is removed, and its number is not given to another one before."""
    assert run(context, "notes", action="list") == "There are no notes"
    run(context, "notes", action="add", text="milk")
    run(context, "notes", action="add", text="bread")
    run(context, "notes", action="done", number="1")
    assert run(context, "notes", action="list") == "1. [x] milk\n2. [ ] bread"

    run(context, "notes", action="remove", number="1")

    assert run(context, "notes", action="list") == "2. [ ] bread"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"action": "add", "text": " "}, "an empty note"),
        ({"action": "done", "number": "one"}, "'one' is not the number of a note"),
        ({"action": "remove", "number": "7"}, "there is no note 7"),
    ],
)
def test_notes_refusal(context: Context, arguments: dict[str, str], message: str) -> None:
    """What cannot be done with a note is refused with the reason."""
    with pytest.raises(ToolError, match=message):
        run(context, "notes", **arguments)


def test_text_statistics() -> None:
    """Words, sentences and characters are counted; ties are decided by the alphabet."""
    assert text.describe("One two. Two one! Three?") == text.TextStatistics(24, 5, 3, "three", "one")


def test_files_are_read_from_one_folder_only(tmp_path: Path) -> None:
    """A file is read if it is inside of the folder; dots do not lead out of it."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello\n")

    assert files.read(folder, "hello.txt") == "hello"
    with pytest.raises(ToolError, match="secret is outside of the folder"):
        files.read(folder, "../secret")
    with pytest.raises(ToolError, match="missing cannot be read: No such file"):
        files.read(folder, "missing")


def test_shell_runs_known_commands_only() -> None:
    """A command of the table runs as a process of its own; any other is refused."""
    assert shell.run("python-version", "") == f"Python {platform.python_version()}"
    with pytest.raises(ToolError, match="rm is not a command; there are wordcount, python-version"):
        shell.run("rm", "")
