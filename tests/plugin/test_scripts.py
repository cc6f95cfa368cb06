"""E2E shell scripts are tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in, wait_for
from tests.plugin.conftest import expected


@pytest.fixture
def scripts(app: Project) -> Project:
    """Give a project with a script that passes and one that fails."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ne2e_scripts = tests/scripts/*.sh\n")
    app.write("tests/scripts/good.sh", "set -eu\necho all is well\npython -m app.child e2e\n")
    app.write("tests/scripts/bad.sh", "echo it went wrong\necho and here is why >&2\nexit 3\n")
    app.write("tests/scripts/notes.txt", "no script\n")
    (app.path / "tests/test_mixed.py").unlink()
    return app


@pytest.mark.parametrize("flag", [(), ("--vmpilot-cov",)], ids=["off", "on"])
def test_each_script_is_one_item(scripts: Project, flag: tuple[str, ...]) -> None:
    """A script passes on exit 0, and shows its output and exit code when it fails, with the flag and without."""
    done = scripts.pytest("-v", *flag)
    assert done.returncode == 1
    assert re.search(r"tests/scripts/good.sh\S* PASSED", done.stdout)
    assert re.search(r"tests/scripts/bad.sh\S* FAILED", done.stdout)
    assert "bad.sh exited with 3; it printed:\nit went wrong\nand here is why" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_scripts_can_be_selected(scripts: Project) -> None:
    """``-k`` selects scripts by name."""
    done = scripts.pytest("-k", "good")
    assert done.returncode == 0
    assert "1 passed, 1 deselected" in done.stdout


def test_testpaths_do_not_leave_scripts_out(scripts: Project) -> None:
    """Scripts outside of ``testpaths`` are collected once in a run of all tests, and not when a path is typed."""
    scripts.write("pytest.ini", "[pytest]\ntestpaths = tests/unit\n")
    scripts.write("tests/unit/test_one.py", "def test_one():\n    pass\n")
    assert "1 failed, 2 passed" in scripts.pytest().stdout
    assert "1 passed" in scripts.pytest("tests/unit").stdout
    scripts.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    assert "1 failed, 2 passed" in scripts.pytest().stdout


def test_python_children_of_a_script_are_e2e(scripts: Project) -> None:
    """What the Python processes of a script run counts as E2E."""
    scripts.pytest("--vmpilot-cov", "-q", "-k", "good")
    assert lines_in(scripts.path / ".coverage.tests", "e2e")["child.py"] == expected("e2e")["child.py"]


def test_scripts_can_be_spread_by_xdist(scripts: Project) -> None:
    """pytest-xdist's workers run scripts, and their lines are counted."""
    done = scripts.pytest("--vmpilot-cov", "-q", "-n", "2")
    assert "1 failed, 1 passed" in done.stdout
    assert lines_in(scripts.path / ".coverage.tests", "e2e")["child.py"] == expected("e2e")["child.py"]


def test_a_script_that_hangs_is_ended_with_its_children(scripts: Project) -> None:
    """After ``script_timeout_s`` the script and its children, even those in other groups, are ended."""
    scripts.write(
        ".coveragerc",
        "[run]\nsource = app\n[vmpilot_cov]\ne2e_scripts = tests/scripts/*.sh\nscript_timeout_s = 2\n",
    )
    scripts.write("tests/scripts/bad.sh", "set -m\nsleep 1000 &\necho $! > child.pid\nwait\n")
    done = scripts.pytest("-k", "bad")
    assert done.returncode == 1
    assert "bad.sh did not end within 2 s" in done.stdout
    child = int((scripts.path / "child.pid").read_text())
    wait_for(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))


def test_a_script_may_leave_no_daemon_behind(scripts: Project) -> None:
    """A background child that a passing script forgets is ended with it, and does not hold the test up."""
    scripts.write("tests/scripts/good.sh", "sleep 1000 &\necho $! > child.pid\n")
    done = scripts.pytest("-k", "good")
    assert done.returncode == 0
    child = int((scripts.path / "child.pid").read_text())
    wait_for(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))


