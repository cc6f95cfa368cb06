"""Explain whether recording works here and what would be combined: one line for each finding, with its cure."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pytest_vmpilot_cov.cli.last_session import as_last_session
from pytest_vmpilot_cov.cli.tried import untried
from pytest_vmpilot_cov.collect.ask import ask_all
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Collected, Options
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.options.missing import missing_paths
from pytest_vmpilot_cov.report.drift import differences
from pytest_vmpilot_cov.report.words import age_of, command_of, count
from server_hook import command_line
from server_hook.attribution import kernel
from server_hook.config.sources import missing_sources
from server_hook.environment import FOREIGN_VARIABLES, VARIABLE
from server_hook.problems import one_line
from server_hook.store import parsed_files, publication

# the hard case: nothing registered with atexit runs when a signal ends a process, where there are signals
_HARD_END = ("os.kill(os.getpid(), 15)", "SIGTERM") if hasattr(os, "fork") else ("os._exit(1)", "os._exit")

# coverage.tracer is the C tracer: the pure-Python one is no choice, as it broke requests of servers
_PROBE = """
import json, os, sys
try:
    import coverage, server_hook
    from coverage import tracer
    facts = {"coverage": coverage.__version__}
except ImportError as error:
    facts = {"missing": str(error)}
try:
    import pytest
    facts["pytest"] = pytest.__version__
except ImportError:  # a server's interpreter need not have it
    pass
facts["python"] = ".".join(map(str, sys.version_info[:3]))
facts["kind"] = sys.implementation.name
facts["system"] = sys.platform
facts["free"] = not getattr(sys, "_is_gil_enabled", lambda: True)()
import site
places = [*site.getsitepackages(), site.getusersitepackages() if site.ENABLE_USER_SITE else ""]
facts["line"] = any(os.path.exists(f"{path}/a0_vmpilot_cov.pth") for path in places)
path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
facts["hook"] = any(each.endswith("server_hook") and os.path.exists(f"{each}/sitecustomize.py") for each in path)
print(json.dumps(facts))
"""
_TRIAL_S = 60.0


class Finding(Value):
    """One thing, and whether it is as it should be."""

    good: bool
    text: str


def examine(options: Options, command: Sequence[str]) -> Iterator[Finding]:
    """Check everything that recording, combining and judging depend on.

    Args:
        options: what the configuration of this folder says.
        command: a command of which to say whether it would be recorded; empty for none.
    """
    yield from _interpreter(sys.executable)
    yield _trial()
    yield _telling_apart()
    yield from _configuration(options)
    yield from _environment()
    if command:
        yield from _command(command)
    yield from _data(as_last_session(options))
    yield from _parsed(options)


def _interpreter(python: str) -> Iterator[Finding]:
    """Check whether an interpreter has what recording needs."""
    try:
        probed = subprocess.run(  # noqa: S603 - the interpreter that the user names
            [python, "-c", _PROBE], capture_output=True, text=True, timeout=_TRIAL_S, check=False
        )
        probe = json.loads(probed.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        yield Finding(good=False, text=f"{python} cannot be asked ({error}); is it a Python?")
        return
    if "missing" in probe:
        yield Finding(
            good=False,
            text=f"{python} (Python {probe['python']}): {probe['missing']}; pip install pytest-vmpilot-cov there",
        )
        return
    yield Finding(good=True, text=f"{python}: Python {probe['python']}, coverage {probe['coverage']}")
    yield from (Finding(good=True, text=text) for text in untried(probe))
    if probe["line"]:
        yield Finding(good=True, text="the start-up line a0_vmpilot_cov.pth is installed")
    elif probe["hook"]:
        yield Finding(good=True, text="it starts through PYTHONPATH, by the sitecustomize in server_hook")
    else:
        yield Finding(good=False, text=say("no-startup-line", python=python))


def _trial() -> Finding:
    """Record a tiny process, end it with a signal, and check whether its lines are there."""
    with tempfile.TemporaryDirectory(prefix="vmpilot-cov-doctor-") as name:
        folder = Path(name).resolve()
        (folder / ".coveragerc").write_text("[run]\nsource = tiny\n")
        (folder / "tiny").mkdir()
        end, how = _HARD_END
        (folder / "tiny/__init__.py").write_text(f"import os\n\n{end}\n")
        # settings of this shell must not decide the outcome of the trial
        cleared = {key: value for key, value in os.environ.items() if not key.startswith(("VMPILOT_COV", "COVERAGE_"))}
        ran = subprocess.run(
            [sys.executable, "-c", "import tiny"],
            cwd=folder,
            env={**cleared, VARIABLE: name},
            capture_output=True,
            text=True,
            timeout=_TRIAL_S,
            check=False,
        )
        if (folder / ".coverage.pipeline").exists():
            return Finding(good=True, text=f"a tiny process that was ended by {how} has been recorded")
        return Finding(
            good=False, text=f"a tiny process was not recorded; it said: {one_line(ran.stderr) or 'nothing'}"
        )


def _telling_apart() -> Finding:
    """Say how servers tell tests apart here, with ``--cov-context=test``."""
    means = "sys.monitoring" if sys.version_info >= (3, 12) else "coverage.py's C tracer"
    how = "by a header alone, because the kernel does not tell whose a connection is"
    with (
        suppress(OSError),
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        inode = kernel.inode_of(client.getsockname(), client.getpeername())
        if inode and kernel.holder_of(inode, [os.getpid()], limit_s=1) == os.getpid():
            how = "by a header, or by the process that asks"
    return Finding(good=True, text=f"servers tell tests apart with {means}, {how}")


def _configuration(options: Options) -> Iterator[Finding]:
    settings = options.settings
    config = settings.config_file or f"none in {settings.folder}: the defaults count"
    threshold = options.fail_under
    judged = "no threshold" if threshold.value is None else f"fail_under {threshold.value:g} from {threshold.where}"
    branch = "branches" if settings.branch else "lines"
    yield Finding(good=True, text=f"configuration {config}; {branch}, core {settings.core}, {judged}")
    missing = list(missing_paths(options))
    yield from (Finding(good=False, text=text) for text in missing)
    if not any(True for _ in missing_sources(settings.source, settings.folder)):
        yield Finding(good=True, text=f"source {', '.join(settings.source)}")
    # the folder may not exist yet: its nearest parent that does has to be writable
    there = next(place for place in (options.data_folder, *options.data_folder.parents) if os.path.exists(place))
    if not (os.path.isdir(there) and os.access(there, os.W_OK)):
        yield Finding(good=False, text=say("cannot-record", path=there, why="no folder that may be written"))


def _environment() -> Iterator[Finding]:
    value = os.environ.get(VARIABLE)
    if value:
        there = os.path.exists(os.path.expanduser(value))
        yield Finding(
            good=there, text=f"{VARIABLE}={value}" + ("" if there else " names nothing; set it to the folder")
        )
    for name in FOREIGN_VARIABLES:
        if name in os.environ:
            text = f"{name} is set: recorded processes and their children do without it; it need not be set"
            yield Finding(good=True, text=text)


def _command(command: Sequence[str]) -> Iterator[Finding]:
    """Say whether a command would be recorded as a pipeline server."""
    program = shutil.which(command[0])
    if program is None:
        yield Finding(good=False, text=say("command-not-found", command=command[0], why=os.strerror(2)))
        return
    python = _interpreter_of(program)
    if not python:
        text = f"{program} is no Python program: it is not recorded itself, the Python processes that it starts are"
        yield Finding(good=True, text=text)
        return
    # as the kernel starts a script, and as the recorder in that process will see it
    words = [python, *command[1:]] if python == program else [python, program, *command[1:]]
    shown = " ".join(command)
    if reason := _why_not(words):
        yield Finding(good=False, text=f"{shown} would not be recorded: {reason}")
        return
    findings = [] if python == sys.executable else list(_interpreter(python))
    yield from findings
    if all(finding.good for finding in findings):
        yield Finding(good=True, text=f"{shown} would be recorded with {VARIABLE} set, or by vmpilot-cov serve")


def _why_not(words: Sequence[str]) -> str:
    """Say why a Python command would not be recorded; empty if it would."""
    if command_line.program_of(words) in command_line.NEVER_A_PIPELINE:
        return "it is no server, but a tool of the tests"
    if debugger := command_line.debugger_of(words):
        return f"{debugger} debugs it"
    if "S" in command_line.interpreter_flags(words):
        return "with -S Python runs no start-up line"
    return ""


def _interpreter_of(program: str) -> str:
    """Return the Python that runs a program: the program itself, or the one in a script's first line; else empty."""
    if command_line.is_python(program):
        return program
    with open(program, "rb") as file:
        first = file.readline(500).decode(errors="replace")
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = [shutil.which(words[1]) or ""] if words[1:] else []
    return words[0] if words and command_line.is_python(words[0]) else ""


