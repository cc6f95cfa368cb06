"""The process's own record: how others find it, tell whether it lives, and know what it measured with.

Each measured process has a folder below ``.vmpilot-cov`` with ``record.json`` and its segments. The time stamp of
``record.json`` is the process's heartbeat: across pid namespaces and hosts it is the only sign of life.
"""

# No annotations from __future__ here: NamedTuple would compile each of its fields' at the start of every process.
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from server_hook import clock

RECORD = "record.json"
SILENCE_S = 15.0
"""A process of another host or namespace counts as gone after this many seconds, or five intervals, without a beat."""

NO_SETTINGS: Mapping[str, Any] = {}

Life: TypeAlias = Literal["live", "remote", "dead"]


class Record(NamedTuple):
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
    folded: int = 1
    """How many processes it stands for: ended ones are folded into one."""


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
        command=tuple(sys.orig_argv),
        folder=_working_folder(),
        started=clock.now(),
        ticks=_start_ticks(os.getpid()),
        boot=_boot_id(),
        namespace=_pid_namespace(),
        host=socket.gethostname(),
        uid=os.getuid(),
        python=".".join(map(str, sys.version_info[:3])),
        coverage=".".join(map(str, version_info[:3])),
        settings=settings,
    )


def write_record(folder: str, record: Record) -> None:
    """Write a process's record aside and rename it into place."""
    aside = f"{folder}/.{RECORD}.tmp"
    with open(aside, "w", encoding="utf-8") as file:
        json.dump(record._asdict(), file)
    os.replace(aside, f"{folder}/{RECORD}")


def read_record(folder: Path) -> Record | None:
    """Read the record in a process's folder; None when there is none that can be understood."""
    try:
        raw = json.loads((folder / RECORD).read_text("utf-8"))
        known = Record("", 0, "")._asdict()
        return Record(**{name: _understood(value, known[name]) for name, value in raw.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def _understood(value: Any, example: Any) -> Any:  # noqa: ANN401 - what JSON gives
    """Take a value of a record if it is of the kind of another one; lists are tuples there.

    Raises:
        TypeError: when it is not.
    """
    if isinstance(example, tuple):
        return tuple(str(word) for word in value)
    wanted = (int, float) if isinstance(example, float) else type(example)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise TypeError(type(value))
    return value


def sign_of_life(folder: Path) -> float:
    """Return when the process in a folder last said that it lives, or that it ends; 0 where it never did."""
    try:
        return (folder / RECORD).stat().st_mtime
    except OSError:
        return 0.0


def heartbeat_age_s(folder: Path) -> float:
    """Return the seconds since the process last gave a sign of life."""
    sign = sign_of_life(folder)
    return max(0.0, clock.now() - sign) if sign else float("inf")


def life_of(record: Record, heartbeat_s: float) -> Life:
    """Judge whether a process lives: by its pid and start time here, by its heartbeat alone anywhere else."""
    if record.ended:
        return "dead"
    if (record.boot, record.namespace, record.host) == (_boot_id(), _pid_namespace(), socket.gethostname()):
        return "live" if _same_process(record) else "dead"
    said = record.settings.get("interval_s", 1.0)
    interval_s = said if isinstance(said, (int, float)) else 1.0
    return "remote" if heartbeat_s < max(SILENCE_S, 5 * interval_s) else "dead"


def _same_process(record: Record) -> bool:
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    ticks = _start_ticks(record.pid)
    return not ticks or not record.ticks or ticks == record.ticks


def _start_ticks(pid: int) -> int:
    """Read field 22 of /proc/PID/stat; a zombie, which records nothing any more, has none."""
    after_name = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if not after_name:
        return 0
    return -1 if after_name[0] == "Z" else int(after_name[19])


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip()


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
