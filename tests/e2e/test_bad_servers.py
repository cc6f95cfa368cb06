from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from pytest_vmpilot_cov.collect.ask import WAIT_S
from server_hook.store import records
from tests.conftest import Project, Server, lines_in, numbered, wait_for
from tests.e2e.conftest import STAYED, UVICORN, WEB, pid_in, session, stay, vmpilot, warnings_in

STUCK = Path(__file__).with_name("stuck.py")


def serve(app: Project, page: str, *, port: int | None = None, env: dict[str, str] | None = None) -> Server:
    """Start a recorded uvicorn, and ask for one page."""
    server = app.serve(*UVICORN, env=env or {"VMPILOT_COV": "."}, port=port)
    assert server.get(page) == f"{page}!".lstrip("/")
    return server


def own_lines(log: str) -> list[str]:
    """List the lines of a server's log that are ours; fail if there is a traceback."""
    assert "Traceback" not in log, log
    return [line for line in log.splitlines() if "vmpilot" in line]


def start_stuck(app: Project, how: str) -> Server:
    """Start a process that announces itself and cannot deliver."""
    server = app.serve("python", str(STUCK), str(app.path), how, wait=False)
    wait_for(lambda: is_stuck(app, server.pid), server.log.read_text)
    return server


def is_stuck(app: Project, pid: int) -> bool:
    """Tell whether a process waits to be asked."""
    mark = app.path / "stuck"
    return mark.exists() and mark.read_text() == str(pid)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"VMPILOT_COV": "1"},
            (
                "VMPILOT_COV=1 names no file or folder (looked for {folder}/1); set it to the path of a .coveragerc or "
                "of the project's folder (config-not-found)"
            ),
        ),
        (
            {"VMPILOT_COV": ".", "VMPILOT_COV_ORIGIN": "server"},
            "VMPILOT_COV_ORIGIN=server is not an origin; use unit, e2e, pipeline or leave it out (origin-unknown)",
        ),
        (
            {"VMPILOT_COV": ".", "VMPILOT_COV_ORIGIN": "e2e", "VMPILOT_COV_SESSION": "/gone"},
            (
                "VMPILOT_COV_SESSION=/gone leads to no session ([Errno 2] No such file or directory: '/gone/record.json"
                "'); it is set by pytest --vmpilot-cov and should not be kept after it (session-gone)"
            ),
        ),
        (
            {"VMPILOT_COV": "broken.rc"},
            (
                "the configuration {folder}/broken.rc cannot be read: File contains no section headers. file: "
                "'{folder}/broken.rc', line: 1 '[run\\n' (config-broken)"
            ),
        ),
        (
            {"VMPILOT_COV": "refused.rc"},
            (
                "coverage.py cannot use {folder}/refused.rc: Couldn't read config file {folder}/refused.rc: Not a "
                "boolean: maybe (config-broken)"
            ),
        ),
    ],
    ids=["no path", "origin", "session", "broken", "refused"],
)
def test_server_runs_on_unrecorded(app: Project, env: dict[str, str], expected: str) -> None:
    """A server whose environment asks for what cannot be serves as ever, and one line of its log says why."""
    app.write("broken.rc", "[run\n")
    app.write("refused.rc", "[run]\nbranch = maybe\n")
    server = serve(app, "/one", env=env)
    server.stop()
    line = "vmpilot-cov: this process is not recorded: " + expected.format(folder=app.path)
    assert own_lines(server.log.read_text()) == [line]
    assert not (app.path / ".vmpilot-cov").exists()


def test_server_whose_folder_cannot_be_written_runs_on(app: Project) -> None:
    """A server that cannot write its data serves as ever, and one line of its log says which folder and why."""
    app.write(".vmpilot-cov", "a file is in the way\n")
    server = serve(app, "/one")
    code = server.stop()
    unmeasured = app.serve(*UVICORN)
    assert code == unmeasured.stop()
    line, *more = own_lines(server.log.read_text())
    refused = f"vmpilot-cov: {app.path / '.vmpilot-cov'} cannot be written (it is a file, not a folder; delete it)"
    assert (line.startswith(refused), more) == (True, [])
    assert line.endswith(" (folder-unwritable)")


def test_data_folder_that_turns_writable_loses_nothing(app: Project) -> None:
    """What could not be written stays in memory, and is written as soon as it can be."""
    in_the_way = app.write(".vmpilot-cov", "a file is in the way\n")
    server = serve(app, "/one")
    wait_for(lambda: "folder-unwritable" in server.log.read_text())
    in_the_way.unlink()
    wait_for(lambda: any(app.path.glob(".vmpilot-cov/*/*.seg")))
    server.stop()
    assert lines_in(app.path / ".coverage.pipeline")["web.py"] == numbered(WEB, "start", "asked", "one")


