"""The process's own record: how others find it, tell whether it lives, and know what it measured with.

Each measured process has a folder below ``.vmpilot-cov`` with ``record.json`` and its segments. The time stamp of
``record.json`` is the process's heartbeat: across pid namespaces and hosts it is the only sign of life.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from server_hook import clock
from server_hook.config.settings import INTERVAL_S
from server_hook.environment import ORIGINS
from server_hook.problems import one_line
from server_hook.rows import Row
from server_hook.store import safe_files, working_folder
from server_hook.store.safe_files import MOST_RECORD_BYTES, RefusedError
from server_hook.systems.systems import system

RECORD = "record.json"
BOARD = "board"
"""The page in a test process's folder that says which test runs."""
SILENCE_S = 15.0
"""A process of another host or namespace counts as gone after this many seconds, or five intervals, without a beat."""

NO_SETTINGS: Mapping[str, Any] = {}

Life: TypeAlias = Literal["live", "remote", "dead"]

MOST_WORDS, MOST_LETTERS = 100, 1000
"""How many words of a command line are recorded, and how much of each."""


class Record(Row):
    """What a process says of itself. Times are seconds since the epoch."""

    id: str
    pid: int
    origin: str
    session: str = ""
    """The id of the session that started the process; empty for one that stands alone."""
    command: tuple[str, ...] = ()
    folder: str = ""
    """The working folder when it started."""
    started: float = 0.0
    ticks: int = 0
    """The kernel's start time of the process, to tell it from a later one with the same pid; 0 where unknown."""
    boot: str = ""
    namespace: str = ""
    host: str = ""
    uid: int = -1
    python: str = ""
    coverage: str = ""
    core: str = ""
    core_reason: str = ""
    settings: Mapping[str, Any] = NO_SETTINGS
    socket: str = ""
    """Path of the control channel; empty where there is none."""
    ended: float = 0.0
    """When the process said that it ends; 0 while it runs, and after a kill."""
    problem: str = ""
    place: str = ""
    """The folder that it records in, to tell it from a copy; empty in earlier versions."""
    folded: int = 1
    """How many processes it stands for: ended ones are folded into one."""
    told: int = 0
    """How many requests were told to be a test's since the latest session began."""
    nobodys: int = 0
    """How many were nobody's meanwhile."""
    among_several: int = 0
    """How many of these came while several tests ran."""
    not_told: str = ""
    """Why it cannot tell tests apart; empty where it can, and where no test has been heard of."""

    @property
    def interval_s(self) -> float:
        """Seconds between two of its segments."""
        return float(self.settings.get("interval_s") or INTERVAL_S)


_NOBODY = Record("", 0, "")
_LIMITS = {"pid": (1, 1 << 31), "ticks": (-1, 1 << 63), "uid": (-1, 1 << 32), "folded": (1, 1 << 31)}
_LIMITS |= dict.fromkeys(("told", "nobodys", "among_several"), (0, 1 << 63))
"""The least and the most that the whole numbers of a record may be."""


def is_of(session: str, outer: str) -> bool:
    """Tell whether data of a session, by its id, is of another one: the same, or one inside it."""
    return session == outer or session.startswith(f"{outer}.")


def describe_process(identifier: str, origin: str, session: str, settings: Mapping[str, Any]) -> Record:
    """Describe this process, as far as the system tells."""
    from coverage import version_info

    return Record(
        id=identifier,
        pid=os.getpid(),
        origin=origin,
        session=session,
        # a program in C that embeds Python leaves the first one empty
        command=tuple(word[:MOST_LETTERS] for word in (sys.orig_argv or getattr(sys, "argv", []))[:MOST_WORDS]),
        folder=_working_folder(),
        started=clock.now(),
        ticks=system.start_of(os.getpid()),
        boot=system.boot_id(),
        namespace=system.pid_namespace(),
        host=socket.gethostname(),
        uid=system.real_user(),
        python=".".join(map(str, sys.version_info[:3])),
        coverage=".".join(map(str, version_info[:3])),
        settings=settings,
    )


