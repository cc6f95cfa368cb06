"""On or off? Which configuration, which origin, and why: the decisions at the start of a process."""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from server_hook.command_line import NEVER_A_PIPELINE, debugger_of, is_attaching, is_server_command, program_of
from server_hook.environment import (
    CONTEXT_VARIABLE,
    DATA_DIR_VARIABLE,
    FOREIGN_VARIABLES,
    ORIGIN_VARIABLE,
    ORIGINS,
    SESSION_VARIABLE,
    VARIABLE,
    process_state,
)
from server_hook.problems import HookError, log_problem
from server_hook.rows import Row

if TYPE_CHECKING:
    from server_hook.config.settings import Settings
    from server_hook.coverage_private import WatchedCoverage
    from server_hook.record.recorder import Recorder

_BESIDE_A_DEBUGGER = ("debugpy/launcher", "debugpy/adapter")


class Start(Row):
    """How this process is to be recorded."""

    config: str
    """The absolute path that the environment names."""
    origin: str
    session_folder: str
    """The folder of the session that has started this process; empty for one that stands alone."""


class Refusal(Row):
    """Why this process is not to be recorded."""

    reason: str = ""
    """What the log says; empty where nothing is wrong."""
    config: str = ""
    """The absolute path that children are to inherit; empty where the environment stays as it is."""
    forget: tuple[str, ...] = ()
    """Variables that children are not to inherit."""


def start_from_environment() -> None:
    """Record this process if its environment asks for it, and pass the wish on to its children in absolute terms."""
    state = process_state()
    if state.is_started or not is_main_interpreter():
        return
    state.is_started = True
    for name in FOREIGN_VARIABLES:  # coverage.py's own start-up line would start a second collector in children
        os.environ.pop(name, None)
    decision = decide(os.environ, sys.orig_argv)
    if decision.config:
        os.environ[VARIABLE] = decision.config  # a child may start in another folder
    try:
        if isinstance(decision, Start):
            with _in_some_folder(decision.config):
                _begin(decision)
            return
    except HookError as error:
        decision = Refusal(str(error))
    except ImportError:  # a pex puts coverage.py on the path after us: its entry point may ask again
        state.is_started = False
        raise
    for name in decision.forget:
        os.environ.pop(name, None)
    if decision.reason:
        log_problem(f"this process is not recorded: {decision.reason}")


def is_main_interpreter() -> bool:
    """Tell whether this is the process's main interpreter: threads and signals of ours have no place in another."""
    try:
        return _thread._is_main_interpreter()  # type: ignore[attr-defined,no-any-return,unused-ignore]
    except AttributeError:  # before Python 3.12
        import signal
    # first what needs no import: this runs at every start
    try:  # to set a handler that is set is allowed in the main interpreter's main thread, where this usually runs
        signal.signal(signal.SIGXFSZ, signal.getsignal(signal.SIGXFSZ))
    except (ValueError, TypeError, AttributeError):  # AttributeError: Windows has fewer signals
        with contextlib.suppress(ImportError):
            interpreters = __import__("_xxsubinterpreters")
            return bool(interpreters.get_current() == interpreters.get_main())
    return True


def decide(environment: Mapping[str, str], command: Sequence[str]) -> Start | Refusal:
    """Decide from the environment and the command line whether and how to record.

    Args:
        environment: the process's variables; ``VMPILOT_COV`` is one of them.
        command: the interpreter's command line, its options included.
    """
    if any(word.endswith(_BESIDE_A_DEBUGGER) for word in command) or is_attaching(command):
        return Refusal()
    debugger = debugger_of(command)
    if debugger:  # its children are debugged as well, and one line is enough
        reason = f"{debugger} debugs it; start it without the debugger (debugger-attached)"
        return Refusal(reason, forget=(VARIABLE,))
    path = os.path.abspath(os.path.expanduser(environment[VARIABLE]))
    if not os.path.exists(path):
        return Refusal(
            f"{VARIABLE}={environment[VARIABLE]} names no file or folder (looked for {path}); "
            "set it to the path of a .coveragerc or of the project's folder (config-not-found)"
        )
    origin = environment.get(ORIGIN_VARIABLE) or "pipeline"
    if origin not in ORIGINS:
        choice = f"{', '.join(ORIGINS)} or leave it out"
        return Refusal(f"{ORIGIN_VARIABLE}={origin} is not an origin; use {choice} (origin-unknown)", path)
    if origin == "pipeline" and program_of(command) in NEVER_A_PIPELINE:
        return Refusal(config=path)
    return Start(path, origin, environment.get(SESSION_VARIABLE, ""))


