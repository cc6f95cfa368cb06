"""Run a command with recording on: signals, terminal and exit code pass through."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.options import OptionError
from pytest_vmpilot_cov.verdict import publish_tests
from server_hook import announce, publish
from server_hook.startup import DATA_DIR_VARIABLE, FOREIGN_VARIABLES, ORIGIN_VARIABLE, SESSION_VARIABLE, VARIABLE

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(options: Options, command: Sequence[str]) -> int:
    """Run a server with its recording on as ``pipeline``; publish its data when it has ended; return its exit code."""
    data_folder = os.path.abspath(os.environ.get(DATA_DIR_VARIABLE) or options.settings.folder)
    return _run_recorded(options, command, "pipeline", Path(data_folder))


def run(options: Options, origin: str, command: Sequence[str]) -> int:
    """Run a command whose Python processes count as *origin*; publish and return its exit code."""
    return _run_recorded(options, command, origin, options.data_folder)


def configured_command(options: Options) -> list[str]:
    """Return the configuration's ``server_command``; its ``python`` is the one that runs this.

    Raises:
        OptionError: when there is none, or it cannot be split into words.
    """
    settings = options.settings
    where = settings.config_file or settings.folder
    try:
        words = shlex.split(settings.server_command)
    except ValueError as error:
        text = say("setting-invalid", name="server_command", value=settings.server_command, where=where, wanted=error)
        raise OptionError(text) from None
    if not words:
        raise OptionError(say("server-command-missing", where=where))
    return [sys.executable, *words[1:]] if words[0] in ("python", "python3") else words


def _run_recorded(options: Options, command: Sequence[str], origin: str, data_folder: Path) -> int:
    environment = {
        **{name: value for name, value in os.environ.items() if name not in (*FOREIGN_VARIABLES, SESSION_VARIABLE)},
        VARIABLE: options.settings.config_file or options.settings.folder,
        ORIGIN_VARIABLE: origin,
    }
    begun = time.time()
    code = run_command(command, environment)
    try:
        if not any(_recorded_since(begun, data_folder)):
            program = os.path.basename(command[0])
            print(f"vmpilot-cov: {say('nothing-recorded', program=program, folder=data_folder)}", file=sys.stderr)
        elif origin == "pipeline":
            publish.publish_pipeline(str(data_folder), options.settings.relative_to)
        else:
            publish_tests(options)
    except OSError as error:
        print(f"vmpilot-cov: {say('cannot-write', path=data_folder, why=error.strerror or error)}", file=sys.stderr)
    return _end_alike(code)


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; return its exit code, negative for the signal that ended it.

    Raises:
        OptionError: when it cannot be started.
    """
    with _passing_signals_on() as passing:
        try:
            process = subprocess.Popen(list(command), env=environment)  # noqa: S603 - what the user typed
        except OSError as error:
            raise OptionError(say("command-not-found", command=command[0], why=error.strerror)) from None
        passing(process)
        return process.wait()


@contextmanager
def _passing_signals_on() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Pass the signals that ask to end on to the command, those included that come before it has started."""
    processes: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        # A terminal sends Ctrl-C to the command as well: twice would be "at once" to many servers.
        if number == signal.SIGINT and os.isatty(0):
            return
        if not processes:
            early.append(number)
        for process in processes:
            process.send_signal(number)

    def begin(process: subprocess.Popen[bytes]) -> None:
        processes.append(process)
        for number in early:
            process.send_signal(number)

    earlier = {number: signal.getsignal(number) for number in PASSED_ON}
    try:
        for number, handler in earlier.items():
            if handler is not signal.SIG_IGN:  # nohup's SIGHUP stays ignored
                signal.signal(number, pass_on)
        yield begin
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _end_alike(code: int) -> int:
    """End as the command ended: with its code, or by the signal that ended it."""
    if code >= 0:
        return code
    if -code in PASSED_ON and os.getpid() != 1:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return 128 - code


def _recorded_since(begun: float, data_folder: Path) -> Iterator[announce.Record]:
    for folder in announce.process_folders(data_folder):
        record = announce.read_record(folder)
        if record is not None and record.started >= begun - 1:
            yield record
