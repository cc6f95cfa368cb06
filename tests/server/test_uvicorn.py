"""Real uvicorn servers, recorded from their first import and asked while they run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Project, Server, lines_in, numbered, wait_for
from tests.server.conftest import MAIN

UVICORN = ("python", "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "PORT")
LIVE = numbered(MAIN, "start", "always", "driven")
STOPPED = numbered(MAIN, "start", "always", "driven", "stop")


def start(app: Project, *more: str, config: str = ".", cwd: Path | None = None) -> Server:
    """Start uvicorn with ``VMPILOT_COV``, and drive one page of it."""
    server = app.serve(*UVICORN, *more, env={"VMPILOT_COV": config, "PYTHONPATH": str(app.path)}, cwd=cwd)
    assert server.get("/driven") == "driven"
    return server


def pipeline_lines(app: Project) -> list[int]:
    """Read what the published pipeline data says of the application."""
    return lines_in(app.path / ".coverage.pipeline", "pipeline")["main.py"]


def test_a_live_server_is_asked_at_the_end_of_a_session(app: Project) -> None:
    """A session gets the lines of a running server, which goes on running, without restart or signal."""
    server = start(app)
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=50")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines_in(app.path / ".coverage", "pipeline")["main.py"] == LIVE
    assert f"Pipeline: 1 of 1 live process delivered (pid {server.pid})" in done.stdout
    assert server.get("/driven") == "driven"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_server_has_published_its_data(app: Project, number: signal.Signals) -> None:
    """After a polite end, ``.coverage.pipeline`` lies beside the configuration, no session involved."""
    server = start(app)
    code = server.stop(number)
    unmeasured = app.serve(*UVICORN)
    assert code == unmeasured.stop(number)
    assert pipeline_lines(app) == (LIVE if number == signal.SIGHUP else STOPPED)


def test_a_killed_server_keeps_what_it_wrote(app: Project) -> None:
    """After ``kill -9`` a session finds all that was written at the last interval."""
    server = start(app)
    wait_for(lambda: any((app.path / ".vmpilot-cov").glob("*/*.seg")))
    server.stop(signal.SIGKILL)
    app.pytest("--vmpilot-cov", "-q")
    assert set(numbered(MAIN, "start")) <= set(pipeline_lines(app))


def test_reload_is_recorded_in_the_process_that_serves(app: Project) -> None:
    """With ``--reload`` the spawned grandchild that serves is recorded, before and after a reload."""
    server = start(app, "--reload", "--reload-dir", str(app.path / "app"))
    first = server.get("/pid")

    def is_noticed() -> bool:  # a touch before the first look of the reloader is none
        noticed = "Reloading" in server.log.read_text()
        if not noticed:
            (app.path / "app" / "__init__.py").touch()
        return noticed

    wait_for(is_noticed, server.log.read_text)
    wait_for(lambda: _pid_of(server) not in ("", first), server.log.read_text)
    assert server.get("/driven") == "driven"
    server.stop()
    wait_for(lambda: not _runs(first))
    app.pytest("--vmpilot-cov", "-q")
    assert set(pipeline_lines(app)) >= set(STOPPED) | set(numbered(MAIN, "pid"))


def test_relative_configuration_works_from_any_folder(app: Project, tmp_path: Path) -> None:
    """A relative ``VMPILOT_COV`` is read against the folder of the start, the patterns in it against its own folder."""
    app.write(".coveragerc", "[run]\nsource = app\nomit = app/omitted.py\n")
    app.write("app/omitted.py", "x = 1\n")
    app.write("app/main.py", "    from app import omitted\n" + MAIN)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    start(app, config="../project/.coveragerc", cwd=elsewhere).stop()
    assert lines_in(app.path / ".coverage.pipeline").keys() == {"__init__.py", "main.py"}
    assert list(elsewhere.iterdir()) == []


def test_data_folder_can_be_moved(app: Project, tmp_path: Path) -> None:
    """``VMPILOT_COV_DATA_DIR`` says where a server keeps its data, and a session finds it by option or setting."""
    data = tmp_path / "data"
    environment = {"VMPILOT_COV": ".", "VMPILOT_COV_DATA_DIR": str(data)}
    server = app.serve(*UVICORN, env=environment)
    server.get("/driven")
    app.pytest("--vmpilot-cov", "-q", f"--vmpilot-cov-pipeline={data / '.coverage.pipeline'}")
    assert lines_in(app.path / ".coverage", "pipeline")["main.py"] == LIVE
    server.stop()
    assert lines_in(data / ".coverage.pipeline")["main.py"] == STOPPED
    app.write(".coveragerc", f"[run]\nsource = app\n[vmpilot_cov]\npipeline_data = {data}\n")
    app.pytest("--vmpilot-cov", "-q")
    assert lines_in(app.path / ".coverage", "pipeline")["main.py"] == STOPPED


def test_without_the_variable_nothing_happens(app: Project) -> None:
    """A server without ``VMPILOT_COV`` imports nothing of ours and leaves no file."""
    app.write("app/main.py", MAIN.replace("import os", "import os, sys"))
    server = app.serve(*UVICORN)
    server.stop()
    probe = app.run("python", "-c", "import sys; print(sorted(name for name in sys.modules if 'server_hook' in name))")
    assert probe.stdout == "[]\n"
    assert not (app.path / ".vmpilot-cov").exists()
    assert not (app.path / ".coverage.pipeline").exists()


def test_a_process_that_runs_no_source_leaves_nothing(app: Project) -> None:
    """A child that never executes a file of the source leaves neither folder nor data file."""
    done = app.run("python", "-c", "print(1)", env={"VMPILOT_COV": "."})
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert sorted(path.name for path in app.path.iterdir()) == [".coveragerc", "app", "tests"]


def test_two_servers_share_a_data_folder(app: Project) -> None:
    """What two servers of one project reached is united."""
    one, other = start(app), app.serve(*UVICORN, env={"VMPILOT_COV": "."})
    other.get("/pid")
    done = app.pytest("--vmpilot-cov")
    assert "2 of 2 live processes delivered" in done.stdout
    one.stop()
    other.stop()
    assert pipeline_lines(app) == sorted({*STOPPED, *numbered(MAIN, "pid")})


def _pid_of(server: Server) -> str:
    try:
        return server.get("/pid")
    except OSError:
        return ""


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except OSError:
        return False
    return True
