"""Command lines of Python: which program an interpreter runs, and what it is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from server_hook.systems.systems import system

NEVER_A_PIPELINE = ("pytest", "py.test", "pip", "vmpilot-cov", "pytest_vmpilot_cov", "coverage")
_DEBUGGERS = ("debugpy", "pydevd", "pdb")


def program_of(command: Sequence[str]) -> str:
    """Name the program that an interpreter's command line runs: a module, or a script without its folder."""
    words = program_words(command)
    if not words:
        return ""
    name = words[0].removesuffix(".py")
    if "pytest" in name.replace("py.test", "pytest") and not name.startswith("pytest_vmpilot"):
        return "pytest"
    return name.partition(".")[0].rstrip("0123456789")  # pip3.11 is pip


def debugger_of(command: Sequence[str]) -> str:
    """Name the debugger that a command line starts, or that has written itself into that of a child; else nothing."""
    program = program_of(command)
    if program in _DEBUGGERS:
        return program
    return "pydevd" if program == "-c" and any("import pydevd" in word for word in command) else ""


def is_python(program: str) -> bool:
    """Tell by its name whether a program is a Python: ``python3.13``, ``Python`` of a framework, ``pypy3``."""
    return os.path.basename(program).lower().startswith(("python", "pypy"))


def is_attaching(command: Sequence[str]) -> bool:
    """Tell whether a command line is that of a debugger which attaches to another process."""
    return program_of(command) == "pdb" and not {"-p", "--pid"}.isdisjoint(command)


def program_words(command: Sequence[str]) -> list[str]:
    """Drop the interpreter and its options from a command line; a script is named without its folder."""
    return _parse(command)[1]


def interpreter_flags(command: Sequence[str]) -> str:
    """Return the letters of the interpreter's own options that take no value, such as ``IS`` of ``python -IS x.py``."""
    return _parse(command)[0]


def _parse(command: Sequence[str]) -> tuple[str, list[str]]:
    """Split a command line as Python does into the flags of the interpreter, and the program with its arguments.

    ``-m`` and ``-c`` end the options, ``-W`` and ``-X`` take a value; either may be attached, and follow flags in one
    word: ``-Impytest``, ``-uWerror``.
    """
    rest, flags = list(command), ""
    if rest and is_python(rest[0]):
        del rest[0]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            del rest[: word == "--check-hash-based-pycs"]  # the one long option that takes a value
            continue
        for place, letter in enumerate(word[1:], 2):
            attached = word[place:]
            if letter == "c":
                return flags, ["-c"]
            if letter == "m":
                return flags, [each for each in (attached, *rest) if each]
            if letter in "WX":
                del rest[: not attached]
                break
            flags += letter
    return flags, [os.path.basename(rest[0]).removesuffix(".exe"), *rest[1:]] if rest else []


def is_server_command(command: Sequence[str], server_command: str) -> bool:
    """Tell whether a command line is the one that the configuration names as the server, whatever follows it."""
    try:
        wanted = program_words(system.split_words(server_command))
    except ValueError:
        return False
    return bool(wanted) and program_words(command)[: len(wanted)] == wanted
