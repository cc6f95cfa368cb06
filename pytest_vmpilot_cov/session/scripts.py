"""E2E shell scripts as tests: each script that ``[vmpilot_cov] e2e_scripts`` names is one pytest item."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.options.options import config_of_session, listed
from pytest_vmpilot_cov.servers.stop import end_session
from server_hook.config.files import locate, read_own_section
from server_hook.problems import HookError

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

TIMEOUT_S = 300.0
"""How long a script may take unless ``script_timeout_s`` says otherwise."""


@dataclass(frozen=True)
class Scripts:
    """Which shell scripts are tests, and how long each may take."""

    folder: Path
    """What the patterns are read against."""
    patterns: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S

    def collect(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Make a test of the file at *path* if it is one of the scripts."""
        if not any(fnmatch(str(path), str(self.folder / pattern.removeprefix("./"))) for pattern in self.patterns):
            return None
        file: ScriptFile = ScriptFile.from_parent(parent, path=path)
        file.timeout_s = self.timeout_s
        return file

    def join_testpaths(self, config: pytest.Config) -> None:
        """Let a run of ``testpaths`` collect the scripts too, wherever they lie; a path that is typed decides."""
        if config.args_source != pytest.Config.ArgsSource.TESTPATHS:
            return
        collected = [config.rootpath / arg for arg in config.args]
        for pattern in self.patterns:
            for path in sorted(self.folder.glob(pattern.removeprefix("./"))):
                if not any(path.is_relative_to(place) for place in collected):
                    config.args.append(str(path))


def find_scripts(config: pytest.Config) -> Scripts:
    """Read which scripts are tests; this counts with and without ``--vmpilot-cov``.

    Raises:
        pytest.UsageError: when a setting has no meaning.
    """
    try:
        config_file, folder = locate(config_of_session(config.rootpath, str(config.getoption("cov_config"))))
        own = read_own_section(config_file)
    except (HookError, UsageError):  # whoever measures with this configuration will say so
        return Scripts(config.rootpath)
    patterns = tuple(listed(own.get("e2e_scripts", "")))
    return Scripts(Path(folder), patterns, _timeout_s(own, config_file))


def _timeout_s(own: Mapping[str, str], config_file: str) -> float:
    text = own.get("script_timeout_s", str(TIMEOUT_S)).strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        what = "a number of seconds above 0"
        raise pytest.UsageError(
            say("setting-invalid", name="script_timeout_s", value=text, where=config_file, wanted=what)
        )
    return seconds


class ScriptError(Exception):
    """A script that did not exit with 0."""


class ScriptFile(pytest.File):
    """A shell script, seen as a test file with one test."""

    timeout_s: float

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the script's one test."""
        item = ScriptItem.from_parent(self, name=self.path.name)
        item.timeout_s = self.timeout_s
        item.add_marker("e2e")
        yield item


class ScriptItem(pytest.Item):
    """A run of the script: it passes on exit 0."""

    timeout_s: float

    def runtest(self) -> None:
        """Run the script in the rootdir, in a session of its own, and show what it printed if it fails.

        Raises:
            ScriptError: when it exits with another code, or does not end in time.
        """
        with tempfile.TemporaryFile() as output:
            process = self._start(output.fileno())
            try:
                code: int | None = process.wait(self.timeout_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                end_session(process)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if code == 0:
            self.add_report_section("call", "output", text)
            return
        what = f"did not end within {self.timeout_s:g} s" if code is None else f"exited with {code}"
        raise ScriptError(f"{self.path.name} {what}; it printed:\n{text or '(nothing)'}")

    def repr_failure(  # type: ignore[override]  # the style is the terminal's business
        self, excinfo: pytest.ExceptionInfo[BaseException], **_: object
    ) -> str | TerminalRepr:
        """Show a failed script by what it printed, without a traceback of ours."""
        if isinstance(excinfo.value, ScriptError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Name the script in reports."""
        return self.path, None, self.name

    def _start(self, output: int) -> subprocess.Popen[bytes]:
        runnable = os.access(self.path, os.X_OK)
        command = [str(self.path)] if runnable else ["bash", str(self.path)]
        try:
            return subprocess.Popen(  # noqa: S603 - the project's own script
                command,
                cwd=self.config.rootpath,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ScriptError(f"{self.path} cannot be run: {error.strerror}; see its first line") from error
