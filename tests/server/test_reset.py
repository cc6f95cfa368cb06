"""A reset: a live server begins anew, keeps what its imports ran, and takes nothing from anybody else."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import Project, Server, lines_in, numbered, wait_for
from tests.plugin.conftest import CORES
from tests.server.conftest import MAIN

UVICORN = ("python", "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "PORT")
START = numbered(MAIN, "start")
DRIVEN, PID = numbered(MAIN, "driven"), numbered(MAIN, "pid")


RAISING = MAIN.replace('return b"driven"  # driven', "raise KeyError(path)  # driven").replace(
    'body = answer(scope["path"])  # always',
    'try:  # always\n            body = answer(scope["path"])  # always\n'
    '        except KeyError:  # driven\n            body = b"driven"  # driven',
)


def start(app: Project, core: str = "ctrace") -> Server:
    """Start a server and drive one page of it."""
    server = app.serve(*UVICORN, env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    server.get("/driven")
    return server


def pipeline_lines(app: Project, name: str = ".coverage") -> set[int]:
    """Read what a data file says that the server reached."""
    return set(lines_in(app.path / name, "pipeline").get("main.py", []))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("branch", ["off", "on"])
def test_after_a_reset_only_what_was_driven_since_counts(app: Project, core: str, branch: str) -> None:
    """What imports ran is carried over, what was driven before the reset is not, and earlier segments stay on disk."""
    app.write(".coveragerc", f"[run]\nsource = app\nbranch = {branch}\n")
    server = start(app, core)
    app.run("vmpilot-cov", "dump")
    before = set(app.path.glob(".vmpilot-cov/*/*.seg"))
    done = app.run("vmpilot-cov", "dump", "--reset")
    assert (done.returncode, done.stderr) == (0, "")
    server.get("/pid")
    report = app.run("vmpilot-cov", "combine").stdout
    lines = pipeline_lines(app)
    assert set(START) | set(PID) <= lines
    assert not lines & set(DRIVEN)
    assert before <= set(app.path.glob(".vmpilot-cov/*/*.seg"))
    assert f"{len(START)} lines of start-up carried over from before" in report
    server.get("/driven")
    server.stop()
    assert set(START) | set(PID) | set(DRIVEN) <= pipeline_lines(app, ".coverage.pipeline")


@pytest.mark.parametrize("core", CORES)
def test_a_reset_forgets_what_an_exception_left(app: Project, core: str) -> None:
    """A line that raised before a reset doesn't count after it, whatever calls the same function next."""
    app.write(".coveragerc", "[run]\nsource = app\nbranch = on\n")
    app.write("app/main.py", RAISING)
    server = start(app, core)
    assert app.run("vmpilot-cov", "dump", "--reset").returncode == 0
    server.get("/pid")
    app.run("vmpilot-cov", "combine")
    assert set(numbered(RAISING, "pid")) <= pipeline_lines(app)
    assert not set(numbered(RAISING, "driven")) & pipeline_lines(app)


def test_a_reset_at_the_start_of_a_session(app: Project) -> None:
    """With ``--vmpilot-cov-reset`` the pipeline's row holds what this session drove, earlier servers included."""
    start(app).stop(signal.SIGKILL)
    server = start(app)
    app.write(
        "tests/test_one.py",
        f"""
        import urllib.request

        def test_one():
            urllib.request.urlopen("{server.url}/pid").read()
        """,
    )
    done = app.pytest("--vmpilot-cov", "--vmpilot-cov-reset")
    assert done.returncode == 0, done.stdout
    assert pipeline_lines(app) == set(START) | set(PID) | (set(numbered(MAIN, "always")) - _elsewhere())
    assert pipeline_lines(app) == pipeline_lines(app, ".coverage.pipeline")


def _elsewhere() -> set[int]:
    """Return the lines of functions that ran before the session only: the start-up, and any other page."""
    lines = MAIN.strip("\n").splitlines()
    first = next(number for number, line in enumerate(lines, 1) if "while True" in line)
    return {first, first + 1, first + 2, first + 3, *(n for n, line in enumerate(lines, 1) if "other" in line)}


def test_a_reset_takes_nothing_from_a_session_that_runs(app: Project) -> None:
    """A session that began before another one's reset counts all that it would have counted without it."""
    server = start(app)
    app.write(
        "tests/test_one.py",
        f"""
        import subprocess, urllib.request

        def test_one():
            subprocess.run(["vmpilot-cov", "dump", "--reset"], check=True)
            urllib.request.urlopen("{server.url}/pid").read()
        """,
    )
    done = app.pytest("--vmpilot-cov")
    assert done.returncode == 0, done.stdout
    assert set(DRIVEN) | set(PID) <= pipeline_lines(app)
    app.run("vmpilot-cov", "combine")
    assert not set(DRIVEN) & pipeline_lines(app)
    assert set(PID) <= pipeline_lines(app)


def test_a_dump_says_what_was_written(app: Project) -> None:
    """``vmpilot-cov dump`` names each process, its lines and the time that it took, and publishes."""
    server = start(app)
    done = app.run("vmpilot-cov", "dump")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"pid {server.pid} (python -m uvicorn app.main:app")
    assert " lines in " in done.stdout
    assert pipeline_lines(app, ".coverage.pipeline") >= set(DRIVEN)


def test_nobody_to_dump(app: Project) -> None:
    """Where nobody records, a dump fails with one line that says how to start."""
    done = app.run("vmpilot-cov", "dump")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("(nobody-records)\n")


def test_folder_taken_away_after_a_reset(app: Project) -> None:
    """What a process measured in all its epochs is written anew when somebody has deleted the working folder."""
    import shutil

    server = start(app)
    app.run("vmpilot-cov", "dump", "--reset")
    server.get("/pid")
    app.run("vmpilot-cov", "dump")
    shutil.rmtree(app.path / ".vmpilot-cov")
    wait_for(lambda: any(app.path.glob(".vmpilot-cov/*/*.seg")))
    app.run("vmpilot-cov", "combine")
    assert set(START) | set(PID) <= pipeline_lines(app)
    assert not set(DRIVEN) & pipeline_lines(app)
