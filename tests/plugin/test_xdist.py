"""Spread over the workers of pytest-xdist: the same lines, and every worker's data, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import EXPLICIT, expected, run_beside, without_inits

pytest.importorskip("xdist")
SELDOM = pytest.mark.skipif(os.environ.get("TEST_PARITY") != "all", reason="a row for TEST_PARITY=all")

GROUPED = """
    import pytest

    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(item.name.rpartition("_")[0]))
"""
"""A conftest for ``--dist loadgroup``, which puts the group behind the name of a test."""

WORK = """
    def first():
        return 1  # first


    def last():
        return 2  # last


    def other():
        return 3  # other
"""
CRASH = """
    import ctypes
    import os
    import signal
    import time
    from pathlib import Path

    from app import work
    from server_hook.store import segment

    WORKER = os.environ["PYTEST_XDIST_WORKER"]

    def lines_on_disk():
        folder, = Path(".vmpilot-cov").glob(f"*-{WORKER}")
        for _, parts in segment.read_folder(folder):
            for part in parts:
                yield from (line for measured in part.files.values() for line in segment.line_numbers(measured))

    def test_first():
        work.first()
        until = time.monotonic() + 60
        while FIRST not in lines_on_disk() and time.monotonic() < until:
            time.sleep(0.01)

    def test_last():
        work.last()
        CRASH
"""


@pytest.fixture
def work(project: Project) -> Project:
    """Give a project with one file, and an interval that is soon over."""
    project.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 0.05\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("app/work.py", WORK)
    project.write("test_other.py", "from app import work\n\ndef test_other():\n    work.other()\n")
    return project


def run(project: Project, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a session with pytest-xdist and ours alone."""
    return run_beside(project, "xdist", "-q", *options)


def warnings_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the section's warnings of one slug each."""
    return [line for line in done.stdout.splitlines() if line.startswith("WARNING: ")]


@pytest.mark.parametrize(
    "options",
    [
        ("-n0",),
        pytest.param(("-n2", "--dist=loadscope"), marks=SELDOM),
        pytest.param(("-n2", "--dist=loadfile"), marks=SELDOM),
        ("-n2", "--dist=loadgroup"),
        ("-n2", "--dist=worksteal"),
        ("-n9", "--maxprocesses=2"),
        ("--dist=each", "--tx=2*popen"),
    ],
    ids=" ".join,
)
def test_the_same_lines_however_tests_are_spread(app: Project, options: tuple[str, ...]) -> None:
    """Spread over processes in any way, each origin reaches the same lines, and nothing else is said."""
    app.write("conftest.py", GROUPED)
    done = run(app, *options)
    assert (done.returncode, warnings_of(done)) == (0, []), done.stdout + done.stderr
    tests = app.path / ".coverage.tests"
    assert expected("unit") == without_inits(lines_in(tests, "unit"))
    assert expected("e2e") == without_inits(lines_in(tests, "e2e"))


@pytest.mark.parametrize(
    ("crash", "how", "is_whole"),
    [
        ("os._exit(3)", "exited with 3", True),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL", False),
        ("ctypes.string_at(0)", "was ended by SIGSEGV", False),
    ],
    ids=["exit", "kill", "fault"],
)
def test_a_crashed_worker_is_named_and_its_data_kept(work: Project, crash: str, how: str, is_whole: bool) -> None:  # noqa: FBT001
    """A worker that ends in a test is named, with how it ended; at most its last interval is lost."""
    (first,), (last,), (other,) = (numbered(WORK, mark) for mark in ("first", "last", "other"))
    work.write("test_crash.py", CRASH.replace("FIRST", str(first)).replace("CRASH", crash))
    done = run(work, "-n1")
    (said,) = warnings_of(done)
    assert said.startswith("WARNING: worker gw0 crashed: its process ")
    missing = "" if is_whole else ", but what it reached in its last 0.05 s may be missing"
    assert said.endswith(f" {how}; its data up to then is kept{missing} (worker-crashed)")
    assert "1 failed, 2 passed" in done.stdout
    certain = {first, other} | ({last} if is_whole else set())
    assert certain <= set(lines_in(work.path / ".coverage", "unit")["work.py"])


