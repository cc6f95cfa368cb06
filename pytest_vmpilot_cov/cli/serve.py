"""Run a command with recording on: signals, terminal and exit code pass through."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_vmpilot_cov.cli.output import show_problem
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.publish import only, write
from pytest_vmpilot_cov.servers.command import split_command
from server_hook.environment import DATA_DIR_VARIABLE, FOREIGN_VARIABLES, ORIGIN_VARIABLE, SESSION_VARIABLE, VARIABLE
from server_hook.store import publish, records

if sys.platform == "win32":
    from pytest_vmpilot_cov.cli.console import end_alike, holding_signals, run_command
else:
    from pytest_vmpilot_cov.cli.foreground import end_alike, holding_signals, run_command


def serve(options: Options, command: Sequence[str]) -> int:
    """Run a server that records as ``pipeline``; publish its data when it has ended; return its exit code."""
    data_folder = os.path.abspath(os.environ.get(DATA_DIR_VARIABLE) or options.settings.folder)
    return _run_recorded(options, command, "pipeline", Path(data_folder))


def run(options: Options, origin: str, command: Sequence[str]) -> int:
    """Run a command whose Python processes count as *origin*; publish and return its exit code."""
    return _run_recorded(options, command, origin, options.data_folder)


def configured_command(options: Options) -> list[str]:
    """Return the configuration's ``server_command``; ``python`` in it is the Python that runs this.

    Raises:
        UsageError: when there is none, or it cannot be split into words.
    """
    where = options.settings.config_file or options.settings.folder
    words = split_command(options.settings.server_command, where)
    if not words:
        example = "vmpilot-cov serve -- python -m uvicorn main:app"
        raise UsageError(
            say("server-command-missing", who="serve needs a command after --", example=example, where=where)
        )
    return words


def _run_recorded(options: Options, command: Sequence[str], origin: str, data_folder: Path) -> int:
    environment = {
        # with its own variables coverage.py would start a second collector in each child
        **{name: value for name, value in os.environ.items() if name not in (*FOREIGN_VARIABLES, SESSION_VARIABLE)},
        VARIABLE: options.settings.config_file or options.settings.folder,
        ORIGIN_VARIABLE: origin,
    }
    begun = time.time()
    # signals stay held while publishing: a second Ctrl-C must not cost the data
    with holding_signals() as mask:
        code = run_command(command, environment, mask)
        _publish(command, origin, data_folder, options, begun)
        return end_alike(code)


def _publish(command: Sequence[str], origin: str, data_folder: Path, options: Options, begun: float) -> None:
    """Publish what the command's processes have left, even those that could not do it themselves."""
    try:
        if not any(_recorded_since(begun, data_folder)):
            program = os.path.basename(command[0])
            show_problem(say("nothing-recorded", program=program, folder=data_folder))
        elif origin == "pipeline":
            publish.publish_pipeline(str(data_folder), options.settings.relative_to)
        else:
            publish_tests(options)
    except OSError as error:
        show_problem(say("cannot-write", path=data_folder, why=error.strerror or error))


def _recorded_since(begun: float, data_folder: Path) -> Iterator[records.Record]:
    for folder, record in records.recorded(data_folder):
        last = record.ended or records.sign_of_life(folder)
        began = record.started if record.folded == 1 else last  # of folded ones the first began, the last ended
        if began >= begun - 1:
            yield record


def publish_tests(options: Options) -> None:
    """Publish the tests' data file from what lies in the data folder.

    Raises:
        OSError: when it cannot be written.
    """
    # ask nobody: the command has ended, and other servers are not its business
    combined = combine(options, collect(options, Scope(ask=False, only=(options.data_folder,))))
    write(options, options.tests_file, only(combined.counted, pipeline=False), combined)
