"""A session inside a session: the outer one counts what it runs, and it judges itself only if it was typed to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import CORES, EXPLICIT

CODE = """
    def before():  # import
        return 1  # outer


    def inner():  # import
        return 2  # inner


    def inner_child():  # import
        return 3  # child


    def after():  # import
        return 4  # outer
"""
OUTER = """
    import os, subprocess, sys
    import pytest
    from app import code

    WORDS = ["-q", "-p", "no:cacheprovider", "-p", "pytest_vmpilot_cov.plugin", *{typed!r}, "inner"]

    def test_1():
        assert code.before() == 1

    def test_2():
        {run}

    def test_3():
        assert code.after() == 4
"""
INNER = """
    import subprocess, sys
    from app import code

    def test_inner():
        assert code.inner() == 2
        subprocess.run([sys.executable, "-c", "from app import code; code.inner_child()"], check=True)
"""
IN_PROCESS = "assert pytest.main(WORDS) == 0"
AS_CHILD = "subprocess.run([sys.executable, '-m', 'pytest', *WORDS], check=True)"
IN_FORK = """pid = os.fork()
        if pid == 0:
            os._exit(pytest.main(WORDS))
        assert os.waitpid(pid, 0)[1] == 0"""
ALL = numbered(CODE, "import", "outer", "inner", "child")


@pytest.fixture
def nested(project: Project) -> Project:
    """Give a project that measures by addopts, with a folder of tests that one of its tests runs."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\naddopts = --vmpilot-cov\nnorecursedirs = inner\n")
    project.write("app/code.py", CODE)
    project.write("inner/test_inner.py", INNER)
    return project


def run(
    project: Project, how: str, *options: str, typed: tuple[str, ...] = (), core: str = "ctrace"
) -> subprocess.CompletedProcess[str]:
    """Run the outer session, whose second test runs the inner one."""
    project.write("test_outer.py", OUTER.replace("{typed!r}", repr(list(typed))).replace("{run}", how))
    words = ("-m", "pytest", "-q", "-rP", "-p", "pytest_vmpilot_cov.plugin", *options, "test_outer.py")
    return project.run(sys.executable, *words, env={**EXPLICIT, "COVERAGE_CORE": core})


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("how", [IN_PROCESS, AS_CHILD, IN_FORK], ids=["in process", "child", "fork"])
def test_a_flag_in_addopts_leaves_the_inner_session_to_the_outer_one(nested: Project, how: str, core: str) -> None:
    """With the flag in addopts the outer session counts all that the inner one runs, and gives the one verdict."""
    done = run(nested, how, "--cov-fail-under=100", core=core)
    assert (done.returncode, done.stdout.count("= vmpilot-cov =")) == (0, 1), done.stdout + done.stderr
    assert lines_in(nested.path / ".coverage", "unit") == {"code.py": ALL}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("how", [IN_PROCESS, AS_CHILD, IN_FORK], ids=["in process", "child", "fork"])
def test_a_typed_flag_gives_the_inner_session_a_verdict_too(nested: Project, how: str, core: str) -> None:
    """With the flag typed the inner session judges what it ran itself; the outer one still counts all of it."""
    done = run(nested, how, "--cov-fail-under=100", typed=("--vmpilot-cov",), core=core)
    assert (done.returncode, done.stdout.count("= vmpilot-cov =")) == (0, 2), done.stdout + done.stderr
    inner, _, outer = done.stdout.partition("Required test coverage of 100% reached")
    assert "TOTAL" in inner
    assert outer
    totals = [line.split()[1:4] for line in inner.splitlines() if line.startswith("TOTAL ")]
    assert totals[-1] == ["8", "0", "100%"]
    assert totals[0] != totals[-1]
    assert lines_in(nested.path / ".coverage", "unit") == {"code.py": ALL}


def test_a_threshold_of_the_inner_session_fails_it_alone(nested: Project) -> None:
    """A threshold that was typed for the inner session is judged by what that one ran."""
    how = "assert pytest.main(WORDS) == 1"
    done = run(nested, how, "--cov-fail-under=100", typed=("--vmpilot-cov", "--cov-fail-under=100"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL Required test coverage of 100% not reached" in done.stdout


def test_other_settings_in_one_process_are_refused(nested: Project) -> None:
    """An inner session that would measure the process otherwise is a usage error; the outer one goes on."""
    done = run(nested, "assert pytest.main(WORDS) == 4", "--cov-fail-under=60", typed=("--vmpilot-cov", "--cov-branch"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(session-inside-differs)" in done.stdout
    assert lines_in(nested.path / ".coverage", "unit") == {"code.py": numbered(CODE, "import", "outer")}


@pytest.mark.parametrize("typed", [(), ("--vmpilot-cov",)], ids=["addopts", "typed"])
@pytest.mark.parametrize("how", [IN_PROCESS, AS_CHILD], ids=["in process", "child"])
def test_an_inner_session_in_a_worker(nested: Project, how: str, typed: tuple[str, ...]) -> None:
    """What an inner session runs in a worker of pytest-xdist counts for the session of all workers."""
    pytest.importorskip("xdist")
    done = run(nested, how, "-p", "xdist", "-n1", "--cov-fail-under=100", typed=typed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines_in(nested.path / ".coverage", "unit") == {"code.py": ALL}


@pytest.mark.parametrize("typed", [(), ("--vmpilot-cov",)], ids=["addopts", "typed"])
def test_an_inner_session_beside_a_running_coverage(nested: Project, typed: tuple[str, ...]) -> None:
    """Under ``coverage run`` the coverage.py that was there first measures the inner session, too."""
    nested.write("test_outer.py", OUTER.replace("{typed!r}", repr(list(typed))).replace("{run}", IN_PROCESS))
    words = ("-m", "coverage", "run", "--data-file=outer.cov", "-m", "pytest", "-q", "-rP")
    done = nested.run(sys.executable, *words, "-p", "pytest_vmpilot_cov.plugin", "test_outer.py", env=EXPLICIT)
    assert (done.returncode, done.stdout.count("= vmpilot-cov =")) == (0, 1 + len(typed)), done.stdout + done.stderr
    assert lines_in(nested.path / ".coverage") == {"code.py": ALL}


def test_a_session_after_a_session_is_not_inside_it(nested: Project) -> None:
    """Two sessions of one process, one after the other, are each measured and judged."""
    nested.write(
        "twice.py",
        """
        import pytest
        for _ in range(2):
            assert pytest.main(["-q", "-p", "pytest_vmpilot_cov.plugin", "-p", "no:cacheprovider", "inner"]) == 0
        """,
    )
    done = nested.run(sys.executable, "twice.py", env=EXPLICIT)
    assert (done.returncode, done.stdout.count("= vmpilot-cov =")) == (0, 2), done.stdout + done.stderr
