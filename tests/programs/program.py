"""A program of the table: what it is, and how it ran."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.conftest import PATIENCE_S, Project

VARYING = (
    (r"\b0x[0-9a-f]+", "0x-"),
    (r"\bpid=\d+", "pid=-"),
    (r"\b\d+\.\d{3,}(e-\d+)?\b|\bin \d+\.\d+s|\d+(\.\d+)? [mun]?sec\b", "TIME"),
)
"""What differs between any two runs."""

LOGGED = re.compile(r"^vmpilot-cov: .*\((?P<slug>[a-z-]+)\)\n", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """What is run, and in what it may differ from how it runs alone; that is a limit that docs/limits.md names."""

    text: str
    """Its ``main.py``."""
    options: tuple[str, ...] = ("main.py",)
    """What Python is given: its options, the program and its arguments."""
    shell: str = '"$@"'
    """What bash runs; ``"$@"`` is the whole command."""
    stdin: str = ""
    sends: int = 0
    """The signal that it gets as soon as it has printed ``ready``."""
    files: Mapping[str, str] = field(default_factory=dict)
    """More files in its folder."""
    env: Mapping[str, str] = field(default_factory=dict)
    lacks: Callable[[], object] = bool
    """Tells whether this system lacks what it needs."""
    is_recorded: bool = True
    """Whether its lines are among the data afterwards."""
    source: str = "room"
    """The folder of the project that is measured; the program's own is ``room``."""
    logged: tuple[str, ...] = ()
    """The slugs of what the recorder logs."""
    interval_s: float = 0.1
    """How often the recorder's thread works; a fork in C must not come while it does."""
    prints: str | None = None
    """What it prints when it is recorded; None for the same."""


class Run(NamedTuple):
    """How a program ran."""

    code: int
    stdout: str
    stderr: str
    files: dict[str, str]
    """What lies in its folder afterwards, by relative path."""


def lay_out(project: Project, program: Program) -> None:
    """Write a program's folder anew, as if it had never run."""
    room = project.path / "room"
    shutil.rmtree(room, ignore_errors=True)
    settings = f"[run]\nsource = {program.source}\n[vmpilot_cov]\ninterval_s = {program.interval_s}\n"
    project.write(".coveragerc", settings)
    project.write("nothing/__init__.py", "")
    project.write("room/work.py", "def work(number=1):\n    return number + 1\n")
    project.write("room/main.py", program.text)
    for name, text in program.files.items():
        project.write(f"room/{name}", text)


def run(project: Project, program: Program, **env: str) -> Run:
    """Run a program in its folder, to its end and to that of all that share its streams."""
    lay_out(project, program)
    room = project.path / "room"
    with subprocess.Popen(
        ["bash", "-c", program.shell, "bash", sys.executable, *program.options],
        cwd=room,
        env={**os.environ, **program.env, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        head = _signal_when_ready(process, program.sends) if program.sends else ""
        try:
            stdout, stderr = process.communicate(program.stdin, timeout=2 * PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Run(process.returncode, alike(head + stdout), alike(stderr), files_in(room))


def _signal_when_ready(process: subprocess.Popen[str], number: int) -> str:
    assert process.stdout
    head = process.stdout.readline()
    assert head == "ready\n", (head, process.communicate())
    process.send_signal(number)
    return head


def files_in(room: Path) -> dict[str, str]:
    """Show the files of a folder: their permissions, and what is in those that are text."""
    shown = {}
    for path in sorted(room.rglob("*")):
        name, mode = alike(str(path.relative_to(room))), f"{path.lstat().st_mode:o}"
        try:
            is_text = path.is_file() and not path.name.endswith((".pyc", ".cover"))
            shown[name] = f"{mode} {alike(path.read_text('utf-8')) if is_text else ''}"
        except (OSError, UnicodeDecodeError):
            shown[name] = mode
    return shown


def alike(text: str) -> str:
    """Put the same in the place of what differs between any two runs."""
    for pattern, same in VARYING:
        text = re.sub(pattern, same, text)
    return text


def without_log(text: str) -> tuple[str, tuple[str, ...]]:
    """Take what the recorder logs out of a program's stderr; return the rest, and the slugs."""
    return LOGGED.sub("", text), tuple(LOGGED.findall(text))
