"""The command line of a server: its words, and its port."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Iterable, Sequence

from pytest_vmpilot_cov.messages import UsageError, say
from server_hook.systems.systems import system

PORT = "{port}"
"""The placeholder in a command, or in a variable, for the port of the server."""


def split_command(command: str | Sequence[str | os.PathLike[str]], where: str = "") -> list[str]:
    """Split a server's command into words; its ``python`` is the one that runs this.

    Args:
        command: the words, or all of them in one string as in a shell.
        where: the configuration whose ``server_command`` it is; empty for none.

    Raises:
        UsageError: when it cannot be split.
    """
    try:
        words = system.split_words(command) if isinstance(command, str) else [os.fspath(word) for word in command]
    except ValueError as error:
        if where:
            text = say("setting-invalid", name="server_command", value=command, where=where, wanted=error)
        else:
            text = say("server-command-invalid", command=command, why=error)
        raise UsageError(text) from None
    return [sys.executable, *words[1:]] if words[:1] in (["python"], ["python3"]) else words


def port_of(words: Sequence[str], variables: Iterable[str], port: int | None) -> int:
    """Decide at which port a server will listen: the one given, else a free one or the one in the command.

    Args:
        words: the command.
        variables: the values of the variables that are set for it.
        port: the port that the caller gives, if any.

    Raises:
        UsageError: when nothing says it.
    """
    if port is not None:
        return port
    if any(PORT in text for text in (*words, *variables)):
        return free_port()
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, _, attached = word.partition("=")
        if option == "--port" and (attached or following).isdecimal():
            return int(attached or following)
    raise UsageError(say("server-port-unknown", command=shlex.join(words)))


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    # another process may take it before the server does; the launch then names the stranger
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
