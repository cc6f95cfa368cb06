"""What the fixtures give: servers that are started for the tests, and the variables that make a server record."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.options.options import config_of_session
from pytest_vmpilot_cov.servers.command import PORT, port_of, split_command
from pytest_vmpilot_cov.servers.launch import LaunchError, PipelineServer, PipelineServerWarning, launch
from pytest_vmpilot_cov.servers.readiness import PATIENCE_S, Readiness
from server_hook.config.files import locate, read_own_section
from server_hook.environment import ORIGIN_VARIABLE
from server_hook.problems import HookError

__all__ = ["PipelineServer", "PipelineServerWarning", "PipelineServers"]

_NO_VARIABLES: Mapping[str, str] = {}


class PipelineServers:
    """The servers of one pytest process; call it to start one more."""

    def __init__(self, config: pytest.Config, logs: Path, variables: Mapping[str, str]) -> None:
        """Start nothing yet.

        Args:
            config: pytest's.
            logs: the folder for what the servers print.
            variables: what makes them record themselves; empty for servers that are not measured.
        """
        self._config = config
        self._logs = logs
        self._variables = variables
        self._started = 0
        self._stack = ExitStack()

    def __call__(  # noqa: PLR0913 - as subprocess.Popen: one keyword a property of the process
        self,
        command: str | Sequence[str | os.PathLike[str]] = "",
        *,
        port: int | None = None,
        path: str | None = "/",
        timeout_s: float = PATIENCE_S,
        cwd: str | os.PathLike[str] = "",
        env: Mapping[str, str] = _NO_VARIABLES,
    ) -> PipelineServer:
        """Start a server, and wait until it answers; it runs until its ``stop()`` or the end of the session.

        Args:
            command: its words, or all of them in one string; without any, the configuration's ``server_command``.
                ``{port}`` in it, or in *env*, becomes a free port.
            port: the port at which it will listen, if the command does not say it.
            path: requested by HTTP until an answer comes; None waits for a TCP connection only.
            timeout_s: how many seconds it may take until then.
            cwd: its working folder, below pytest's rootdir unless it is absolute; the rootdir itself by default.
            env: variables beside those of this process.
        """
        try:
            words = split_command(command) if command else self._configured_command()
            place = port_of(words, env.values(), port)
            words = [word.replace(PORT, str(place)) for word in words]
            more = {name: value.replace(PORT, str(place)) for name, value in env.items()}
            self._started += 1  # before the launch: a server that fails keeps its log
            server = launch(
                words,
                Readiness(place, path if path is None else f"/{path.removeprefix('/')}", timeout_s),
                folder=self._config.rootpath / cwd,
                environment=self._environment(more),
                log=self._logs / f"server-{self._started}.log",
            )
        except (LaunchError, UsageError, HookError) as error:
            pytest.fail(str(error), pytrace=False)  # a user's mistake is no traceback of ours
        self._stack.callback(server.stop)
        return server

    def close(self) -> None:
        """Stop every server that still runs, the last one first."""
        self._stack.close()

    def _configured_command(self) -> list[str]:
        """Return the words of ``server_command``, with and without ``--vmpilot-cov``.

        Raises:
            UsageError: when there is none, or it cannot be used.
            HookError: when the configuration cannot be read.
        """
        config_file, folder = locate(
            config_of_session(self._config.rootpath, str(self._config.getoption("cov_config")))
        )
        where = config_file or folder
        words = split_command(read_own_section(config_file).get("server_command", ""), where)
        if not words:
            example = f'pipeline_server("python -m uvicorn main:app --port {PORT}")'
            raise UsageError(
                say("server-command-missing", who="pipeline_server needs a command", example=example, where=where)
            )
        return words

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Add variables to those of this process."""
        environment = {**os.environ, **self._variables, **more}
        if self._variables:  # last: *more* may be a copy of os.environ, with the origin of the test in it
            environment[ORIGIN_VARIABLE] = self._variables[ORIGIN_VARIABLE]
        return environment
