"""Run a command to its end on Windows, where the console itself sends Ctrl-C and Ctrl-Break to the command, too."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pytest_vmpilot_cov.messages import UsageError, say

_EVENTS = [getattr(signal, name) for name in ("SIGINT", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def holding_signals() -> Iterator[set[signal.Signals]]:
    """Leave the console's signals to the command, and outlive it to publish; there is no mask."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _EVENTS}
    try:
        yield set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_command(command: Sequence[str], environment: Mapping[str, str], _mask: set[signal.Signals]) -> int:
    """Run a command to its end; return its exit code.

    Args:
        command: the words of the command.
        environment: all of its environment.

    Raises:
        UsageError: when it cannot be started.
    """
    program = shutil.which(command[0]) or command[0]  # Windows itself looks for .exe alone, not for .cmd
    try:
        process = subprocess.Popen([program, *command[1:]], env=environment)  # noqa: S603 - the user's own command
    except OSError as error:
        raise UsageError(say("command-not-found", command=command[0], why=error.strerror)) from None
    return process.wait()


def end_alike(code: int) -> int:
    """Return the command's exit code as ``sys.exit`` takes it: codes of Windows such as 0xC000013A are signed there."""
    return code - (1 << 32) if code >= 1 << 31 else code