def test_a_worker_that_dies_at_its_start_is_named(work: Project) -> None:
    """A worker that ends before it has written anything is named, too."""
    work.write(
        "conftest.py",
        """
        import os, signal
        if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    done = run(work, "-n1")
    (said,) = warnings_of(done)
    assert said.startswith("WARNING: worker gw0 crashed: its process ")
    assert said.endswith(" was ended by SIGKILL; nothing of it was written (worker-crashed)")
    assert numbered(WORK, "other")[0] in lines_in(work.path / ".coverage", "unit")["work.py"]


def test_a_worker_that_cannot_write_is_named(work: Project) -> None:
    """A worker whose folder cannot be written says so to its leader, which names it; the others' data counts."""
    work.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 3600\n")
    work.write(
        "conftest.py",
        """
        import os, shutil
        from pathlib import Path
        if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
            folder, = Path(".vmpilot-cov").glob("*-gw0")
            shutil.rmtree(folder)
            folder.write_text("no folder")
        """,
    )
    done = run(work, "--dist=each", "--tx=2*popen")
    (said,) = warnings_of(done)
    assert said.startswith("WARNING: worker gw0 did not deliver all that it reached: ")
    assert said.endswith("-gw0 cannot be written (Not a directory) (worker-incomplete)")
    assert done.returncode == 0
    assert numbered(WORK, "other")[0] in lines_in(work.path / ".coverage", "unit")["work.py"]


def test_nobody_waits_for_a_worker_that_has_delivered(work: Project) -> None:
    """A worker that is done with its tests is not asked again, although its process lives on until the verdict."""
    work.write(
        "conftest.py",
        """
        import os, time
        def pytest_unconfigure(config):
            until = time.monotonic() + 60
            while hasattr(config, "workerinput") and time.monotonic() < until and not os.path.exists(".coverage"):
                time.sleep(0.01)
        """,
    )
    done = run(work, "-n2")
    assert (done.returncode, warnings_of(done)) == (0, []), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("option", "test_first", "part"),
    [
        ("-x", "assert not work.first()", "stopped early: stopping after 1 failures"),
        ("-x", "pytest.exit('enough')", "stopped early: <WorkerController gw0> received keyboard-interrupt"),
        ("--maxfail=1", "os._exit(1)", ""),  # pytest-xdist starts another worker, which runs the others
    ],
    ids=["failure", "pytest.exit", "crash"],
)
def test_a_run_that_is_stopped_early_is_a_part(work: Project, option: str, test_first: str, part: str) -> None:
    """A run that workers stop early does not enforce the configuration's threshold; one to its last test does."""
    work.write(".coveragerc", "[run]\nsource = app\n[report]\nfail_under = 100\n")
    work.write("test_a.py", f"import os, pytest\nfrom app import work\n\ndef test_first():\n    {test_first}\n")
    work.write("test_b.py", "def test_b():\n    pass\n")
    done = run(work, "-n1", option)
    assert done.returncode != 0
    assert f"because only a part was run ({part})" in done.stdout or not part
    assert ("FAIL Required test coverage of 100% not reached" in done.stdout) == (not part), done.stdout


def test_workers_beside_another_coverage_count(work: Project) -> None:
    """Under ``coverage run``, which does not see the workers, they measure for the session."""
    command = ("-m", "coverage", "run", "--data-file=outer.cov", "-m", "pytest", "-p", "no:cacheprovider")
    plugins = ("-p", "xdist", "-p", "pytest_vmpilot_cov.plugin", "--vmpilot-cov", "-n1")
    done = work.run(sys.executable, *command, *plugins, env=EXPLICIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(collector-running)" in done.stdout
    assert {*numbered(WORK, "other")} < {*lines_in(work.path / ".coverage.tests")["work.py"]}
