"""Things that somebody else has put into a data folder, as users meet them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in
from tests.e2e.conftest import contents, session, vmpilot, warnings_in

PLACES = ["000001.seg", "record.json", "identity", "lock", "resets"]


def put_in_the_way(project: Project, name: str) -> Path:
    """Put a FIFO, which nobody writes, into the place of one of our files; return it."""
    working = project.path / ".vmpilot-cov"
    path = working / "1-evil" / name if name in PLACES[:2] else working / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("name", PLACES)
def test_nobody_waits_at_a_fifo(app: Project, name: str) -> None:
    """A server's end, a session and every verb go by a FIFO, name it, and count the rest."""
    assert app.run("python", "-m", "app.work", "0", env={"VMPILOT_COV": "."}).returncode == 0
    path = put_in_the_way(app, name)
    ended = app.run("python", "-m", "app.work", "0", env={"VMPILOT_COV": "."})
    assert (ended.returncode, len(ended.stderr.splitlines())) == (0, int(name in ("identity", "lock")))
    tested = session(app)
    assert any(str(path) in warning for warning in warnings_in(tested)), tested.stdout
    for verb in ("combine", "report", "status", "dump", "doctor", "erase"):
        done = vmpilot(app, verb)
        said = done.stdout + done.stderr
        is_named = str(path) in said or str(path.parent) in said
        assert ("Traceback" in said, is_named) == (False, name != "000001.seg" or verb != "dump"), said  # it reads none


def test_erase_follows_no_link(app: Project) -> None:
    """A working folder that is a link is named and left alone, with everything behind it."""
    precious = app.write("victim/1-a/record.json", "precious")
    (app.path / ".vmpilot-cov").symlink_to("victim")
    done = vmpilot(app, "erase")
    line = f"kept {app.path}/.vmpilot-cov: it is a symbolic link, not a folder; delete it"
    assert (done.returncode, line in done.stdout.splitlines()) == (0, True), done.stdout
    assert precious.read_text() == "precious"


def test_erase_keeps_what_is_not_ours(app: Project) -> None:
    """A folder without a record of ours stays, and so does what lies among ours; each is named."""
    assert app.run("python", "-m", "app.work", "0", env={"VMPILOT_COV": "."}).returncode == 0
    (ours,) = app.path.glob(".vmpilot-cov/*-*")
    notes = [app.write(".vmpilot-cov/notes/mine.txt", "mine"), app.write(f".vmpilot-cov/{ours.name}/mine.txt", "mine")]
    done = vmpilot(app, "erase")
    assert done.returncode == 0
    assert sum(line.startswith(f"kept {app.path}/.vmpilot-cov/") for line in done.stdout.splitlines()) == 2
    assert [path.read_text() for path in notes] == ["mine", "mine"]
    assert contents(ours) == {"mine.txt": "mine"} or list(ours.iterdir()) == [notes[1]]


def test_a_source_that_is_no_file_is_named(app: Project) -> None:
    """A FIFO among the sources keeps no report waiting, and the others count."""
    os.mkfifo(app.path / "app" / "pipe.py")
    tested = session(app)
    (warning,) = (line for line in warnings_in(tested) if "source-refused" in line)
    assert warning.startswith("WARNING: source app/pipe.py does not count: it is no regular file")
    assert lines_in(app.path / ".coverage")
