"""Command lines of Python: which program an interpreter runs, and what it is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

NEVER_A_PIPELINE = ("pytest", "py.test", "pip", "vmpilot-cov", "pytest_vmpilot_cov", "coverage")
_DEBUGGERS = ("debugpy", "pydevd", "pdb")
_RUNS = re.compile(r"-[bBdEhiIOPqsSuvVx]*(?P<what>[mc])(?P<attached>.*)")
_OPTIONS_WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def program_of(command: Sequence[str]) -> str:
    """Name the program that an interpreter's command line runs: a module, or a script without its folder."""
    words = program_words(command)
    if not words:
        return ""
    name = words[0].removesuffix(".py")
    if "pytest" in name.replace("py.test", "pytest") and not name.startswith("pytest_vmpilot"):
        return "pytest"
    return name.partition(".")[0].rstrip("0123456789")


def debugger_of(command: Sequence[str]) -> str:
    """Name the debugger that a command line starts, or that has written itself into that of a child; else nothing."""
    program = program_of(command)
    if program in _DEBUGGERS:
        return program
    return "pydevd" if program == "-c" and any("import pydevd" in word for word in command) else ""


def program_words(command: Sequence[str]) -> list[str]:
    """Drop the interpreter and its options from a command line; a script is named without its folder."""
    rest = list(command[1:]) if command and os.path.basename(command[0]).startswith("python") else list(command)
    while rest and rest[0].startswith("-"):
        ends = _RUNS.match(rest[0])
        if ends:  # -m and -c end the options; what they run may be attached: -Impytest
            return ["-c"] if ends["what"] == "c" else [word for word in (ends["attached"], *rest[1:]) if word]
        del rest[: 2 if rest[0] in _OPTIONS_WITH_VALUE else 1]
    return [os.path.basename(rest[0]), *rest[1:]] if rest else []


def is_server_command(command: Sequence[str], server_command: str) -> bool:
    """Tell whether a command line is the one that the configuration names as the server, whatever follows it."""
    import shlex  # most processes are never compared

    try:
        wanted = program_words(shlex.split(server_command))
    except ValueError:
        return False
    return bool(wanted) and program_words(command)[: len(wanted)] == wanted