@contextlib.contextmanager
def _in_some_folder(config: str) -> Iterator[None]:
    """Start from the configuration's folder where the working folder is gone: coverage.py cannot be imported there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        from server_hook.systems.systems import system

        with system.coming_back():
            os.chdir(config if os.path.isdir(config) else os.path.dirname(config))
            yield
    else:
        yield


def _begin(start: Start) -> None:
    from coverage import Coverage

    from server_hook.config.settings import Settings, read_with_coverage
    from server_hook.record import lifecycle
    from server_hook.record.recorder import Recorder

    if Coverage.current() is not None:  # a second one would take its tracer
        raise HookError("coverage.py is measuring this process already (already-measured)")
    origin, session, data_folder, cov = start.origin, "", "", None
    if origin == "pipeline":
        settings, cov = _server_settings(start)
    elif start.session_folder:
        session, data_folder, raw = _read_session(start.session_folder)
        settings = Settings.from_record(raw)
        if is_server_command(sys.orig_argv, settings.server_command):
            os.environ[ORIGIN_VARIABLE] = origin = "pipeline"  # for its children: workers, reloaders
            session = ""
    else:
        settings, cov = read_with_coverage(start.config)
    if origin == "pipeline":
        data_folder = os.path.abspath(os.environ.get(DATA_DIR_VARIABLE) or settings.folder)
        if DATA_DIR_VARIABLE in os.environ:
            os.environ[DATA_DIR_VARIABLE] = data_folder
    recorder = Recorder(settings, data_folder or os.path.dirname(settings.data_file), origin, session, cov=cov)
    if CONTEXT_VARIABLE in os.environ:
        _work_for_test(recorder)
    process_state().tagged_hosts = settings.tag_requests
    lifecycle.begin(recorder)
    if origin == "pipeline" and (missing := _missing_source(settings)):
        log_problem(f"this process is recorded, but {missing} (nothing-to-measure)")


def _work_for_test(recorder: Recorder) -> None:
    """Count what this process runs for the test that has started it; a pipeline and its children serve many tests."""
    if recorder.origin == "pipeline":
        del os.environ[CONTEXT_VARIABLE]
    else:
        from server_hook.attribution.bounds import bounds_of

        recorder.drain.work_for_test(bounds_of(os.environ))


def _missing_source(settings: Settings) -> str:
    """Say that nothing of the source exists, with what to do about the first of it; empty where something does."""
    from server_hook.config.sources import missing_sources

    missing = list(missing_sources(settings.source, settings.folder))
    if not missing or len(missing) < len(settings.source):
        return ""
    return f"no folder of [run] source exists: {', '.join(name for name, _ in missing)}; {missing[0][1]}"


def _server_settings(start: Start) -> tuple[Settings, WatchedCoverage | None]:
    """Read how a server measures: as the session that has started it, options included, or as its configuration says.

    The second is the Coverage that has read the configuration, if one had to.

    A server may outlive its session, be in another container, or have a configuration of its own.
    """
    from server_hook.config.settings import Settings, read_with_coverage

    if start.session_folder:
        with contextlib.suppress(HookError, TypeError):  # TypeError: the session's is another version of this package
            settings = Settings.from_record(_read_session(start.session_folder)[2])
            if start.config == (settings.config_file or settings.folder):
                return settings, None
    return read_with_coverage(start.config)


def _read_session(folder: str) -> tuple[str, str, dict[str, object]]:
    """Read how the session measures: its id, its data folder, its settings."""
    try:
        with open(os.path.join(folder, "record.json"), encoding="utf-8") as file:
            record = json.load(file)
        return record["session"], os.path.dirname(os.path.dirname(folder)), record["settings"]
    except (OSError, ValueError, KeyError) as error:
        raise HookError(
            f"{SESSION_VARIABLE}={folder} leads to no session ({error}); it is set by pytest --vmpilot-cov "
            "and should not be kept after it (session-gone)"
        ) from error
