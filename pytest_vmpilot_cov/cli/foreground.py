"""Run a command to its end: signals, terminal and exit code pass through, and nobody is left unreaped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from pytest_vmpilot_cov.messages import UsageError, say

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_KERNEL = 0x80
"""``SI_KERNEL``: Linux's word for a signal that the terminal has sent, to the command as well."""
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


@contextmanager
def holding_signals() -> Iterator[set[signal.Signals]]:
    """Hold the signals that ask to end until somebody waits for them; give the mask that was there before."""
    ignored = {number for number in PASSED_ON if signal.getsignal(number) is signal.SIG_IGN}  # nohup's SIGHUP stays so
    held = {*PASSED_ON, signal.SIGCHLD} - ignored
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield {signal.Signals(number) for number in before}
    finally:
        while pending := signal.sigpending() & held:  # the command has ended: there is nobody to pass them on to
            signal.sigwait(pending)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_command(command: Sequence[str], environment: Mapping[str, str], mask: set[signal.Signals]) -> int:
    """Run a command to its end, while signals are held; return its exit code, negative for the signal that ended it.

    Args:
        command: the words of the command.
        environment: all of its environment.
        mask: the signals that it begins with blocked.

    Raises:
        UsageError: when it cannot be started.
    """
    try:
        pid = os.posix_spawnp(
            command[0], list(command), dict(environment), setsigmask=mask, setsigdef=_IGNORED_BY_PYTHON
        )
    except OSError as error:
        raise UsageError(say("command-not-received", command=command[0], why=error.strerror)) from None
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ()) - mask
    while True:
        number = _next_signal(held)
        if number != signal.SIGCHLD:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        elif (status := _reap(pid)) is not None:
            return os.waitstatus_to_exitcode(status)


def end_alike(code: int) -> int:
    """End as the command ended: return its exit code, or end by the signal that ended it, if that is possible."""
    if code >= 0:
        return code
    if -code in PASSED_ON and os.getpid() != 1:
        signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    return 128 - code


def _next_signal(held: set[signal.Signals | int]) -> int:
    """Wait for a signal that is to be passed on, or for a child.

    A terminal sends Ctrl-C to the command as well: twice would be "at once" to many servers.
    """
    while True:
        if hasattr(signal, "sigwaitinfo"):
            received = signal.sigwaitinfo(held)
            if received.si_signo == signal.SIGCHLD or received.si_code != _FROM_KERNEL:
                return int(received.si_signo)
        else:  # macOS does not tell who has sent it
            number = signal.sigwait(held)
            if number != signal.SIGINT or not os.isatty(0):
                return int(number)


def _reap(pid: int) -> int | None:
    """Reap every child that has ended, as process 1 of a container has to; return the status of *pid* if it is one."""
    status: int | None = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = ended[1] if ended[0] == pid else status
    return status