def write_record(folder: str, record: Record) -> None:
    """Write a process's record aside and rename it into place."""
    safe_files.replace(f"{folder}/{RECORD}", json.dumps(record._asdict()).encode("ascii"))


def load_record(folder: Path) -> Record:
    """Read the record in a process's folder.

    Raises:
        RefusedError: when it cannot be believed or understood.
        OSError: when there is none.
    """
    path = f"{folder}/{RECORD}"
    try:
        raw = json.loads(safe_files.read(path, MOST_RECORD_BYTES))
        # names of a later version are left out
        return Record(**{name: _checked(name, value) for name, value in raw.items() if name in Record._fields})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedError(path, f"it cannot be understood ({one_line(error)})") from error


def read_record(folder: Path) -> Record | None:
    """Read the record in a process's folder; None when there is none that can be understood."""
    try:
        return load_record(folder)
    except OSError:
        return None


def recorded(data_folder: Path) -> Iterator[tuple[Path, Record]]:
    """Walk the folders of all processes that have recorded beside *data_folder*, with their records."""
    for folder in working_folder.process_folders(data_folder):
        record = read_record(folder)
        if record is not None:
            yield folder, record


def is_alive(folder: Path, record: Record) -> bool:
    """Tell whether the process that records in a folder lives, as far as can be told from here."""
    return life_of(record, heartbeat_age_s(folder)) != "dead"


def _checked(name: str, value: Any) -> Any:  # noqa: ANN401 - what JSON gives
    """Take a value of a record if it is one that a process can have; lists are tuples there.

    Raises:
        TypeError: when it is not.
    """
    example = getattr(_NOBODY, name)
    if name == "settings":
        good = _are_settings(value)
    elif name == "command":
        good = isinstance(value, list) and all(isinstance(word, str) for word in value)
        value = tuple(value) if good else ()
    elif name in _LIMITS:
        least, most = _LIMITS[name]
        good = type(value) is int and least <= value <= most  # no isinstance: True is an int
    elif isinstance(example, float):
        good = clock.is_moment(value)
    else:
        good = isinstance(value, str) and (name != "origin" or value in ORIGINS)
    if not good:
        raise TypeError(f"{name} is {str(value)[:MOST_LETTERS]!r}")
    return value


def _are_settings(value: object) -> bool:
    """Tell whether a value has the form of settings: names with texts, numbers, switches or lists of texts."""
    if not isinstance(value, dict) or not 0 <= value.get("interval_s", INTERVAL_S) <= clock.LAST_MOMENT:
        return False
    return all(map(_is_plain, value.values()))


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) and _is_plain(each) for each in value)
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and "\0" not in value)


def sign_of_life(folder: Path) -> float:
    """Return when the process in a folder last said that it lives, or that it ends; 0 where it never did."""
    try:
        return os.stat(f"{folder}/{RECORD}").st_mtime
    except OSError:
        return 0.0


def owner_of(folder: Path) -> int:
    """Return the user whose record lies in a process's folder; -1 where none does."""
    try:
        return os.lstat(folder / RECORD).st_uid
    except OSError:
        return -1


def heartbeat_age_s(folder: Path) -> float:
    """Return the seconds since the process last gave a sign of life."""
    sign = sign_of_life(folder)
    return max(0.0, clock.now() - sign) if sign else float("inf")


def life_of(record: Record, heartbeat_s: float) -> Life:
    """Judge whether a process lives: by its pid and start time here, by its heartbeat alone anywhere else."""
    if record.ended:  # it may still run for a while, but records no more
        return "dead"
    # a pid means something only where it was given
    if (record.boot, record.namespace, record.host) == (system.boot_id(), system.pid_namespace(), socket.gethostname()):
        return "live" if _same_process(record) else "dead"
    return "remote" if heartbeat_s < max(SILENCE_S, 5 * record.interval_s) else "dead"


def _same_process(record: Record) -> bool:
    if not system.is_running(record.pid):
        return False
    ticks = system.start_of(record.pid)  # a later process may have its pid by now
    return not ticks or not record.ticks or ticks == record.ticks


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
