from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest
from coverage import CoverageData

from tests.conftest import Project, lines_in
from tests.e2e.conftest import RAN, STAYED, contents, session, stay, vmpilot


@pytest.fixture
def data(app: Project) -> Project:
    """Give a project with the data of a session, and of a server that has ended since."""
    session(app)
    vmpilot(app, "serve", "--", "python", "-m", "app.work", "0")
    return app


def rows(app: Project, *words: str) -> dict[int, tuple[str, str, str]]:
    """Read from ``vmpilot-cov status``: pid -> origin, state, lines."""
    done = vmpilot(app, "status", *words)
    assert (done.returncode, done.stderr) == (0, "")
    cells = [line.split() for line in done.stdout.splitlines()]
    return {int(each[0]): (each[1], each[2], each[3]) for each in cells[1:]}


def count(lines: dict[str, list[int]]) -> str:
    """Count lines as ``status`` shows them."""
    return str(sum(map(len, lines.values())))


def test_status_of_nothing(app: Project) -> None:
    """Where nothing was recorded, one line says how to start."""
    done = vmpilot(app, "status")
    config = app.path / ".coveragerc"
    expected = f"No process has been recorded here. Start one with VMPILOT_COV={config} in its environment.\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_status_tells_recording_ended_and_killed_apart(app: Project) -> None:
    """A live process is shown as recording with its pid and lines, one that has ended or was killed as such."""
    servers = [stay(app), stay(app), stay(app)]
    pids = [server.pid for server in servers]
    lines = count(STAYED)
    assert rows(app) == dict.fromkeys(pids, ("pipeline", "recording", lines))
    servers[0].stop(signal.SIGTERM)
    servers[1].stop(signal.SIGKILL)
    states = dict(zip(pids, ["ended", "killed", "recording"], strict=True))
    assert rows(app) == {pid: ("pipeline", state, lines) for pid, state in states.items()}


def test_status_shows_the_command_and_the_core(app: Project) -> None:
    """A row names the command line and the core in use, and status changes no file."""
    server = stay(app)
    server.stop(signal.SIGKILL)
    before = contents(app.path)
    row = vmpilot(app, "status").stdout.splitlines()[-1]
    assert row.endswith("python -m app.stay")
    assert {"ctrace", "sysmon"} & set(row.split())
    assert contents(app.path) == before


def test_status_of_other_folders(data: Project) -> None:
    """PATHs are looked at in place of the usual folders: the data folder, its working folder, a data file in it."""
    (data.path / "elsewhere").mkdir()
    shutil.move(data.path / ".vmpilot-cov", data.path / "elsewhere" / ".vmpilot-cov")
    found = rows(data, "elsewhere")
    assert sorted(state for _, state, _ in found.values()) == ["ended", "ended"]
    assert rows(data, "elsewhere/.vmpilot-cov") == found


def test_erase_removes_our_files_and_no_others(data: Project) -> None:
    """All that was written for this project is gone; what coverage.py, or anybody else, wrote beside it stays."""
    foreign = (".coverage.host.123.abc", ".coverage.old", "coverage.xml", ".coverage.pipeline.bak")
    for name in foreign:
        data.write(name, "not ours\n")
    done = vmpilot(data, "erase")
    assert (done.returncode, done.stderr) == (0, "")
    ours = [data.path / name for name in (".coverage.tests", ".coverage.pipeline", ".coverage")]
    assert done.stdout.splitlines() == [
        *(f"erased {path}" for path in ours),
        f"erased the segments of 2 processes in {data.path / '.vmpilot-cov'}",
    ]
    assert {path.name for path in data.path.iterdir()} == {".coveragerc", "app", "tests", *foreign}


def test_erase_keeps_data_files_of_coverage(data: Project) -> None:
    """Data files under our names that coverage.py itself wrote are kept, and named."""
    names = (".coverage.tests", ".coverage.pipeline", ".coverage")
    for name in names:
        (data.path / name).unlink()
        written = CoverageData(basename=str(data.path / name))
        written.add_lines({"/x.py": [1]})
        written.write()
        written.close(force=True)
    before = contents(data.path)
    done = vmpilot(data, "erase")
    assert [line for line in done.stdout.splitlines() if line.startswith("kept ")] == [
        f"kept {data.path / name}: it was not written by vmpilot-cov" for name in names
    ]
    assert contents(data.path) == {name: mark for name, mark in before.items() if not name.startswith(".vmpilot-cov")}


def test_erase_keeps_what_a_live_process_has_recorded(data: Project) -> None:
    """A process that still records keeps its segments, is named, and publishes them when it ends."""
    server = stay(data)
    done = vmpilot(data, "erase")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[-2:] == [
        (
            f"process {server.pid} (python -m app.stay) is still recording; its data stays, stop it first "
            "(still-recording)"
        ),
        f"erased the segments of 2 processes in {data.path / '.vmpilot-cov'}",
    ]
    assert rows(data) == {server.pid: ("pipeline", "recording", count(STAYED))}
    server.stop()
    assert lines_in(data.path / ".coverage.pipeline") == STAYED


