"""Run a command to its end: signals, terminal and exit code pass through, and every child is reaped.

SIGTERM ends all that the command has started, by the rules of the fixture ``pipeline_server``: a server behind a shell
script does not go on when the script has ended.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.servers.stop import STOP_S, end_descendants, family_of

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_ASK_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_PR_SET_CHILD_SUBREAPER = 36
_FROM_KERNEL = 0x80
"""``SI_KERNEL``: how Linux marks a signal from the terminal, which the command receives, too."""
_LONGEST_S = 3600.0
"""Some clocks of the system refuse longer waits."""
# Python ignores these from its start, and a child would inherit that
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


@contextmanager
def holding_signals() -> Iterator[set[signal.Signals]]:
    """Hold the signals that are passed on until they are waited for; give the mask that was there before."""
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

    What it has started is ended with it where it ends by a signal, or after one that was passed on.

    Args:
        command: the words of the command.
        environment: all of its environment.
        mask: the signals that it begins with blocked.

    Raises:
        UsageError: when it cannot be started.
    """
    _adopt_orphans()
    try:
        pid = os.posix_spawnp(
            command[0], list(command), dict(environment), setsigmask=mask, setsigdef=_IGNORED_BY_PYTHON
        )
    except OSError as error:
        raise UsageError(say("command-not-found", command=command[0], why=error.strerror)) from None
    # blocking nothing returns the current mask; what was blocked before is not ours to wait for
    held = signal.pthread_sigmask(signal.SIG_BLOCK, ()) - mask
    status, was_asked_to_end, until, family = None, False, math.inf, set[int]()
    while status is None and time.monotonic() < until:
        number = _next_signal(held, until)
        if number == signal.SIGCHLD:
            status = _reap(pid)
        elif number is not None:
            if number in _ASK_TO_END:
                was_asked_to_end, family = True, family | family_of(os.getpid(), with_session=False)
            if number == signal.SIGTERM:
                until = min(until, time.monotonic() + STOP_S)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    # without a status the time after SIGTERM is over: this ends the command, too, for the wait below
    if was_asked_to_end or (status is not None and os.WIFSIGNALED(status)):
        end_descendants(os.getpid(), family)
    if status is None:
        os.kill(pid, signal.SIGKILL)  # it may be a zombie already; where no list of processes is to be had, it isn't
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1] if status is None else status)


def end_alike(code: int) -> int:
    """End as the command ended: return its exit code, or end by the signal that ended it, if that is possible."""
    if code >= 0:
        return code
    if -code in PASSED_ON and os.getpid() != 1:  # the kernel drops unhandled signals to process 1
        signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        os.kill(os.getpid(), -code)
    return 128 - code  # 128 + number, as shells report it: the code is the negative number


def _adopt_orphans() -> None:
    """Become the parent of all that the command starts and leaves, as process 1 of a container is; on Linux."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _next_signal(held: set[signal.Signals | int], until: float) -> int | None:
    """Wait for a signal that is to be passed on, or for a child; None when the time is over."""
    while True:
        if hasattr(signal, "sigtimedwait"):
            received = signal.sigtimedwait(held, max(0.0, min(until - time.monotonic(), _LONGEST_S)))
            if received is None:
                return None
            # the terminal sends Ctrl-C to the command, too: a second one means "at once" to many servers
            if received.si_signo == signal.SIGCHLD or received.si_code != _FROM_KERNEL:
                return int(received.si_signo)
        else:  # macOS does not tell who has sent it
            number = _wait_without_limit(held, until)
            if number != signal.SIGINT or not os.isatty(0):
                return int(number)


def _wait_without_limit(held: set[signal.Signals | int], until: float) -> int:
    """Wait for a signal where the system has no limit for that; when the time is over, as if a child had ended."""
    from threading import Timer

    rest = max(0.0, min(until - time.monotonic(), _LONGEST_S))
    timer = Timer(rest, os.kill, (os.getpid(), signal.SIGCHLD))
    timer.daemon = True
    timer.start()
    try:
        return int(signal.sigwait(held))
    finally:
        timer.cancel()


def _reap(pid: int) -> int | None:
    """Reap every child that has ended, as process 1 of a container has to; return the status of *pid* if it is one."""
    status: int | None = None
    with suppress(ChildProcessError):
        # a loop: signals do not queue, so one SIGCHLD may stand for several children
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = ended[1] if ended[0] == pid else status
    return status
