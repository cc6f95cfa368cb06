"""Run one of a few commands, each as a Python process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from assistant.errors import ToolError
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S: Final = 30.0
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "wordcount": ("-m", "assistant.tools.wordcount"),
    "python-version": ("-c", "import sys; print('Python', sys.version.split()[0])"),
}
# The folder that holds the package: with it as working folder, "-m" finds the package in any process.
ROOT: Final = Path(__file__).resolve().parents[2]


def run(command: str, text: str) -> str:
    """Give a command the text as its input and return what it prints.

    Raises:
        ToolError: the command is unknown, takes too long, or fails.
    """
    if command not in COMMANDS:
        raise ToolError(f"{command} is not a command; there are {', '.join(COMMANDS)}")
    try:
        done = subprocess.run(
            [sys.executable, *COMMANDS[command]],
            input=text,
            capture_output=True,
            cwd=ROOT,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command} took longer than {TIMEOUT_S:g} seconds") from None
    if done.returncode != 0:
        raise ToolError(f"{command} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _run(arguments: Mapping[str, str], _: Context) -> str:
    return run(arguments["command"], arguments.get("text", ""))


TOOL: Final = Tool("shell", "run a command on a text", ("command",), _run)
