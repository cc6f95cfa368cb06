"""Another coverage.py that starts on top of ours: a plugin's, a fixture's, a test's, or that of a program."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import CORES, EXPLICIT

CODE = """
    def unit(flag):  # import
        if flag:  # unit
            return 1  # unit
        return 0  # never


    def e2e():  # import
        return 2  # e2e


    def alone():  # import
        return 3  # alone


    def late():  # import
        return 4  # late
"""
BEGIN = "coverage.Coverage(data_file='theirs.cov', config_file=False, source=['app'], branch={branch})"
TESTS = """
    import coverage
    import pytest
    from app import code

    def test_1():
        code.alone()

    {how}

    def test_9():
        code.late()
"""
IN_TESTS = """
    THEIRS = {begin}

    def test_2():
        THEIRS.start()
        code.unit(True)

    @pytest.mark.e2e
    def test_3():
        code.e2e()

    def test_4():
        code.unit(True)
        THEIRS.stop()
        THEIRS.save()
"""
IN_FIXTURE = """
    @pytest.fixture(scope="module")
    def theirs():
        cov = {begin}
        with cov.collect():
            yield cov
            cov.save()

    def test_2(theirs):
        code.unit(True)
        theirs.get_data()

    @pytest.mark.e2e
    def test_3(theirs):
        code.e2e()
"""
NEVER_STOPPED = """
    THEIRS = {begin}

    def test_2():
        THEIRS.start()
        code.unit(True)
        THEIRS.save()

    @pytest.mark.e2e
    def test_3():
        THEIRS.switch_context("some")
        code.e2e()
"""
TWO = "from app import code\n\ndef test_1():\n    code.e2e()\n\ndef test_2():\n    code.late()\n"
WAYS = {"tests": IN_TESTS, "fixture": IN_FIXTURE, "never stopped": NEVER_STOPPED}


@pytest.fixture
def measured(project: Project) -> Project:
    """Give a project with one file."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\nmarkers = e2e\n")
    project.write("app/code.py", CODE)
    return project


def run(project: Project, *options: str, core: str = "ctrace") -> subprocess.CompletedProcess[str]:
    """Run a session with ours alone."""
    words = ("-m", "pytest", "-q", "-p", "pytest_vmpilot_cov.plugin", *options)
    return project.run(sys.executable, *words, env={**EXPLICIT, "COVERAGE_CORE": core})


def begin(*, branch: bool = False) -> str:
    """Return how another one is made."""
    return BEGIN.format(branch=branch)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("way", WAYS)
