"""A function that an exception leaves: under sysmon with branches coverage.py joins its line to the next call's."""

from __future__ import annotations

import sys

import coverage
import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import CORES

CHECKS = """
    def positive(number):  # import
        if number < 1:  # raised passed
            raise ValueError(number)  # raised
        return number  # passed


    class Checks:  # import
        def one(self, number):  # import
            return positive(number)  # raised passed

        def each(self, numbers):  # import
            for number in numbers:  # raised passed
                yield self.one(number)  # raised passed
"""

TESTS = """
    import pytest
    from app.checks import Checks

    def passes():
        assert list(Checks().each([1])) == [1]

    def raises():
        with pytest.raises(ValueError):
            list(Checks().each([0]))
"""

PASSED, RAISED = numbered(CHECKS, "passed"), numbered(CHECKS, "raised")
IMPORTED = numbered(CHECKS, "import")

SHORTEST = """
    def check(x):
        if x:
            if 1 // (x - 1):
                x = 2
        return x

    try:
        check(1)
    except ZeroDivisionError:
        check(0)
"""
"""No call goes from the line that raises to the one that returns: no core may say so."""


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("order", [("raises", "passes"), ("passes", "raises")], ids=["raises first", "passes first"])
def test_no_origin_or_test_has_a_line_of_the_one_before(app: Project, core: str, order: tuple[str, str]) -> None:
    """The line that raised counts for the test that raised, and its origin, alone: the next call is another one's."""
    app.write("app/checks.py", CHECKS)
    (app.path / "tests/test_mixed.py").unlink()
    first, second = order
    app.write(
        "tests/test_checks.py",
        f"""{TESTS}
    def test_1():
        {first}()

    @pytest.mark.e2e
    def test_2():
        {second}()
""",
    )
    options = ("--cov-branch", "--cov-context=test")
    done = app.pytest("--vmpilot-cov", *options, env={"COVERAGE_CORE": core})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {"raises": RAISED, "passes": PASSED}
    data = app.path / ".coverage.tests"
    for number, origin, what in (1, "unit", first), (2, "e2e", second):
        assert lines_in(data, origin)["checks.py"] == sorted(IMPORTED + lines[what])
        assert lines_in(data, f"tests/test_checks.py::test_{number}|run")["checks.py"] == lines[what]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="sysmon measures branches from Python 3.14")
@pytest.mark.xfail(coverage.version_info >= (7, 17, 1), reason="coverage.py joins two calls of a function")
def test_the_cores_agree_after_an_exception(project: Project) -> None:
    """Coverage.py alone finds the same arcs on each core; if this passes, docs/limits.md speaks of older releases."""
    project.write("main.py", SHORTEST)
    found = []
    for core in CORES:
        env = {"COVERAGE_CORE": core, "COVERAGE_FILE": core}
        assert project.run("python", "-m", "coverage", "run", "--branch", "main.py", env=env).returncode == 0
        found.append(project.run("python", "-m", "coverage", "report", "-m", env=env).stdout)
    assert found[0] == found[1]
