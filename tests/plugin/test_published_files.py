"""What coverage.py's own commands say right after a session, whatever was measured how."""

from __future__ import annotations

import pytest

from tests.conftest import Project

APP = "def run(flag):\n    if flag:\n        return 1\n    return 2\n"
NEVER = "def never():\n    return 3\n"
TEST = "from app import work\n\ndef test_run():\n    assert work.run(True) == 1\n"
SERVER = ("python", "-c", "from app import work; work.run(False)")
COMMANDS = (
    (("report",),),
    (("html",), ("report",)),
    (("combine",), ("report",)),
    (("combine", "--keep"), ("html",), ("report",)),
)


@pytest.fixture
def mixed(project: Project) -> Project:
    """Give a project whose tests and whose server reach different branches; a file of it never runs."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("app/__init__.py", "")
    project.write("app/work.py", APP)
    project.write("app/never.py", NEVER)
    project.write("test_work.py", TEST)
    return project


def total_in(output: str) -> list[str]:
    """Return the figures of coverage.py's table."""
    return next(line.split() for line in output.splitlines() if line.startswith("TOTAL"))


def check_bare_commands(project: Project, total: list[str]) -> None:
    """Run coverage.py's commands, each row of them on the same data files: every report prints *total*."""
    saved = {path: path.read_bytes() for path in project.path.glob(".coverage*") if path.name != ".coveragerc"}
    for commands in COMMANDS:
        for path, content in saved.items():
            path.write_bytes(content)
        for words in commands:
            done = project.run("python", "-m", "coverage", *words)
            assert done.returncode == 0, (commands, words, done.stdout, done.stderr)
        assert total_in(done.stdout) == total, (commands, done.stdout)


@pytest.mark.parametrize("server", ["lines", "branches", "no server"])
@pytest.mark.parametrize("tests", ["lines", "branches"])
def test_bare_commands_print_the_verdicts_total(mixed: Project, tests: str, server: str) -> None:
    """All published files are of one kind and name every file, so that report, html and combine work on them."""
    if server != "no server":
        branch = ["--branch"] if server == "branches" else []
        data_file = {"COVERAGE_FILE": ".coverage.pipeline"}
        mixed.run("python", "-m", "coverage", "run", *branch, "-m", "app.work", env=data_file)
        assert (mixed.path / ".coverage.pipeline").exists()
    done = mixed.pytest("--vmpilot-cov", *(["--cov-branch"] if tests == "branches" else []))
    assert done.returncode == 0, done.stdout
    check_bare_commands(mixed, total_in(done.stdout))


def test_a_server_that_ends_later_keeps_the_kind(mixed: Project) -> None:
    """A server of lines that publishes after a session of branches leaves a file that can be combined with them."""
    mixed.run(*SERVER, env={"VMPILOT_COV": "."})
    done = mixed.pytest("--vmpilot-cov", "--cov-branch")
    assert "branches-unknown" in done.stdout
    mixed.run(*SERVER, env={"VMPILOT_COV": "."})
    check_bare_commands(mixed, total_in(done.stdout))


@pytest.mark.parametrize(
    "words", [("combine",), ("combine", "elsewhere"), ("combine", "-f", "50"), ("report",)], ids=" ".join
)
def test_a_refusal_changes_nothing(mixed: Project, words: tuple[str, ...]) -> None:
    """Where the command has nothing to judge, the data files of before stay as they are."""
    mixed.run("python", "-m", "coverage", "run", "-m", "app.work")
    mixed.write("elsewhere/.coverage.tests", "")
    before = (mixed.path / ".coverage").read_bytes()
    done = mixed.run("vmpilot-cov", *words)
    assert (done.returncode, "(nothing-to-combine)" in done.stderr) == (1, True), done.stdout + done.stderr
    assert (mixed.path / ".coverage").read_bytes() == before
    assert {path.name for path in mixed.path.glob(".coverage*")} == {".coverage", ".coveragerc"}
