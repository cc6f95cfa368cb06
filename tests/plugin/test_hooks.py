"""The hooks that are offered to others, through the examples of their documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in
from tests.plugin.conftest import expected

EXAMPLES = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs" / "hooks.md").read_text("utf-8"), re.DOTALL
)
CONTAINER, CHECK, BADGE = EXAMPLES


def test_contributed_data_counts(app: Project) -> None:
    """A data file that a hook copies out of somewhere counts for the pipeline, and its copy is removed."""
    app.write("served.py", "from app import shared\nshared.for_e2e(True)\n")
    assert app.run("python", "-m", "coverage", "run", "--data-file=elsewhere/.coverage.x", "served.py").returncode == 0
    app.write("conftest.py", CONTAINER.replace('"docker"', '"./docker"'))
    docker = app.write(
        "docker", f'#!/bin/sh\necho "$2" > asked; cp {app.path}/elsewhere/.coverage.x "$3/.coverage.pipeline"\n'
    )
    docker.chmod(0o755)
    done = app.pytest("--vmpilot-cov", "-k", "1_unit", "--vmpilot-cov-require=pipeline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (app.path / "asked").read_text() == "pipelines:/app/server-data/.coverage.pipeline\n"
    assert lines_in(app.path / ".coverage", "pipeline")["shared.py"] == expected("e2e")["shared.py"]


def test_a_check_of_others_decides_too(app: Project) -> None:
    """A check that fails makes pytest exit with 1 and is said last, behind a threshold that was reached."""
    app.write("conftest.py", CHECK.replace("/server/", "/app/shared"))
    done = app.pytest("--vmpilot-cov", "-k", "1_unit", "--cov-fail-under=1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"FAIL {app.path}/app/shared.py is reached by unit tests alone\n" in done.stdout
    assert done.stdout.index("Required test coverage of 1% reached") < done.stdout.index("FAIL ")
    assert app.pytest("--vmpilot-cov").returncode == 0


def test_a_report_of_others_is_made(app: Project) -> None:
    """A report is written with the root as working folder, and the section says what it returned."""
    app.write("conftest.py", BADGE)
    app.write("pytest.ini", "[pytest]\n")
    done = app.pytest("--vmpilot-cov", "-k", "1_unit", cwd=app.path / "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Badge written to file badge.svg" in done.stdout
    assert "green" in (app.path / "badge.svg").read_text()


@pytest.mark.parametrize(
    ("hook", "code"),
    [("data", 0), ("checks", 1), ("report", 0)],
)
def test_a_hook_that_fails_is_named(app: Project, hook: str, code: int) -> None:
    """One that raises is named with its place; data and figures of the others stand, and a check counts as failed."""
    app.write(
        "conftest.py", f"import pathlib\n\ndef pytest_vmpilot_cov_{hook}():\n    pathlib.Path('nowhere').read_text()\n"
    )
    done = app.pytest("--vmpilot-cov", "--cov-fail-under=1", "-k", "1_unit")
    assert done.returncode == code, done.stdout + done.stderr
    assert f"pytest_vmpilot_cov_{hook} of the plugin " in done.stdout
    assert f"at {app.path}/conftest.py:4 (hook-failed)" in done.stdout
    assert "Required test coverage of 1% reached" in done.stdout


def combine_with_their_check(app: Project, more: str = "") -> None:
    """Let the command judge by the check of an installed package, which fails; *more* stands in its module, too."""
    app.write("packages/theirs.py", CHECK.replace("/server/", "/app/shared") + more)
    app.write("packages/theirs-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    app.write("packages/theirs-1.dist-info/entry_points.txt", "[vmpilot_cov]\ntheirs = theirs\n")
    assert app.pytest("--vmpilot-cov", "-k", "1_unit").returncode == 0
    done = app.run("vmpilot-cov", "combine", env={"PYTHONPATH": str(app.path / "packages")})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "is reached by unit tests alone" in done.stdout


def test_the_command_calls_hooks_of_installed_packages(app: Project) -> None:
    """``vmpilot-cov combine`` calls the hooks of a package's entry point, and a failed check is its exit code."""
    combine_with_their_check(app)
    assert app.run("vmpilot-cov", "combine").returncode == 0


def test_members_that_are_no_hooks_are_left_alone(app: Project) -> None:
    """A module of an installed package may have members that fail when they are asked for."""
    lazy = "\ndef __dir__():\n    return [*globals(), 'heavy']\ndef __getattr__(name):\n    raise ImportError(name)\n"
    combine_with_their_check(app, lazy)


def test_the_command_alone_imports_no_pytest(app: Project) -> None:
    """Combining and judging need nothing of pytest, which would double the time of a short command."""
    assert app.pytest("--vmpilot-cov", "-k", "1_unit").returncode == 0
    program = (
        "import sys\nfrom pytest_vmpilot_cov.cli.main import main\nsys.argv = ['vmpilot-cov', 'combine']\n"
        "code = main()\nprint([name for name in sys.modules if 'pytest' in name.replace('pytest_vmpilot_cov', '')])\n"
        "sys.exit(code)\n"
    )
    done = app.run("python", "-c", program)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stdout + done.stderr


LISTING = """
def pytest_sessionfinish(session):
    for plugin in session.config.pluginmanager.get_plugins():
        module = getattr(plugin, "__name__", type(plugin).__module__)
        if module.startswith("pytest_vmpilot_cov"):
            with open("listed", "a") as file:
                print(f"{module}.{type(plugin).__name__}", *dir(plugin), file=file)
"""
FIXTURES = {"cov", "no_cover", "pipeline_server", "vmpilot_cov_env"}


def test_our_plugins_list_their_hooks_and_fixtures_alone(app: Project) -> None:
    """Nothing else of ours is looked at by pytest, which looks for fixtures at every name that a plugin lists."""
    app.write("conftest.py", LISTING)
    assert app.pytest("--vmpilot-cov", "--cov-context=test").returncode == 0
    listed = {who: set(names) for who, *names in map(str.split, (app.path / "listed").read_text().splitlines())}
    assert len(listed) >= 8, listed
    assert all(listed.values()), listed
    others = {name for names in listed.values() for name in names if not name.startswith("pytest_")}
    assert others <= FIXTURES, others
    assert {"pipeline_server", "vmpilot_cov_env"} <= listed["pytest_vmpilot_cov.plugin.module"]
