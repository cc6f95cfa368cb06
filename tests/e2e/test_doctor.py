"""``vmpilot-cov doctor``: what works, what is wrong, and what to do about it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import coverage
import pytest

import server_hook
from tests.conftest import SHOWS_PROCESSES, Project, lines_in
from tests.e2e.conftest import RAN, stay, vmpilot


def findings(app: Project, *words: str) -> tuple[int, list[str]]:
    """Run the doctor; return its exit code and what it found wrong, or all where nothing is."""
    done = vmpilot(app, "doctor", *words)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.startswith(("ok    ", "WRONG ")) for line in lines)
    return done.returncode, [line for line in lines if line.startswith("WRONG")] or lines


def test_a_healthy_project(app: Project) -> None:
    """Where all is well it says so, proves that a process is recorded, and exits with 0."""
    code, lines = findings(app, "--", "python", "-m", "app.work")
    assert code == 0, lines
    assert f"ok    configuration {app.path / '.coveragerc'}; lines, core " in "\n".join(lines)
    assert "ok    a tiny process that was ended by SIGTERM has been recorded" in lines
    means = "sys.monitoring" if sys.version_info >= (3, 12) else "coverage.py's C tracer"
    how = ", or by the process that asks" if SHOWS_PROCESSES else " alone, because the kernel"
    assert any(
        line.startswith(f"ok    servers tell tests apart with {means}, by a header") and how in line for line in lines
    )
    assert any("python -m app.work would be recorded" in line for line in lines)
    assert "ok    there is no data to combine yet" in lines


def test_who_is_recording_and_what_would_count(app: Project) -> None:
    """It names the processes that are recording, and what would be combined."""
    server = stay(app)
    _, lines = findings(app)
    assert any(line.startswith(f"ok    pid {server.pid} (") and "is recording as pipeline" in line for line in lines)
    assert any(line.startswith("ok    pipeline: ") for line in lines)


def test_how_much_is_parsed_already(app: Project) -> None:
    """After a report it says how much of what was parsed is kept, and `erase` takes that away."""
    app.run("python", "-m", "app.work", env={"VMPILOT_COV": str(app.path)})
    for verb, expected in (("report", 1), ("erase", 0)):
        vmpilot(app, verb)
        _, lines = findings(app)
        assert sum("of parsed sources spare the next report" in line for line in lines) == expected


def test_a_data_folder_that_cannot_be_written(app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a session could not keep its data it says so, as the session would."""
    monkeypatch.setenv("COVERAGE_FILE", str(app.path / ".coveragerc" / "x" / ".coverage"))
    code, lines = findings(app)
    assert code == 1
    assert any(f"{app.path / '.coveragerc'} cannot be written" in line and "(cannot-record)" in line for line in lines)


def test_stale_data_is_wrong(app: Project) -> None:
    """Data of a file that has changed since is named, with what to do."""
    app.run("python", "-m", "app.work", "0", env={"VMPILOT_COV": "."})
    app.write("app/work.py", "# new\n" + (app.path / "app/work.py").read_text())
    code, lines = findings(app)
    assert (code, len(lines)) == (1, 1)
    assert "in app/work.py" in lines[0] or "/app/work.py do not count" in lines[0]
    assert lines[0].endswith("run it again, or vmpilot-cov erase")


def test_a_source_that_is_not_there_is_wrong(app: Project) -> None:
    """A source folder that does not exist is named with the configuration."""
    app.write(".coveragerc", "[run]\nsource = src/app\n")
    code, lines = findings(app)
    assert code == 1
    (line,) = lines
    assert line.startswith(f"WRONG source src/app (from {app.path / '.coveragerc'}) is not a folder here")


def test_commands_that_would_not_be_recorded(app: Project, tmp_path: Path) -> None:
    """pytest, Python without its start-up lines, a Python without the package, and a command that is not there."""
    bare = tmp_path / "python3"
    bare.write_text(
        f'#!/bin/sh\nexec {sys.executable} -S -E -c \'import sys; sys.modules["coverage"] = None\n\'"$2" "$@"\n'
    )
    bare.chmod(0o755)
    for words, expected in (
        (("pytest",), "would not be recorded: it is no server"),
        (("python", "-m", "debugpy", "-m", "uvicorn"), "would not be recorded: debugpy debugs it"),
        (("python", "-S", "x.py"), "with -S Python runs no start-up line"),
        ((str(bare), "x.py"), "pip install pytest-vmpilot-cov there"),
        (("no-such-server",), "(command-not-found)"),
    ):
        code, lines = findings(app, "--", *words)
        assert (code, len(lines)) == (1, 1), lines
        assert expected in lines[0]


def test_an_interpreter_without_the_startup_line(app: Project, tmp_path: Path) -> None:
    """An interpreter that finds the package by PYTHONPATH alone is named, unless the path has the recorder's folder."""
    app.run("python", "-m", "venv", "--without-pip", str(tmp_path / "bare"))
    bare = str(tmp_path / "bare/bin/python")
    root = Path(server_hook.__file__).parents[1]
    path = [str(root), str(Path(coverage.__file__).parents[1])]
    done = app.run(bare, "-m", "pytest_vmpilot_cov", "doctor", env={"PYTHONPATH": os.pathsep.join(path)})
    (wrong, trial) = (line for line in done.stdout.splitlines() if line.startswith("WRONG"))
    assert wrong.startswith(f"WRONG {bare} has no start-up line")
    assert wrong.endswith("(no-startup-line)")
    assert "a tiny process was not recorded" in trial
    path.insert(0, str(root / "server_hook"))
    done = app.run(bare, "-m", "pytest_vmpilot_cov", "doctor", env={"PYTHONPATH": os.pathsep.join(path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    it starts through PYTHONPATH, by the sitecustomize in server_hook" in done.stdout


def test_one_thing_is_either_well_or_wrong(app: Project) -> None:
    """A source that is not there, or a data file that cannot be read, is not called well besides."""
    app.write(".coveragerc", "[run]\nsource = src/app\n")
    (app.path / ".coverage.pipeline").write_bytes(b"no database" * 99)
    done = vmpilot(app, "doctor")
    well = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG ")]
    assert {line.rpartition("(")[2] for line in wrong} == {"source-missing)", "data-unreadable)"}
    assert not [line for line in well if "source " in line or ".coverage.pipeline" in line]


@pytest.mark.parametrize(
    "options", ["-Wignore::SyntaxWarning", "-X dev -uWerror::DeprecationWarning", "-B -X showrefcount"]
)
def test_options_of_python_are_read_as_python_does(app: Project, options: str) -> None:
    """A letter within the value of an option is no flag: such a command is recorded, and doctor says so."""
    command = ["python", *options.split(), "-m", "app.work", "0"]
    code, lines = findings(app, "--", *command)
    (line,) = (line for line in lines if "would be recorded" in line)
    assert (code, line.partition(f" {options} ")[2]) == (
        0,
        "-m app.work 0 would be recorded with VMPILOT_COV set, or by vmpilot-cov serve",
    )
    app.run(*command, env={"VMPILOT_COV": "."})
    assert lines_in(app.path / ".coverage.pipeline") == RAN