def test_erase_of_other_folders(data: Project) -> None:
    """With PATHs the data of those places is erased, and the project's own stays."""
    (data.path / "other").mkdir()
    shutil.copyfile(data.path / ".coverage.pipeline", data.path / "other" / ".coverage.pipeline")
    done = vmpilot(data, "erase", "other")
    assert done.stdout == f"erased {data.path / 'other' / '.coverage.pipeline'}\n"
    assert lines_in(data.path / ".coverage.pipeline") == RAN


def test_erase_names_places_of_pipeline_data(data: Project) -> None:
    """Data that the next report would read from a place that the configuration names is kept, with the way to go."""
    config = data.path / ".coveragerc"
    config.write_text(config.read_text().replace("[vmpilot_cov]\n", "") + "[vmpilot_cov]\npipeline_data = elsewhere\n")
    (data.path / "elsewhere").mkdir()
    shutil.move(data.path / ".vmpilot-cov", data.path / "elsewhere" / ".vmpilot-cov")
    here = data.path / "elsewhere"
    assert vmpilot(data, "erase").stdout.splitlines()[-1].startswith(f"kept {here}: ")
    vmpilot(data, "erase", str(here))
    assert "kept" not in vmpilot(data, "erase").stdout


def test_erase_of_nothing(app: Project) -> None:
    """Erasing where there is nothing is no error and changes nothing."""
    before = contents(app.path)
    assert vmpilot(app, "erase").returncode == 0
    assert contents(app.path) == before


def test_live_process_is_asked_by_combine(app: Project) -> None:
    """``combine`` asks a running server for its data, and the server goes on."""
    server = stay(app)
    done = vmpilot(app, "combine")
    assert f"Pipeline: 1 of 1 live process delivered (pid {server.pid})" in done.stdout.splitlines()
    assert lines_in(app.path / ".coverage", "pipeline") == STAYED
    assert server.process.poll() is None


def test_live_process_is_not_asked_by_report(app: Project) -> None:
    """``report`` takes what a running server has written without asking it, and does not blame it."""
    stay(app)
    done = vmpilot(app, "report")
    assert done.returncode == 0
    assert "did not deliver" not in done.stdout


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n1")])
def test_commands_judge_what_the_session_judged(app: Project, workers: tuple[str, ...]) -> None:
    """What a session's command line named is what is judged after it, until its configuration changes."""
    done = session(app, "--cov=app.work", "--cov-branch", *workers)
    total = total_of(done.stdout)
    for verb in ("report", "combine"):
        judged = vmpilot(app, verb)
        assert (total_of(judged.stdout), "session-differs" in judged.stdout) == (total, False)
    assert "session-differs" not in vmpilot(app, "doctor").stdout
    config = app.path / ".coveragerc"
    os.utime(config, (time.time() + 60, time.time() + 60))
    for verb in ("report", "doctor"):
        lines = [line for line in vmpilot(app, verb).stdout.splitlines() if "(session-differs)" in line]
        assert [line.partition(" measured with ")[2] for line in lines] == [
            f"{difference}, so its verdict was about other figures than these: .coveragerc has changed since; "
            "run the tests again (session-differs)"
            for difference in ("branch = on, here it is off", "source = app.work, here it is app")
        ]


def test_commands_read_the_configuration_of_the_session(app: Project) -> None:
    """A session's own --cov-config is read after it, too, unless another configuration was typed."""
    app.write("ci.cfg", "[run]\nsource = app.work\n")
    total = total_of(session(app, "--cov-config=ci.cfg").stdout)
    assert total_of(vmpilot(app, "report").stdout) == total
    other = vmpilot(app, "report", "--config", ".coveragerc").stdout
    assert f"it read {app.path / 'ci.cfg'}; use --config {app.path / 'ci.cfg'} (session-differs)" in other


def test_commands_find_the_data_of_a_session_above(app: Project) -> None:
    """Without a configuration the data of the last session is found from a folder below it, and judged as it was."""
    (app.path / ".coveragerc").unlink()
    total = total_of(session(app, "--cov=app.work").stdout)
    done = app.run("vmpilot-cov", "report", cwd=app.path / "tests")
    assert total_of(done.stdout) == total, done.stderr


def total_of(output: str) -> list[str]:
    """Return the columns of the row TOTAL."""
    (line,) = [line for line in output.splitlines() if line.startswith("TOTAL")]
    return line.split()


def test_output_may_be_closed_early(data: Project) -> None:
    """``vmpilot-cov ... | head`` ends quietly."""
    done = subprocess.run(
        "vmpilot-cov report --cov-report=term-missing | true; echo ${PIPESTATUS[0]}",
        shell=True,
        executable="/bin/bash",
        cwd=data.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
