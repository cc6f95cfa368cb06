"""Beside pytest-cov, and beside a coverage.py that somebody else has started."""

from __future__ import annotations

import pytest

from tests.conftest import Project, lines_in
from tests.plugin.conftest import EXPLICIT, expected


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ((), {}),
        (("-p", "no:pytest_cov"), {}),
        (("-p", "pytest_vmpilot_cov.plugin"), EXPLICIT),
        (("-p", "pytest_cov.plugin", "-p", "pytest_vmpilot_cov.plugin"), EXPLICIT),
        (("-p", "pytest_vmpilot_cov.plugin", "-p", "pytest_cov.plugin"), EXPLICIT),
    ],
    ids=["both", "blocked", "alone", "pytest-cov first", "ours first"],
)
def test_measures_in_either_load_order(app: Project, options: tuple[str, ...], env: dict[str, str]) -> None:
    """With pytest-cov, without it and in either load order the shared options are there and ours measures."""
    done = app.pytest(*options, "--vmpilot-cov", "--cov-fail-under=1", "--cov-report=term-missing", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Required test coverage of 1% reached" in done.stdout
    assert lines_in(app.path / ".coverage", "unit")["shared.py"] == expected("unit")["shared.py"]
    assert app.pytest(*options, "--help", env=env).returncode == 0


def test_cov_without_our_flag_is_pytest_covs(app: Project) -> None:
    """``--cov`` without ``--vmpilot-cov`` runs pytest-cov untouched."""
    done = app.pytest("--cov=app", "--cov-report=term")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests coverage" in done.stdout
    assert "== vmpilot-cov ==" not in done.stdout
    assert not (app.path / ".vmpilot-cov").exists()


def test_cov_with_our_flag_says_what_to_measure(app: Project) -> None:
    """``--cov=SOURCE`` with ``--vmpilot-cov`` replaces the configured source, and pytest-cov stays quiet."""
    app.write("other/__init__.py", "x = 1\n")
    app.write("conftest.py", "import other\n")
    done = app.pytest("--vmpilot-cov", "--cov=other")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests coverage" not in done.stdout
    assert lines_in(app.path / ".coverage") == {"__init__.py": [1]}


def test_the_environment_is_given_back(app: Project) -> None:
    """After the session the variables for its children are gone."""
    app.write(
        "run_twice.py",
        """
        import os, pytest
        pytest.main(["-q", "--vmpilot-cov", "-k", "test_1_unit", "-p", "no:cacheprovider"])
        print(sorted(name for name in os.environ if name.startswith("VMPILOT")))
        """,
    )
    done = app.run("python", "run_twice.py")
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_a_pytest_process_never_counts_as_pipeline(app: Project) -> None:
    """With ``VMPILOT_COV`` in the shell a session without the flag records nothing."""
    done = app.pytest("-q", "-k", "test_1_unit", env={"VMPILOT_COV": "."})
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (app.path / ".vmpilot-cov").exists()


@pytest.mark.parametrize("options", [(), ("--vmpilot-cov", "--no-cov")])
def test_children_of_a_session_that_does_not_measure_are_no_pipeline(app: Project, options: tuple[str, ...]) -> None:
    """With ``VMPILOT_COV`` in the shell what tests start is not recorded; the header says so, the shell keeps it."""
    app.write(
        "run_it.py",
        """
        import os, pytest, sys
        pytest.main([*sys.argv[1:], "-k", "child", "-p", "no:cacheprovider"])
        print(os.environ["VMPILOT_COV"])
        """,
    )
    app.write(
        "test_child.py",
        """
        import subprocess, sys
        def test_child():
            subprocess.run([sys.executable, "-c", "import app"], check=True)
        """,
    )
    done = app.run("python", "run_it.py", *options, env={"VMPILOT_COV": "."})
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert (app.path / ".vmpilot-cov").exists() is False
    assert f"VMPILOT_COV={app.path} is kept from what the tests start" in done.stdout
    assert done.stdout.splitlines()[-1] == str(app.path)


def test_pytest_does_not_want_to_rewrite_what_the_start_up_line_has_imported(project: Project) -> None:
    """Where warnings are errors, a process that the start-up line has prepared is no reason for one."""
    project.write("conftest.py", "import pytest, server_hook\npytest.register_assert_rewrite('server_hook')\n")
    project.write("test_it.py", "def test_it():\n    pass\n")
    project.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    done = project.pytest("--vmpilot-cov", "-p", "no:asyncio", "-W", "error")
    assert done.returncode == 0, done.stdout + done.stderr