def _data(options: Options) -> Iterator[Finding]:
    """Say which processes are recording, which data would be combined, and its state."""
    # a status, not a dump: looking must not change what there is to see
    collected = collect(options, Scope(ask=False))
    for each in ask_all([each for each in collected.deliveries if each.life != "dead"], "status"):
        who = f"pid {each.record.pid} ({command_of(each.record)}) is recording as {each.record.origin}"
        text = f"{who}, last segment {age_of(each.newest)} ago" if each.newest else f"{who}, nothing yet"
        yield Finding(good=not each.problem, text=f"{text}: {each.problem}" if each.problem else text)
    for file in (each for each in collected.data_files if each.origins):  # the others are problems
        state = "ours" if file.published else "of coverage.py, unverified"
        yield Finding(good=True, text=f"{file.path}, {state}, written {age_of(file.written)} ago")
    yield from _state(options, collected)


def _state(options: Options, collected: Collected) -> Iterator[Finding]:
    combined = combine(options, collected)
    tests = Counter(label.origin for label in combined.counted if label.context)
    for label, files in sorted(publication.origins_of(combined.counted).items()):
        contexts = f", told apart by {count(tests[label.origin], 'context', 'contexts')}" if tests[label.origin] else ""
        yield Finding(good=True, text=f"{label.origin}: {count(len(files), 'file', 'files')} would count{contexts}")
    if not combined.counted:
        yield Finding(good=True, text="there is no data to combine yet")
    for left in combined.stale:
        text = say("stale-source", lines=count(left.lines, "line", "lines"), origin=left.origin, path=left.path)
        yield Finding(good=False, text=f"{text}; run it again, or vmpilot-cov erase")
    yield from (Finding(good=False, text=text) for text in (*combined.problems, *collected.problems))
    drift = differences(collected.deliveries, options.settings, combined.mapped)
    yield from (Finding(good=False, text=text) for text in drift)


def _parsed(options: Options) -> Iterator[Finding]:
    """Say how much is kept of what reports have parsed."""
    with suppress(OSError):
        sizes = [path.stat().st_size for path in parsed_files.oldest_first(options.data_folder)]
        if sizes:
            kib = -(-sum(sizes) // 1024)
            yield Finding(good=True, text=f"{kib} KiB of parsed sources spare the next report their parsing")
