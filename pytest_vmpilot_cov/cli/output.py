"""What the command prints: its exit code is the verdict's, even if nobody reads it or the disk is full."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from server_hook.problems import printable, printable_lines


def show(line: str) -> None:
    """Print a line; when the reader has gone away, go on in silence."""
    _print(printable(line), sys.stdout)


def show_section(lines: Iterable[str]) -> None:
    """Print the lines of a section, which are fit to be printed as they are."""
    for line in lines:
        _print(line, sys.stdout)


def show_problem(text: object) -> None:
    """Print a problem to stderr, in the command's name."""
    _print(f"vmpilot-cov: {printable_lines(text)}", sys.stderr)


def _print(line: str, stream: TextIO) -> None:
    try:
        # flushed here: otherwise a closed pipe shows at the interpreter's end, and turns the exit code into 120
        print(line, file=stream, flush=True)
    except OSError as error:
        # for the lines that follow, and for the interpreter's last flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError) and stream is sys.stdout:
            show_problem(f"its output is incomplete: {error.strerror}")
