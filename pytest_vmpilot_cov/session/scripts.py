"""E2E shell scripts as tests: each script that ``[vmpilot_cov] e2e_scripts`` names is one pytest item."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.options.options import config_of_session, listed
from pytest_vmpilot_cov.servers.stop import end_session
from server_hook.config.files import locate, read_own_section
from server_hook.problems import HookError
from server_hook.systems.systems import system

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

TIMEOUT_S = 300.0
"""How long a script may take unless ``script_timeout_s`` says otherwise."""
NOT = "!"
"""How a pattern begins that takes scripts out again."""


class HowToRun(Value):
    """How each script is run."""

    folder: Path
    """The working folder."""
    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    """Variables beside those of this process."""
    timeout_s: float = TIMEOUT_S


class Scripts(Value):
    """Which shell scripts are tests, and how they are run."""

    folder: Path
    """What the patterns are read against."""
    how: HowToRun
    patterns: tuple[str, ...] = ()

    def collect(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Make a test of the file at *path* if it is one of the scripts."""
        return ScriptFile.from_parent(parent, path=path, how=self.how) if self._has(path) else None

    def join_testpaths(self, config: pytest.Config) -> None:
        """Let a run of ``testpaths`` collect the scripts too, wherever they are; typed paths decide for themselves."""
        if config.args_source != pytest.Config.ArgsSource.TESTPATHS:
            return
        collected = [config.rootpath / arg for arg in config.args]
        # below a testpath it is collected anyway
        outside = (path for path in self.paths() if not any(path.is_relative_to(place) for place in collected))
        config.args.extend(map(str, outside))

    def paths(self) -> Iterator[Path]:
        """Find all scripts."""
        for pattern in self.patterns:
            for path in sorted(self.folder.glob(_relative(pattern))) if not pattern.startswith(NOT) else ():
                if self._has(path):
                    yield path

    def _has(self, path: Path) -> bool:
        """Tell whether a file is one of the scripts; the last pattern that matches decides."""
        matching = [each for each in self.patterns if fnmatch(str(path), str(self.folder / _relative(each)))]
        return bool(matching) and not matching[-1].startswith(NOT)


def _relative(pattern: str) -> str:
    return pattern.removeprefix(NOT).removeprefix("./")


def find_scripts(config: pytest.Config) -> Scripts:
    """Read which scripts are tests; this counts with and without ``--vmpilot-cov``.

    Raises:
        pytest.UsageError: when a setting has no meaning.
    """
    try:
        config_file, folder = locate(config_of_session(config.rootpath, str(config.getoption("cov_config"))))
        own = read_own_section(config_file)
    except (HookError, UsageError):  # reported by the session that measures with this configuration
        return Scripts(config.rootpath, HowToRun(config.rootpath))
    try:
        how = HowToRun(
            _folder(own, Path(folder), config.rootpath), _arguments(own), tuple(_variables(own)), _timeout_s(own)
        )
    except _SettingError as error:
        name, wanted = error.args
        text = say("setting-invalid", name=name, value=" ".join(own[name].split()), where=config_file, wanted=wanted)
        raise pytest.UsageError(text) from None
    return Scripts(Path(folder), how, tuple(listed(own.get("e2e_scripts", ""))))


class _SettingError(Exception):
    """A setting that cannot be used: its name, and what is wanted in place of its value."""


def _folder(own: Mapping[str, str], folder: Path, root: Path) -> Path:
    text = own.get("e2e_scripts_cwd", "").strip()
    path = folder / Path(text).expanduser() if text else root
    if not path.is_dir():
        raise _SettingError("e2e_scripts_cwd", f"a folder ({path} is none)")
    return path


def _arguments(own: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return tuple(system.split_words(own.get("e2e_scripts_args", "")))
    except ValueError as error:
        raise _SettingError("e2e_scripts_args", f"words as in a shell: {error}") from None


def _variables(own: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for line in filter(None, map(str.strip, own.get("e2e_scripts_env", "").splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise _SettingError("e2e_scripts_env", "a list of NAME=VALUE, one a line")
        yield name.strip(), value.strip()


def _timeout_s(own: Mapping[str, str]) -> float:
    try:
        seconds = float(own.get("script_timeout_s", TIMEOUT_S))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise _SettingError("script_timeout_s", "a number of seconds above 0")
    return seconds


class ScriptError(Exception):
    """A script that did not exit with 0."""


class ScriptFile(pytest.File):
    """A shell script, seen as a test file with one test."""

    def __init__(self, *, how: HowToRun, **kwargs: Any) -> None:  # noqa: ANN401 - pytest's own
        """Take what pytest gives to a file, and how the script is run."""
        super().__init__(**kwargs)
        self._how = how

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the script's one test."""
        item = ScriptItem.from_parent(self, name=self.path.name, how=self._how)
        item.add_marker("e2e")  # takes precedence over the path, which need not be below an e2e folder
        yield item


class ScriptItem(pytest.Item):
    """A run of the script: it passes on exit 0."""

    def __init__(self, *, how: HowToRun, **kwargs: Any) -> None:  # noqa: ANN401 - pytest's own
        """Take what pytest gives to an item, and how the script is run."""
        super().__init__(**kwargs)
        self._how = how

    def runtest(self) -> None:
        """Run the script in a session of its own, and show what it printed if it fails.

        Raises:
            ScriptError: when it exits with another code, or does not end in time.
        """
        with tempfile.TemporaryFile() as output:  # a pipe would fill up, and the script would wait for a reader
            process = self._start(output.fileno())
            try:
                code: int | None = process.wait(self._how.timeout_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                end_session(process)  # also what a finished script left running in the background
            output.seek(0)
            text = output.read().decode(errors="replace")
        if code == 0:
            self.add_report_section("call", "output", text)
            return
        what = f"did not end within {self._how.timeout_s:g} s" if code is None else f"exited with {code}"
        raise ScriptError(f"{self.path.name} {what}; it printed:\n{text or '(nothing)'}")

    def repr_failure(  # type: ignore[override]  # the style is the terminal's business
        self, excinfo: pytest.ExceptionInfo[BaseException], **_: object
    ) -> str | TerminalRepr:
        """Show a failed script by what it printed, without a traceback of ours."""
        if isinstance(excinfo.value, ScriptError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        """Name the script in reports; a name that its node id ends with would make pytest print another node id."""
        return self.path, None, f"script {self.name}"

    def _start(self, output: int) -> subprocess.Popen[bytes]:
        runnable = os.access(self.path, os.X_OK)
        command = [*([] if runnable else ["bash"]), str(self.path), *self._how.arguments]
        try:
            return subprocess.Popen(  # noqa: S603 - the project's own script
                command,
                cwd=self._how.folder,
                env={**os.environ, **dict(self._how.variables)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # end_session tells by it what the script started
            )
        except OSError as error:
            raise ScriptError(f"{self.path} cannot be run: {error.strerror}; see its first line") from error
