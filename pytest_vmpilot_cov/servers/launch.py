"""Start a server, wait until it answers, and end it with all that it has started."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.servers.ports import is_taken, listeners_at
from pytest_vmpilot_cov.servers.readiness import Readiness
from pytest_vmpilot_cov.servers.stop import GRACE_S, STOP_S, end_server, family_of

TAIL_LINES = 20
"""How much of its output is shown of a server that did not come up."""
_PAUSE_S = 0.05
# ``read`` gets a word if the server was stopped in order, and the end of its input if the starter is gone
_GUARD = """
read -r word && exit
kill -s TERM "$1"
for second in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 -- "-$1" || exit; sleep 1; done
kill -s KILL -- "-$1"
"""
"""Ends the server of a process that is gone: killed, ended by ``os._exit``, or by SIGTERM as CI does. Its standard
input closes with that process."""


class LaunchError(Exception):
    """A server that did not come up; the text says what was waited for and what happened instead."""


class PipelineServerWarning(UserWarning):
    """A pipeline server did not end as it should."""


class PipelineServer:
    """A server that was started, with its children."""

    def __init__(self, process: subprocess.Popen[bytes], readiness: Readiness, log: Path) -> None:
        """Take care of a process that leads a session of its own."""
        self.process = process
        """The process that was started."""
        self.url = readiness.url
        """Its address, such as ``http://127.0.0.1:9099``."""
        self.port = readiness.port
        self.log = log
        """The file with all that it prints."""
        self._command = shlex.join(map(str, process.args))  # type: ignore[arg-type]  # launch gives a list of words
        self._was_ended = False
        self._guard: subprocess.Popen[bytes] | None = _start_guard(process.pid)

    def __repr__(self) -> str:
        """Show it as assertions print it."""
        return f"<PipelineServer {self.url}, pid {self.process.pid}: {self._command}>"

    @property
    def output(self) -> str:
        """All that the server has printed until now."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """End the server with SIGTERM, and by force what has not ended in time; return its exit code.

        It warns of a server that had ended by itself with any exit code but 0. Stopping it again does nothing.
        """
        # before the end, after which the code may be that of our own signal
        code = None if self._was_ended else self.process.poll()
        in_time = self.end()  # before any warning, which may be an error
        if code:
            self._warn(say("server-ended", command=self._command, how=_ending(code), log=self.log))
        if not in_time:
            self._warn(say("server-killed", command=self._command, limit=f"{STOP_S + GRACE_S:g}"))
        return self.process.wait()

    def end(self) -> bool:
        """End the server; return whether all of it ended without being killed."""
        self._was_ended = True
        in_time = True
        if self._guard is not None:
            in_time = end_server(self.process)
            # last: until the server has ended, the guard still watches this process
            self._guard.communicate(b"it has ended\n")
            self._guard = None
        return in_time

    def wait_until_up(self, readiness: Readiness, *, was_taken: bool) -> None:
        """Wait until the server has reached its readiness.

        Args:
            readiness: what is waited for.
            was_taken: whether somebody listened at its port before it was started.

        Raises:
            LaunchError: when it has ended, the time is over, or somebody else answers in its place.
        """
        begun = time.monotonic()
        left_s, problem = readiness.timeout_s, "not tried"
        while problem and left_s > 0 and self.process.poll() is None:
            problem = readiness.probe(left_s)
            if problem:
                time.sleep(_PAUSE_S)
            left_s = begun + readiness.timeout_s - time.monotonic()
        # an answer is no proof: an orphan of an earlier server may hold the port
        stranger = self._stranger(was_taken=was_taken)  # whose port it is explains an end, too
        if stranger:
            raise LaunchError(say("server-not-ours", command=self._command, url=self.url, who=stranger))
        if problem or self.process.poll() is not None:
            raise LaunchError(self._why_not_up(readiness, problem or "answered", readiness.timeout_s - left_s))

    def _why_not_up(self, readiness: Readiness, problem: str, waited_s: float) -> str:
        code = self.process.poll()
        return say(
            "server-not-up",
            command=self._command,
            state="was still running" if code is None else _ending(code),
            waited=f"{waited_s:.1f}",
            readiness=readiness,
            limit=f"{readiness.timeout_s:g}",
            problem=problem,
            log=self.log,
            output="\n".join(self.output.splitlines()[-TAIL_LINES:]) or "(nothing)",
        )

    def _stranger(self, *, was_taken: bool) -> str:
        """Say which process outside the server listens at its port, as far as the system tells; empty for none."""
        listening = listeners_at(self.port)
        if not listening:  # without /proc, or another user's
            return "another process" if was_taken else ""
        family = family_of(self.process.pid)
        ours = {address for pid in family for address in listening.get(pid, ())}
        # another address with the same port is no conflict
        strangers = [pid for pid, at in listening.items() if pid not in family and (at & ours or not ours)]
        return f"process {min(strangers)} ({_command_of(min(strangers))})" if strangers else ""

    @staticmethod
    def _warn(text: str) -> None:
        warnings.warn(text, PipelineServerWarning, stacklevel=3)


def launch(
    command: Sequence[str], until: Readiness, *, folder: Path | str, environment: Mapping[str, str], log: Path
) -> PipelineServer:
    """Start a server in a session of its own, and wait until it is up; if it does not come up, nothing of it stays.

    Args:
        command: its words.
        until: what it has to do to count as up.
        folder: where it runs.
        environment: all of its variables.
        log: the file for all that it prints.

    Raises:
        LaunchError: when it does not come up.
    """
    if not hasattr(os, "killpg"):
        raise LaunchError(say("launch-unsupported", command=shlex.join(command)))
    was_taken = is_taken(until.port)
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the project's own server
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # stop.py tells by it what belongs to the server
            )
    except OSError as error:
        why = f"{error.strerror}: {error.filename}"  # the program, or the folder
        raise LaunchError(say("command-not-found", command=shlex.join(command), why=why)) from None
    server = PipelineServer(process, until, log)
    try:
        server.wait_until_up(until, was_taken=was_taken)
    except BaseException:  # Ctrl-C while it waits, too
        server.end()
        raise
    return server


def _start_guard(pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a few commands of ours
        ["/bin/sh", "-c", _GUARD, "guard", str(pid)],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):  # a real-time signal has no name
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def _command_of(pid: int) -> str:
    """Show the command line of any process."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "?"
    return " ".join(words).strip()
