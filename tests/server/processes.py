"""A recorded process of a test: where its record is, what it has written, what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from server_hook.store import records, segment, working_folder
from server_hook.store.records import Record
from tests.conftest import Project, Server, wait_for
from tests.server import programs

SERVE = ("python", "-m", "app.main", "PORT")


def serve(app: Project, *, env: dict[str, str] | None = None, command: tuple[str, ...] = SERVE) -> Server:
    """Start a recorded server of one process, and wait until it answers and has written its record."""
    server = app.serve(*command, env={"VMPILOT_COV": ".", **(env or {})})
    wait_for(lambda: bool(folders(Path((env or {}).get("VMPILOT_COV_DATA_DIR", app.path)))), server.log.read_text)
    return server


def write_app(app: Project, source: str = programs.STANDARD) -> None:
    """Write an application whose segments come each tenth of a second."""
    app.package("app", "[vmpilot_cov]\ninterval_s = 0.1\n", main=source)


def folders(data_folder: Path) -> list[Path]:
    """List the folders of the recorded processes that have written their record."""
    return [folder for folder in working_folder.process_folders(data_folder) if records.read_record(folder)]


def record_in(folder: Path) -> Record:
    """Read the record in a process's folder."""
    record = records.read_record(folder)
    assert record is not None, folder
    return record


def only_folder(data_folder: Path) -> Path:
    """Return the folder of the only recorded process."""
    (folder,) = folders(data_folder)
    return folder


def lines_of(folder: Path, name: str = "main.py") -> set[int]:
    """Read which lines of one file a process's segments hold."""
    lines = 0
    for _, parts in segment.read_folder(folder):
        assert isinstance(parts, list), parts
        for source, measured in ((source, each) for part in parts for source, each in part.files.items()):
            lines |= segment.to_lines(measured) if source.path.endswith(f"/{name}") else 0
    return set(segment.line_numbers(lines))


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kb(pid: int) -> int:
    """Return how much memory a process holds at the moment."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def internet_sockets(pid: int) -> Iterator[str]:
    """List the sockets of a process, TCP and UDP, of whatever state, that are not of this machine alone."""
    links = [f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")]
    inodes = set()
    for link in links:
        with suppress(OSError):
            inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            if row.split()[9] in inodes:
                yield f"{table} {row.split()[1]}"