def test_lines_that_the_other_one_measures_count(measured: Project, way: str, core: str) -> None:
    """Each line counts for the origin of the test that ran it, and the other one's file is what it is without us."""
    how = WAYS[way].format(begin=begin()).replace("\n", "\n")
    measured.write("test_it.py", TESTS.replace("{how}", how.strip()))
    run(measured, core=core)
    theirs = lines_in(measured.path / "theirs.cov")
    (measured.path / "theirs.cov").unlink()
    done = run(measured, "--vmpilot-cov", core=core)
    assert (done.returncode, "WARNING" in done.stdout) == (0, False), done.stdout + done.stderr
    found = measured.path / ".coverage"
    assert lines_in(found, "unit")["code.py"] == numbered(CODE, "import", "unit", "alone", "late")
    assert lines_in(found, "e2e")["code.py"] == numbered(CODE, "import", "e2e")
    assert lines_in(measured.path / "theirs.cov") == theirs


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True)])
def test_branches_of_one_and_lines_of_the_other(measured: Project, ours: bool, theirs: bool) -> None:  # noqa: FBT001
    """Whether either measures branches or lines, every line counts."""
    how = IN_TESTS.format(begin=begin(branch=theirs))
    measured.write("test_it.py", TESTS.replace("{how}", how.strip()))
    done = run(measured, "--vmpilot-cov", *(["--cov-branch"] if ours else []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("(branches-unknown)" in done.stdout) == (ours and not theirs)
    expected = numbered(CODE, "import", "unit", "alone", "late", "e2e")
    assert lines_in(measured.path / ".coverage")["code.py"] == expected


def test_what_the_other_one_leaves_out_is_named(measured: Project) -> None:
    """Where the other one does not measure a file of the source, one line names the file."""
    other = begin().replace("source=['app']", "source=['elsewhere']")
    measured.write("test_it.py", TESTS.replace("{how}", IN_TESTS.format(begin=other).strip()))
    done = run(measured, "--vmpilot-cov", "-W", "ignore")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its settings leave out app/code.py: lines of these that ran meanwhile are missing" in done.stdout
    assert lines_in(measured.path / ".coverage")["code.py"] == numbered(CODE, "import", "alone", "late")


def test_what_is_left_out_in_a_child_is_named(measured: Project) -> None:
    """Where a child's own coverage.py does not measure a file of the source, the section names child and file."""
    measured.write("program.py", PROGRAM.replace('source=["app"]', 'source=["no"]'))
    call = "subprocess.run([sys.executable, 'program.py'])"
    measured.write("test_it.py", f"import subprocess, sys\n\ndef test_it():\n    {call}\n")
    done = run(measured, "--vmpilot-cov")
    named = f"another coverage.py measured for a while, without {measured.path}/app/code.py (coverage-on-top)"
    assert f"program.py) could not record all that it ran: {named}" in done.stdout, done.stdout


def test_a_plugin_that_never_stops_costs_no_verdict(measured: Project) -> None:
    """A plugin that measures until pytest has ended leaves the verdict alone, in a session and in a worker."""
    measured.write(
        "conftest.py",
        f"""
        import coverage

        def pytest_runtest_protocol(item):
            if not hasattr(item.config, "theirs"):
                item.config.theirs = {begin()}
                item.config.theirs.start()

        def pytest_unconfigure(config):
            if hasattr(config, "theirs"):
                config.theirs.stop()
                config.theirs.save()
        """,
    )
    measured.write("test_it.py", TWO)
    for options in ((), ("-p", "xdist", "-n1")):
        done = run(measured, "--vmpilot-cov", *options)
        assert (done.returncode, "WARNING" in done.stdout) == (0, False), done.stdout + done.stderr
        assert lines_in(measured.path / ".coverage")["code.py"] == numbered(CODE, "import", "e2e", "late")
    assert numbered(CODE, "e2e", "late") == lines_in(measured.path / "theirs.cov")["code.py"]


PROGRAM = """
    import coverage, sys
    cov = coverage.Coverage(data_file="theirs.cov", config_file=False, source=["app"])
    cov.start()
    from app import code
    code.e2e()
    if "leave" not in sys.argv:
        cov.stop()
        cov.save()
        code.late()
    if "kill" in sys.argv:
        import os, signal
        os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(
    ("words", "marks"),
    [
        (("program.py",), ("import", "e2e", "late")),
        (("program.py", "leave"), ("import", "e2e")),
        (("program.py", "leave", "kill"), ("import", "e2e")),
        (("-m", "coverage", "run", "--data-file=theirs.cov", "program.py", "leave", "kill"), ("import", "e2e")),
    ],
    ids=["stopped", "left running", "ended by a signal", "coverage run"],
)
def test_a_child_that_measures_itself_counts(measured: Project, words: tuple[str, ...], marks: tuple[str, ...]) -> None:
    """What a test's child measures by a coverage.py of its own counts for the test, however it ends."""
    measured.write("program.py", PROGRAM)
    call = f"subprocess.run([sys.executable, *{words!r}])"
    measured.write("test_it.py", f"import subprocess, sys\n\ndef test_it():\n    {call}\n")
    done = run(measured, "--vmpilot-cov")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines_in(measured.path / ".coverage", "unit")["code.py"] == numbered(CODE, *marks)
    if "leave" not in words:  # else it does not save
        assert set(numbered(CODE, "import", "e2e")) <= set(lines_in(measured.path / "theirs.cov")["code.py"])


CLI = """
    import coverage


    def main(data_file=None):
        cov = coverage.Coverage(data_file=data_file, config_file=False, source=["app"])
        cov.start()
        value = work()
        for number in range(2):
            value += number
        cov.stop()
        return value


    def work():
        return 1


    if __name__ == "__main__":
        main()
"""


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("branch", [(), ("--cov-branch",)], ids=["lines", "branch"])
@pytest.mark.parametrize("call", ["cli.main()", "subprocess.run([sys.executable, '-m', 'app.cli'])"])
def test_a_function_that_starts_another_one_is_measured_whole(
    measured: Project, call: str, branch: tuple[str, ...], core: str
) -> None:
    """A function of the source that starts and stops a coverage.py, as a command does, has all its lines."""
    measured.write("app/cli.py", CLI)
    measured.write("test_it.py", f"import subprocess, sys\nfrom app import cli\n\ndef test_it():\n    {call}\n")
    done = run(measured, "--vmpilot-cov", *branch, core=core)
    assert (done.returncode, "(coverage-on-top)" in done.stdout) == (0, False), done.stdout + done.stderr
    lines = [1, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 18, *([19] if "run" in call else [])]
    assert lines_in(measured.path / ".coverage")["cli.py"] == lines


def test_beside_pytest_testmon(measured: Project) -> None:
    """pytest-testmon, which measures each test by a coverage.py of its own, and ours have every line."""
    pytest.importorskip("testmon")
    measured.write("test_it.py", TWO)
    done = run(measured, "-p", "testmon.pytest_testmon", "--testmon", "--vmpilot-cov")
    assert (done.returncode, "WARNING" in done.stdout) == (0, False), done.stdout + done.stderr
    assert lines_in(measured.path / ".coverage")["code.py"] == numbered(CODE, "import", "e2e", "late")
    assert "no tests ran" in run(measured, "-p", "testmon.pytest_testmon", "--testmon", "--vmpilot-cov").stdout
