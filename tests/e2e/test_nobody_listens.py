"""The exit code is the verdict's, also where the reader of the output has gone away: ``vmpilot-cov ... | head -1``."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.conftest import Project
from tests.e2e.conftest import session


def code_unheard(app: Project, *words: str, unbuffered: bool) -> int:
    """Run the command with both of its streams in pipes that nobody reads; return its exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    try:
        return subprocess.run(
            ["vmpilot-cov", *words],
            cwd=app.path,
            env=environment,
            stdout=writer,
            stderr=writer,
            timeout=180,
            check=False,
        ).returncode
    finally:
        os.close(writer)


@pytest.mark.parametrize("unbuffered", [True, False], ids=["unbuffered", "buffered"])
def test_the_exit_code_stands_when_nobody_listens(app: Project, unbuffered: bool) -> None:  # noqa: FBT001
    """Every verb that judges or checks exits as it does for a reader, whether its lines are buffered or not."""
    assert session(app).returncode == 0
    assert code_unheard(app, "combine", "-f", "99", unbuffered=unbuffered) == 1
    assert code_unheard(app, "combine", "-f", "10", unbuffered=unbuffered) == 0
    assert code_unheard(app, "combine", "-f", "10", "/nowhere", unbuffered=unbuffered) == 2
    assert code_unheard(app, "report", "-f", "99", "--cov-report=term-missing", unbuffered=unbuffered) == 1
    assert code_unheard(app, "report", "-f", "10", unbuffered=unbuffered) == 0
    assert code_unheard(app, "dump", "/nowhere", unbuffered=unbuffered) == 1
    assert code_unheard(app, "status", unbuffered=unbuffered) == 0
    assert code_unheard(app, "combine", "--config=/nowhere", unbuffered=unbuffered) == 2
    assert code_unheard(app, "doctor", "--", "python", "-S", "x.py", unbuffered=unbuffered) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_the_exit_code_stands_where_the_disk_is_full(app: Project) -> None:
    """Output that cannot be written is one line of the error stream, and the verdict's code stands."""
    assert session(app).returncode == 0
    for words, code in ((("report", "-f", "10"), 0), (("combine", "-f", "99"), 1)):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                ["vmpilot-cov", *words], cwd=app.path, stdout=full, stderr=subprocess.PIPE, timeout=180, check=False
            )
        lines = done.stderr.decode().splitlines()
        assert (done.returncode, lines) == (code, ["vmpilot-cov: its output is incomplete: No space left on device"])