def test_port_in_use(app: Project) -> None:
    """A second server on the port fails as it would unmeasured, and what the first one recorded is kept."""
    server = serve(app, "/one")
    port = int(server.url.rpartition(":")[2])
    command = ["python", *(word.replace("PORT", str(port)) for word in UVICORN[1:])]
    measured, plain = app.run(*command, env={"VMPILOT_COV": "."}), app.run(*command)
    assert measured.returncode == plain.returncode != 0
    for done in (measured, plain):
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].endswith("address already in use")
    assert own_lines(measured.stderr) == []
    assert server.get("/two") == "two!"
    server.stop()
    assert lines_in(app.path / ".coverage.pipeline")["web.py"] == numbered(WEB, "start", "asked", "one", "two")


def test_two_servers_at_once(app: Project) -> None:
    """Two servers of one folder both deliver, and each that ends keeps the other's data."""
    one, two = serve(app, "/one"), serve(app, "/two")
    done = session(app)
    assert "Pipeline: 2 of 2 live processes delivered" in done.stdout
    assert warnings_in(done) == []
    expected = numbered(WEB, "start", "asked", "one", "two")
    assert lines_in(app.path / ".coverage", "pipeline")["web.py"] == expected
    two.stop()
    one.stop()
    assert lines_in(app.path / ".coverage.pipeline", "pipeline")["web.py"] == expected


def test_servers_that_never_answer(app: Project) -> None:
    """Servers that are suspended, or accept and stay silent, cost a session 5 s together, and their data counts.

    One line names each; the tests' own outcome and the verdict stand.
    """
    suspended = stay(app)
    suspended.process.send_signal(signal.SIGSTOP)
    silent = [start_stuck(app, "stays silent") for _ in range(2)]
    answering = stay(app)
    done = session(app, "--cov-fail-under=10")
    first, last = sorted(place.stat().st_mtime for place in app.path.glob("asked-*"))
    assert last - first < WAIT_S  # nobody waited until the other's time was over
    assert json.loads((app.path / "asked").read_text()) == {"vmpilot_cov": 1, "do": "dump"}
    delivered = "Pipeline: 1 of 4 live processes delivered "
    (named,) = [line for line in done.stdout.splitlines() if line.startswith(delivered)]
    assert f"pid {answering.pid}" in named
    lines = warnings_in(done)
    assert {line.partition(" (")[0] for line in lines} == {
        f"WARNING: process {server.pid}" for server in (suspended, *silent)
    }
    assert [silent_reason(line) for line in lines] == ["no answer within 5 s"] * 3
    assert lines_in(app.path / ".coverage", "pipeline") == {**STAYED, "work.py": [1, 4]}
    assert done.returncode == 0


def test_server_that_dies_while_it_is_asked(app: Project) -> None:
    """A server that is killed between the question and its answer is named in one line, and its data counts."""
    server = start_stuck(app, "dies")
    done = vmpilot(app, "combine")
    assert server.process.wait(60) == -signal.SIGKILL
    assert f"Pipeline: 1 killed process (pid {server.pid}), last segment " in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline") == {"work.py": [1, 4]}


def test_stale_announcement_of_a_killed_server(app: Project) -> None:
    """A process that is gone without a word is neither asked nor complained about; what it wrote counts."""
    stay(app).stop(signal.SIGKILL)
    done = vmpilot(app, "combine")
    assert (done.returncode, warnings_in(done)) == (0, [])
    assert "Pipeline: 1 killed process (pid " in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline") == STAYED


def test_stale_announcement_whose_pid_is_somebody_elses(app: Project) -> None:
    """A process that has got the pid of a dead server is not taken for it."""
    server = stay(app)
    server.stop(signal.SIGKILL)
    (folder,) = app.path.glob(f".vmpilot-cov/{pid_in(app)}-*")
    record = records.read_record(folder)
    assert record is not None
    (folder / "record.json").write_text(json.dumps(record._replace(pid=os.getpid())._asdict()))
    done = vmpilot(app, "combine")
    assert (done.returncode, warnings_in(done)) == (0, [])
    assert "Pipeline: 1 killed process (pid " in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline") == STAYED


def test_announcement_that_cannot_be_read(app: Project) -> None:
    """A damaged record hides nothing: the segments beside it count, and no command ends in a traceback."""
    stay(app).stop(signal.SIGKILL)
    (record,) = app.path.glob(".vmpilot-cov/*/record.json")
    for text in ("", "{", "[]", '{"id": 1}', '{"pid": "x", "id": "x", "origin": ""}'):
        record.write_text(text)
        done = vmpilot(app, "combine")
        (warning,) = warnings_in(done)
        assert warning.startswith(f"WARNING: {record} does not count: it cannot be understood (")
        assert lines_in(app.path / ".coverage", "pipeline") == STAYED
    assert vmpilot(app, "status").returncode == 0


def silent_reason(line: str) -> str:
    """Cut out of a warning why a process did not deliver."""
    assert line.endswith(" ago (pipeline-silent)"), line
    return line.partition("did not deliver its data: ")[2].partition("; using what it wrote ")[0]
