"""Servers that have ``VMPILOT_COV`` and record nothing, or elsewhere, found in the system's process list; and why.

A process announces itself with the first file of the source that it runs. If it has run none, or lacks the package,
the only trace of it is the variable in its environment.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import product, takewhile
from pathlib import Path

from pytest_vmpilot_cov.collect.processes import folder_of, places_of
from pytest_vmpilot_cov.coverage_private import project_files
from pytest_vmpilot_cov.messages import say, shown_path
from pytest_vmpilot_cov.model import Delivery, Options
from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.servers.ports import listening_at
from server_hook.clock import steady
from server_hook.command_line import NEVER_A_PIPELINE, debugger_of, is_python, is_server_command, program_of
from server_hook.config.files import locate
from server_hook.config.settings import Settings, apply_settings, open_coverage, read_settings
from server_hook.config.sources import missing_sources
from server_hook.control import client
from server_hook.control.channel import Answer
from server_hook.environment import DATA_DIR_VARIABLE, ORIGIN_VARIABLE, SESSION_VARIABLE, VARIABLE
from server_hook.problems import HookError

PROC = Path("/proc")
_MARK = f"{VARIABLE}=".encode()
START_S = 2.0
"""A younger process is still starting."""
ANSWER_S = 2.0
"""How long such a process may take to say what it has reached."""
START_LINE = "a0_vmpilot_cov.pth"
_TRACER = "/coverage/tracer."
"""A library that each process maps which measures, or stands ready to."""


class Process(Value):
    """A process of this machine that has the variable."""

    pid: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    parent: int
    program: str = "python"
    """The program that it runs; one that is no Python may embed one."""
    is_young: bool = False
    """Whether it may still be starting."""

    @property
    def words(self) -> str:
        """What it was started with, as a message shows it."""
        return " ".join([os.path.basename(self.command[0]), *self.command[1:]])[:60]

    @property
    def folder(self) -> Path:
        """Its working folder."""
        return Path(os.readlink(PROC / str(self.pid) / "cwd"))

    @property
    def config(self) -> str:
        """The configuration, or its folder, that the variable names."""
        config_file, folder = locate(str(self.folder / Path(self.environment[VARIABLE]).expanduser()))
        return config_file or folder

    @cached_property
    def python(self) -> str:
        """Its interpreter, by the path that tells which environment it belongs to."""
        # not /proc/PID/exe, which is resolved and so leaves the virtual environment
        name = self.command[0]
        path = str(self.folder / name) if os.sep in name else shutil.which(name, path=self.environment.get("PATH", ""))
        if path and is_python(path) and os.path.exists(path):
            return path
        return os.readlink(PROC / str(self.pid) / "exe")

    @property
    def embeds(self) -> bool:
        """Whether it has a Python, if it has one, inside another program, as Apache has with mod_wsgi."""
        return not is_python(self.program)

    @cached_property
    def is_ready(self) -> bool:
        """Whether it would measure what it runs of the source."""
        return _TRACER in (PROC / str(self.pid) / "maps").read_text("utf-8", "replace")


def find_unrecorded(options: Options, deliveries: Iterable[Delivery]) -> Iterator[str]:
    """Name each server that runs with this configuration, or beside its data, and has recorded nothing.

    And one for each other configuration with which servers record files of this source where nobody looks.

    Args:
        options: the configuration, and the places where servers of it keep their data.
        deliveries: the processes that announced themselves; their parents and children are no servers of their own.
    """
    # live ones only: the pid of a process on another host, or in another namespace, means another process here
    recorded = {each.record.pid for each in deliveries if each.life == "live"}
    places = (Path(options.settings.folder), *map(folder_of, places_of(options)))
    folders = {os.path.realpath(place) for place in places}
    processes = {each.pid: each for each in _processes_with_variable()}
    families, elsewhere = _families(processes, recorded), set[str]()
    for process in processes.values():
        try:
            if process.pid in families or not _is_server(process, options.settings.server_command):
                continue
            if process.embeds and not process.is_ready:
                continue
            config = process.config
            if not folders.isdisjoint(map(os.path.realpath, (config, os.path.dirname(config)))):
                why = _why(process, config)
                if why:
                    yield say("server-unrecorded", pid=process.pid, command=process.words, config=config, why=why)
            elif config not in elsewhere and (place := _place_of_ours(process, config, options.settings)):
                elsewhere.add(config)
                own = options.settings.config_file or options.settings.folder
                yield say("server-elsewhere", pid=process.pid, command=process.words, config=own, place=place)
        except (OSError, HookError, ValueError):  # it has ended, or says itself what is wrong with its configuration
            continue


def _place_of_ours(process: Process, config: str, own: Settings) -> str:
    """Return where a process with another configuration records files of our source; empty if it doesn't."""
    if SESSION_VARIABLE in process.environment:  # another session's, which looks there
        return ""
    settings = read_settings(config)
    pairs = product(map(os.path.realpath, settings.source), map(os.path.realpath, own.source))
    # one with a larger source may have reached other files alone
    is_part = any(os.path.commonpath(pair) == pair[1] for pair in pairs)
    if not is_part or not _ask(process.pid).reached:
        return ""
    return str(process.folder / (process.environment.get(DATA_DIR_VARIABLE) or settings.folder))


def _processes_with_variable() -> Iterator[Process]:
    """Walk the processes of this user that have the variable and count as pipeline, this one's own excepted.

    A program that is no Python counts where one of its processes embeds one: its supervisor is to be found, too.
    """
    names = os.listdir(PROC) if PROC.is_dir() else ()
    processes = [_look_at(name) for name in names if name.isdecimal()]
    embedding = set[str]()
    for each in filter(None, processes):
        with suppress(OSError):
            if each.embeds and each.program not in embedding and each.is_ready:
                embedding.add(each.program)
    yield from (each for each in processes if each and (not each.embeds or each.program in embedding))


