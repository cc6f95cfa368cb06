"""The fixtures ``no_cover`` and ``cov``, and the marker ``no_cover``: what pytest-cov has for single tests."""

from __future__ import annotations

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.plugin.conftest import CORES

EXPLICIT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
OURS, THEIRS = ("-p", "pytest_vmpilot_cov.plugin"), ("-p", "pytest_cov.plugin")

CODE = """
    import sys  # import


    def by_fixture():  # import
        yield 1  # fixture
        sys.getsizeof(1)  # fixture


    def in_test(flag):  # import
        if flag:  # test
            return sys.getsizeof(1)  # hidden
        return 0  # test


    if __name__ == "__main__":  # import
        in_test(True)
"""

TESTS = """
    import os, subprocess, sys, threading
    import pytest
    from app import code

    @pytest.fixture
    def value():
        yield from code.by_fixture()

    def hidden():
        thread = threading.Thread(target=code.in_test, args=[True])
        thread.start()
        thread.join()
        subprocess.run([sys.executable, "-m", "app.code"], check=True)
        pid = os.fork()
        if pid == 0:
            code.in_test(True)
            os._exit(0)
        os.waitpid(pid, 0)
        assert code.in_test(True)

    @pytest.mark.no_cover
    def test_1_marked(value):
        hidden()

    def test_2_fixture(no_cover):
        hidden()

    def test_3_counts():
        assert code.in_test(False) == 0
"""


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with one file, two tests that are not to be measured, and one that is."""
    project.write("pytest.ini", "[pytest]\npythonpath = .\naddopts = --strict-markers\nfilterwarnings = error\n")
    project.write("app/__init__.py", "")
    project.write("app/code.py", CODE)
    project.write("tests/test_code.py", TESTS)
    return project


@pytest.mark.parametrize("branch", [(), ("--cov-branch",)], ids=["lines", "branch"])
@pytest.mark.parametrize("core", CORES)
def test_what_a_no_cover_test_runs_is_not_recorded(app: Project, core: str, branch: tuple[str, ...]) -> None:
    """Its call, the threads, forks and programs that it starts leave no line; its fixtures and the next test do."""
    done = app.pytest("--vmpilot-cov", "--cov=app", *branch, env={"COVERAGE_CORE": core})
    assert done.returncode == 0, done.stdout + done.stderr
    expected = numbered(CODE, "import", "fixture", "test")
    assert expected == lines_in(app.path / ".coverage")["code.py"]
    folders = [each for each in (app.path / ".vmpilot-cov").iterdir() if each.is_dir()]
    assert len(folders) == 1


ASKS = """
    import pytest
    from app import code

    def test_stop_and_start(cov):
        cov.stop()
        code.in_test(True)
        cov.start()
        code.in_test(False)
        print("MODULE", type(cov).__module__)
"""


@pytest.mark.parametrize("plugins", [(*OURS,), (*OURS, *THEIRS), (*THEIRS, *OURS)], ids=["alone", "first", "last"])
def test_the_fixture_cov_is_what_measures(app: Project, plugins: tuple[str, ...]) -> None:
    """With our flag the fixture gives our running Coverage in any load order, and it can be stopped and started."""
    app.write("tests/test_code.py", ASKS)
    done = app.pytest(*plugins, "-s", "--vmpilot-cov", "--cov=app", env=EXPLICIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MODULE server_hook.coverage_private" in done.stdout
    assert numbered(CODE, "import", "test") == lines_in(app.path / ".coverage")["code.py"]


def test_asking_it_for_data_loses_nothing(app: Project) -> None:
    """A test may ask the fixture for its data, or switch its context: what was measured counts all the same."""
    app.write(
        "tests/test_code.py",
        """
        from app import code

        def test_x(cov):
            code.in_test(True)
            cov.switch_context("somebody")
            code.in_test(False)
            cov.get_data()
        """,
    )
    done = app.pytest("--vmpilot-cov", "--cov=app", "--cov-branch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines_in(app.path / ".coverage")["code.py"] == numbered(CODE, "import", "test", "hidden")


def test_a_running_coverage_goes_on(app: Project) -> None:
    """Under ``coverage run`` the fixture gives the one that runs, which measures a no_cover test as well."""
    app.write(
        "tests/test_code.py",
        """
        import subprocess, sys
        import pytest
        from app import code

        @pytest.mark.no_cover
        def test_x(cov):
            code.in_test(True)
            subprocess.run([sys.executable, "-m", "app.code"], check=True)
            print("MODULE", type(cov).__module__)
        """,
    )
    done = app.run("python", "-m", "coverage", "run", "-m", "pytest", "-s", "--vmpilot-cov", "--cov=app")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MODULE coverage.control" in done.stdout
    assert "unit           1" in done.stdout
    assert len([each for each in (app.path / ".vmpilot-cov").iterdir() if each.is_dir()]) == 1


@pytest.mark.parametrize("plugins", [(*OURS, *THEIRS), (*THEIRS, *OURS)], ids=["first", "last"])
def test_without_our_flag_the_fixtures_are_pytest_covs(app: Project, plugins: tuple[str, ...]) -> None:
    """Without our flag, what pytest-cov has stays as it is."""
    app.write("tests/test_code.py", ASKS)
    done = app.pytest(*plugins, "-s", "--cov=app", env=EXPLICIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MODULE coverage.control" in done.stdout
    assert app.pytest(*plugins, "--markers", env=EXPLICIT).stdout.count("pytest.mark.no_cover") == 1


def test_without_pytest_cov_the_fixtures_are_there(app: Project) -> None:
    """Without pytest-cov and without our flag the fixture is None, and the marker is known to be one."""
    app.write(
        "tests/test_code.py",
        """
        import pytest

        @pytest.mark.no_cover
        def test_x(cov, no_cover):
            assert cov is None and no_cover is None
        """,
    )
    done = app.pytest(*OURS, env=EXPLICIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "vmpilot-cov:" not in done.stdout
