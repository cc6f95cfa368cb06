"""The tutorial, as somebody who follows it runs it: each file is written, each command typed, each output compared."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port, needs_proc, wait_for

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"(?:`([\w./]+)`[^`]*\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALLED = """\
$ mkdir shop-project && cd shop-project
$ python3 -m venv .venv && . .venv/bin/activate
$ pip install pytest-vmpilot-cov
"""
"""What the tests' own environment stands for."""
PORT = "8765"
END = "-- end of output --"
DIFFERS = (
    (r"\d+\.\d s\b", "N s"),
    (r"pid \d+", "pid N"),
    (r"^\d+ +pipeline +recording +\d+ +[-\d]+ [:\d]+", "N pipeline recording N WHEN"),
    (r"ctrace|sysmon", "CORE"),
    (r" +", " "),
)
"""What differs from the page each time, and what stands for it."""

pytestmark = pytest.mark.skipif(
    not (PAGE.exists() and shutil.which("curl")), reason="curl or the documentation is missing"
)


def typed(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a block with the output shown below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def alike(text: str) -> str:
    """Return an output without what differs each time: pids, moments, ages, widths."""
    for differs, meant in DIFFERS:
        text = re.sub(differs, meant, text, flags=re.MULTILINE)
    return text


def agree(shown: str, output: str) -> bool:
    """Tell whether an output is the one that the page shows, where a line of dots stands for any lines."""
    parts = re.split(r"^\.\.\.\n", alike(shown), flags=re.MULTILINE)
    return bool(re.fullmatch("(?:.*\n)*?".join(map(re.escape, parts)), alike(output)))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a shell in an empty folder, and end what it started."""
    words = ["bash", "--norc"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        if process.poll() is None and process.stdin:
            process.stdin.write("kill %1\nwait\n")


def run(shell: subprocess.Popen[str], command: str) -> str:
    """Type a command; return what it prints."""
    assert shell.stdin
    assert shell.stdout
    # in a group of its own, so that the exit code is still that of the command
    shell.stdin.write(f"{command}\ncode=$?; echo '{END}'; (exit $code)\n")
    shell.stdin.flush()
    output = ""
    for line in iter(shell.stdout.readline, f"{END}\n"):
        assert line, output
        output += line
    return output


def follow(shell: subprocess.Popen[str], command: str, shown: str) -> None:
    """Type a command as somebody does who reads on first: the server that it may need has come up by then."""
    outputs: list[str] = []

    def as_shown() -> bool:
        outputs.append(run(shell, command))
        return agree(shown, outputs[-1])

    if command == "vmpilot-cov status":
        wait_for(as_shown, lambda: outputs[-1])
    else:
        assert as_shown(), f"$ {command}\n{outputs[-1]}"


@needs_proc
def test_the_tutorial_does_what_it_says(shell: subprocess.Popen[str], tmp_path: Path) -> None:
    """Every file of the tutorial is written, every command run in its order, and each prints what is shown below it."""
    port = str(free_port())
    for name, language, block in BLOCK.findall(PAGE.read_text("utf-8")):
        if block == INSTALLED:
            continue
        if language != "console":
            assert name
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.replace(PORT, port))
            continue
        for command, shown in typed(block):
            follow(shell, command.replace(PORT, port), shown.replace(PORT, port))