def _look_at(name: str) -> Process | None:
    """Return the process with a folder in ``/proc``; None if it is not to be recorded, or cannot be looked at."""
    try:
        with open(f"{PROC}/{name}/environ", "rb", buffering=0) as file:  # of many: a Path costs more
            variables = file.readall()
        if _MARK not in variables or int(name) == os.getpid():
            return None
        place = PROC / name
        pairs = (word.partition("=") for word in os.fsdecode(variables).split("\0"))
        environment = {name: value for name, _, value in pairs}
        command = tuple(os.fsdecode((place / "cmdline").read_bytes()).rstrip("\0").split("\0"))
        # proc_pid_stat(5), from field 3 on: the name in field 2 may hold spaces and parentheses
        after_name = (place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        started_s = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        # field 22 counts from the boot of the machine
        is_young = time.clock_gettime(time.CLOCK_BOOTTIME) - started_s < START_S
        program = os.readlink(place / "exe")
    except (OSError, IndexError, AttributeError):
        return None  # it has ended meanwhile, or belongs to another user
    counts = environment.get(VARIABLE) and environment.get(ORIGIN_VARIABLE) in (None, "", "pipeline")
    return Process(int(name), command, environment, int(after_name[1]), program, is_young) if counts else None


def _families(processes: Mapping[int, Process], recorded: Container[int]) -> set[int]:
    """Return the processes that were recorded or may still be starting, with all their ancestors and descendants.

    A supervisor runs no file of the source, and neither do its helpers; right after a reload its worker is young.
    """
    family = {pid for pid, each in processes.items() if pid in recorded or each.is_young}
    while True:
        parents = {processes[pid].parent for pid in family}
        more = {pid for pid, each in processes.items() if pid in parents or each.parent in family} - family
        if not more:
            return family
        family |= more


def _is_server(process: Process, server_command: str) -> bool:
    """Tell whether a process is meant to record, or has the variable only because everything in its shell has."""
    program = program_of(process.command)
    if not program or program in NEVER_A_PIPELINE or debugger_of(process.command):
        return False
    own = f"{VARIABLE}={process.environment[VARIABLE]}".encode()
    # if our own shell exports it as well, it proves no intent
    is_shell_wide = own in (PROC / "self" / "environ").read_bytes().split(b"\0")
    return not is_shell_wide or is_server_command(process.command, server_command) or bool(listening_at(process.pid))


def _why(process: Process, config: str) -> str:
    """Say why a process has recorded nothing; empty if it has, in a place that is not looked at."""
    if not process.is_ready:
        if _has_package(process.python):
            return f"its Python, {process.python}, did not start to record; what it said is in its log"
        return f"its Python, {process.python}, lacks the package; pip install pytest-vmpilot-cov there, and restart it"
    answer = _ask(process.pid)
    if answer.reached:
        return ""
    settings = read_settings(config)
    missing = list(missing_sources(settings.source, settings.folder))
    if missing:
        return "; ".join(f"source {name} is no folder, {cure}" for name, cure in missing)
    lookalike = answer.elsewhere or next(_alike(process, settings), "")
    does = "it has run" if answer.elsewhere else "it finds"
    hint = f"{does} {lookalike}, which ends like {_own(lookalike, settings)}" if lookalike else ""
    if process.embeds and not (answer.problem or hint):  # Apache starts Python in each of its processes
        return ""
    return "; ".join(filter(None, ("it has run no file of [run] source", answer.problem, hint)))


def _ask(pid: int) -> Answer:
    """Ask a process that has no record what it has reached; silence counts as nothing reached."""
    try:
        return client.ask(client.socket_of(pid), "status", steady() + ANSWER_S, owner=os.getuid())
    except OSError:
        return Answer("", pid, reached=False)


def _has_package(python: str) -> bool:
    """Tell whether the start-up line is installed in an interpreter's environment."""
    prefix = Path(python).parent.parent
    places = ("lib*/python*/site-packages", "lib*/python*/dist-packages", "local/lib/python*/dist-packages")
    homes = [(prefix, place) for place in places] + [(Path.home(), ".local/lib/python*/site-packages")]
    return any(True for home, place in homes for _ in home.glob(f"{place}/{START_LINE}"))


def _source_files(settings: Settings) -> list[Path]:
    """List the files of the source, ``__init__.py`` files last: most of them are empty."""
    cov = open_coverage(settings.config_file)
    apply_settings(cov, settings)
    return sorted(map(Path, project_files(cov)), key=lambda path: (path.name == "__init__.py", path))


def _own(other: str, settings: Settings) -> str:
    """Return the file of the source whose path has the longest end in common with another path."""

    def common_end(path: Path) -> int:
        pairs = zip(reversed(path.parts), reversed(Path(other).parts), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    own = max(_source_files(settings), key=common_end, default=Path(settings.folder))
    return shown_path(str(own), Path(settings.folder))


def _alike(process: Process, settings: Settings) -> Iterator[str]:
    """Yield files where a process imports from whose path ends like that of a file of the source."""
    files = _source_files(settings)
    scripts = [word for word in process.command[1:] if word.endswith(".py")]
    words = [*process.environment.get("PYTHONPATH", "").split(os.pathsep), *map(os.path.dirname, scripts), ""]
    for start in dict.fromkeys(process.folder / word for word in words):
        for path in files:
            parts = path.parts
            # the longest end first; a file name alone proves nothing
            for length in range(min(len(parts) - 1, 4), 1, -1):
                other = start.joinpath(*parts[-length:])
                if other.is_file() and not other.samefile(path):
                    yield str(other)