def test_a_shown_node_id_can_be_pasted_back(scripts: Project) -> None:
    """What ``-v`` and the summary show for a script is what selects it."""
    done = scripts.pytest("-v", "-rA")
    shown = {line.split()[0] for line in done.stdout.splitlines() if re.search(r" (PASSED|FAILED) ", line)}
    shown |= {line.split()[1] for line in done.stdout.splitlines() if re.match(r"(PASSED|FAILED) ", line)}
    assert shown == {"tests/scripts/good.sh::good.sh", "tests/scripts/bad.sh::bad.sh"}
    assert "1 passed" in scripts.pytest("tests/scripts/good.sh::good.sh").stdout


def test_how_scripts_are_run_can_be_set(scripts: Project) -> None:
    """Every script gets the configured folder, arguments and variables."""
    scripts.write(
        ".coveragerc",
        """
        [vmpilot_cov]
        e2e_scripts = tests/scripts/*.sh
        e2e_scripts_cwd = tests/scripts
        e2e_scripts_args = --url "a b" c
        e2e_scripts_env =
            FIRST=one, two
            SECOND=a=b
        """,
    )
    scripts.write("tests/scripts/bad.sh", 'printf "<%s>" "$@" "${PWD##*/}" "$FIRST" "$SECOND"; exit 1\n')
    done = scripts.pytest("-k", "bad")
    assert "it printed:\n<--url><a b><c><scripts><one, two><a=b>" in done.stdout


@pytest.mark.parametrize(
    ("testpaths", "patterns", "names"),
    [
        ("tests", "tests/scripts/*.sh, !tests/scripts/b*.sh", {"good.sh"}),
        ("tests", "!tests/scripts/b*.sh, tests/scripts/*.sh", {"good.sh", "bad.sh"}),
        ("tests", "./tests/*, !*.txt, !./tests/scripts/good.sh", {"bad.sh"}),
        ("elsewhere", "tests/scripts/*.sh, !tests/scripts/b*.sh", {"good.sh"}),
    ],
)
def test_patterns_can_take_scripts_out(scripts: Project, testpaths: str, patterns: str, names: set[str]) -> None:
    """A pattern that begins with ``!`` takes out what an earlier one has named, within ``testpaths`` and outside."""
    (scripts.path / "elsewhere").mkdir()
    scripts.write("pytest.ini", f"[pytest]\ntestpaths = {testpaths}\n")
    scripts.write(".coveragerc", f"[vmpilot_cov]\ne2e_scripts = {patterns}\n")
    done = scripts.pytest("--collect-only", "-q")
    collected = {line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line}
    assert collected == names


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("e2e_scripts_cwd = nowhere", "e2e_scripts_cwd=nowhere (from [vmpilot_cov] in "),
        ("e2e_scripts_args = 'open", "e2e_scripts_args='open (from [vmpilot_cov] in "),
        ("e2e_scripts_env = NAME", "e2e_scripts_env=NAME (from [vmpilot_cov] in "),
    ],
)
def test_a_setting_of_scripts_without_a_meaning_is_refused(scripts: Project, setting: str, expected: str) -> None:
    """A folder that is none, an open quotation mark and a variable without a value are usage errors that say so."""
    scripts.write(".coveragerc", f"[vmpilot_cov]\n{setting}\n")
    done = scripts.pytest()
    assert (done.returncode, expected in done.stderr, "(setting-invalid)" in done.stderr) == (4, True, True)


@pytest.mark.parametrize("value", ["soon", "0", "-1"])
def test_a_time_limit_that_is_none_is_refused(scripts: Project, value: str) -> None:
    """A ``script_timeout_s`` that is no number of seconds is a usage error that says so."""
    scripts.write(".coveragerc", f"[vmpilot_cov]\nscript_timeout_s = {value}\n")
    done = scripts.pytest()
    assert done.returncode == 4
    assert f"script_timeout_s={value} (from [vmpilot_cov] in " in done.stderr


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
