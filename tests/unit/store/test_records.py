from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_hook import clock
from server_hook.store import records, working_folder
from server_hook.store.records import Record
from server_hook.systems.systems import system
from tests.conftest import needs_proc

HERE = records.describe_process("1-ab", "pipeline", "", {"interval_s": 1.0})
RAW = {"id": "1-ab", "pid": 7, "origin": "pipeline"}


def written(folder: Path, text: str) -> Path:
    """Write the text of a record."""
    (folder / "record.json").write_text(text)
    return folder


def test_a_process_describes_itself() -> None:
    """A record names this process, its command, its place and its versions."""
    expected = (os.getpid(), tuple(sys.orig_argv), os.getcwd(), os.getuid(), "pipeline", {"interval_s": 1.0})
    assert expected == (HERE.pid, HERE.command, HERE.folder, HERE.uid, HERE.origin, HERE.settings)
    assert ".".join(map(str, sys.version_info[:3])) == HERE.python


def test_a_record_comes_back(tmp_path: Path) -> None:
    """What a process wrote of itself is read from its folder, and nothing is left aside."""
    records.write_record(str(tmp_path), HERE)
    assert records.read_record(tmp_path) == HERE
    assert [tmp_path / "record.json"] == list(tmp_path.iterdir())


def test_keys_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    """A record of a later version is read without what this version does not know."""
    written(tmp_path, json.dumps({**HERE._asdict(), "weather": "fine", "format": 9}))
    assert records.read_record(tmp_path) == HERE


def test_keys_of_an_earlier_version_may_be_missing(tmp_path: Path) -> None:
    """A record that has only what every record has is read with the defaults for the rest."""
    assert Record("1-ab", 7, "pipeline") == records.read_record(written(tmp_path, json.dumps(RAW)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "5",
        "[]",
        '"text"',
        "{}",
        json.dumps({"id": "1-ab", "pid": 7}),
        json.dumps({**RAW, "pid": "many"}),
        json.dumps({**RAW, "pid": None}),
        json.dumps({**RAW, "pid": True}),
        json.dumps({**RAW, "command": 5}),
    ],
)
def test_a_record_without_meaning_is_none(tmp_path: Path, text: str) -> None:
    """What cannot be understood as a record is none, not an error."""
    assert records.read_record(written(tmp_path, text)) is None


def test_a_record_that_is_no_text_is_none(tmp_path: Path) -> None:
    """A damaged file, a folder in its place, and no file at all are no record."""
    (tmp_path / "record.json").write_bytes(b"\xff\xfe{}")
    assert records.read_record(tmp_path) is None
    (tmp_path / "record.json").unlink()
    assert records.read_record(tmp_path) is None
    (tmp_path / "record.json").mkdir()
    assert records.read_record(tmp_path) is None


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@given(st.dictionaries(st.sampled_from(["ticks", "boot", "settings", "ended", "socket", "host"]), PLAIN))
def test_what_is_read_can_be_judged(tmp_path_factory: pytest.TempPathFactory, odd: Mapping[str, Any]) -> None:
    """Whatever a file holds, it reads as none or as a record whose life can be judged."""
    record = records.read_record(written(tmp_path_factory.mktemp("odd"), json.dumps({**RAW, **odd})))
    assert record is None or records.life_of(record, 0.0) in ("live", "remote", "dead")


def test_this_process_is_live() -> None:
    """A process that runs here is live, however long its heartbeat is silent."""
    expected = "live"
    assert expected == records.life_of(HERE, float("inf"))


def test_a_pid_of_nobody_is_dead() -> None:
    """A process that has ended without a word is dead at once, however fresh its heartbeat."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    expected = "dead"
    assert expected == records.life_of(HERE._replace(pid=process.pid), 0.0)


@needs_proc
def test_a_zombie_is_dead() -> None:
    """A process that has ended and that nobody has waited for records nothing any more."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        record = HERE._replace(pid=process.pid, ticks=system.start_of(process.pid))
        lives = [records.life_of(record, 0.0)]
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        lives.append(records.life_of(record, 0.0))
    expected = ["live", "dead"]
    assert expected == lives


@pytest.mark.skipif(not HERE.ticks, reason="the system does not tell when a process started")
def test_a_pid_that_was_given_again_is_dead() -> None:
    """Another process that has the same pid now is not the one that announced itself."""
    expected = "dead"
    assert expected == records.life_of(HERE._replace(ticks=HERE.ticks - 1), 0.0)


def test_a_process_that_said_that_it_ends_is_dead() -> None:
    """A process that announced its end is over, even while it still runs."""
    expected = "dead"
    assert expected == records.life_of(HERE._replace(ended=1.0), 0.0)


@pytest.mark.parametrize(
    "elsewhere", [HERE._replace(boot="another"), HERE._replace(namespace="pid:[1]"), HERE._replace(host="another")]
)
@pytest.mark.parametrize(
    ("heartbeat_s", "interval_s", "expected"),
    [
        (0.0, 1.0, "remote"),
        (14.9, 1.0, "remote"),
        (15.1, 1.0, "dead"),
        (49.9, 10.0, "remote"),
        (50.1, 10.0, "dead"),
        (float("inf"), 10.0, "dead"),
    ],
)
def test_elsewhere_the_heartbeat_alone_counts(
    elsewhere: Record, heartbeat_s: float, interval_s: float, expected: str
) -> None:
    """A process of another boot, namespace or host lives by its heartbeat alone, whoever has its pid here."""
    record = elsewhere._replace(settings={"interval_s": interval_s})
    assert expected == records.life_of(record, heartbeat_s)


def test_elsewhere_an_interval_that_is_not_known_is_a_second() -> None:
    """A record without its interval is judged by the default one."""
    expected = "remote"
    assert expected == records.life_of(HERE._replace(host="another", settings={}), 14.0)


def test_the_heartbeat_is_the_age_of_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last sign of life is when the record was touched; never in the future; without a record there is none."""
    records.write_record(str(tmp_path), HERE)
    os.utime(tmp_path / "record.json", (1000.0, 1000.0))
    monkeypatch.setattr(clock, "now", lambda: 1012.5)
    expected = (12.5, float("inf"))
    assert expected == (records.heartbeat_age_s(tmp_path), records.heartbeat_age_s(tmp_path / "gone"))
    os.utime(tmp_path / "record.json", (2000.0, 2000.0))
    expected_in_the_future = 0.0
    assert expected_in_the_future == records.heartbeat_age_s(tmp_path)


def test_the_working_folder_ignores_itself(tmp_path: Path) -> None:
    """The folder of a process is made below one that git ignores, again and again without harm."""
    folder = working_folder.make_folder(str(tmp_path), "1-ab")
    assert str(tmp_path / ".vmpilot-cov" / "1-ab") == working_folder.make_folder(str(tmp_path), "1-ab") == folder
    expected = "*"
    assert expected == (tmp_path / ".vmpilot-cov" / ".gitignore").read_text().splitlines()[-1]


def test_the_folders_of_all_processes_are_walked(tmp_path: Path) -> None:
    """Every folder beside the data is a process's, in order; files and hidden folders are not."""
    assert not list(working_folder.process_folders(tmp_path))
    folders = [Path(working_folder.make_folder(str(tmp_path), name)) for name in ("2-b", "1-a")]
    working_folder.make_folder(str(tmp_path), ".hidden")
    (tmp_path / ".vmpilot-cov" / "lock").touch()
    assert sorted(folders) == list(working_folder.process_folders(tmp_path))
