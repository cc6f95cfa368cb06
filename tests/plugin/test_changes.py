"""What a change added, judged by sessions and by the command in real repositories."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project

AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org")
BEFORE = "def one():\n    return 1\n"
AFTER = """\
def one():
    return 1


def two(flag):
    if flag:
        return 2
    value = (
        3
    )
    return value


def three():
    return 3
"""
TEST = """
    import pytest
    from app import work

    def test_one():
        assert work.one() == 1

    @pytest.mark.e2e
    def test_two():
        assert work.two(True) == 2
"""
UNREACHED = ["  app/work.py:8-11", "  app/work.py:15-15"]


def git(project: Project, *words: str) -> str:
    """Run git in the project's repository."""
    done = project.run("git", *AUTHOR, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def app(project: Project) -> Project:
    """Give a repository with a branch of one commit after main: seven statements are new, three of them unreached."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    project.package("app", work=BEFORE)
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write(".gitignore", "__pycache__\n.coverage*\n.vmpilot-cov\n")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "before")
    git(project, "checkout", "-q", "-b", "feature")
    (project.path / "app/work.py").write_text(AFTER)
    project.write("tests/test_work.py", TEST)
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "after")
    return project


def unreached(output: str) -> list[str]:
    """Return what the section lists as reached by nobody."""
    lines = iter(output.partition("Reached by nobody:\n")[2].splitlines())
    return [*_indented(lines)]


def _indented(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("  "):
            return
        yield line


def test_a_session_shows_what_the_change_added(app: Project) -> None:
    """The section has the change's statements by origin, and each stretch that nobody reached."""
    done = app.pytest("--vmpilot-cov", "--vmpilot-cov-changed")
    assert done.returncode == 0, done.stdout + done.stderr
    base = git(app, "rev-parse", "--short=10", "main")
    assert f"The change since main ({base}): 4 of 7 statements in 1 file reached" in done.stdout
    rows = [line.split() for line in done.stdout.partition("\nChange ")[2].splitlines()]
    assert ["unit", "1", "7", "2", "29%", "0"] in rows
    assert ["e2e", "1", "7", "4", "57%", "2"] in rows
    assert unreached(done.stdout) == UNREACHED


@pytest.mark.parametrize(("required", "code"), [(57, 0), (58, 1)])
def test_the_threshold_needs_no_option(app: Project, required: int, code: int) -> None:
    """A threshold of the configuration is compared, and makes the session fail."""
    app.package("app", f"[vmpilot_cov:fail_under]\nchanged = {required}\n", work=AFTER)
    done = app.pytest("--vmpilot-cov")
    assert done.returncode == code, done.stdout + done.stderr
    said = "FAIL Required coverage of 58% of the change not reached" if code else "57% of the change reached"
    assert f"{said}: 57.14%" in done.stdout
    assert unreached(done.stdout) == UNREACHED
    assert app.run("python", "-m", "pytest_vmpilot_cov", "report").returncode == code


def test_a_partial_run_shows_the_change_and_does_not_enforce_it(app: Project) -> None:
    """With some of the tests, the threshold isn't enforced, and the list is shown all the same."""
    app.package("app", "[vmpilot_cov:fail_under]\nchanged = 100\n", work=AFTER)
    done = app.pytest("--vmpilot-cov", "-k", "one")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not enforced: changed 100 from [vmpilot_cov:fail_under] in .coveragerc" in done.stdout
    assert unreached(done.stdout) == ["  app/work.py:6-11", "  app/work.py:15-15"]
    assert app.pytest("--vmpilot-cov", "-k", "one", "--vmpilot-cov-strict").returncode == 1


def test_workers_change_nothing(app: Project) -> None:
    """Under pytest-xdist the change is judged once, by the process that leads."""
    done = app.pytest("--vmpilot-cov", "--vmpilot-cov-changed", "-n", "2")
    assert unreached(done.stdout) == UNREACHED


def test_a_commit_that_is_not_there_ends_the_session_before_the_tests(app: Project) -> None:
    """A misspelt commit, or a path behind the bare option, is a usage error."""
    for words in (["--vmpilot-cov-changed=nowhere"], ["--vmpilot-cov-changed", "tests/test_work.py"]):
        done = app.pytest("--vmpilot-cov", *words)
        assert (done.returncode, "test session starts" in done.stdout) == (4, False)
        assert "(from --vmpilot-cov-changed) is not a commit here" in done.stderr


def test_annotations_begin_their_lines_on_github(app: Project) -> None:
    """On GitHub, and only if they were asked for, stretches are commands that the runner takes, of the command too."""
    expected = [
        "::warning file=app/work.py,line=8,endLine=11,title=Not reached::2 statements that nobody reached",
        "::warning file=app/work.py,line=15,endLine=15,title=Not reached::1 statement that nobody reached",
    ]
    github = {"GITHUB_ACTIONS": "true"}
    session = app.pytest("--vmpilot-cov", "--vmpilot-cov-annotations", env=github)
    command = app.run("python", "-m", "pytest_vmpilot_cov", "report", "--annotations", env=github)
    for done in (session, command):
        assert [line for line in done.stdout.splitlines() if line.startswith("::")] == expected
    assert "::warning" not in app.pytest("--vmpilot-cov", "--vmpilot-cov-annotations").stdout


def test_the_page_has_the_lines_of_the_change(app: Project) -> None:
    """The page gets the changed lines of each file, which its filter and its marks need."""
    app.pytest("--vmpilot-cov", "--vmpilot-cov-changed", "--cov-report=page")
    pages = [(app.path / f"covpage/data/{number}.js").read_text("ascii") for number in (0, 1)]
    (work,) = [page for page in pages if "app/work.py" in page]
    assert '"changed":[3,4,5,6,7,8,9,10,11,12,13,14,15]' in work
    of_change = "[3,0,2,2,0,0,0,0]]"  # nobody reached 3 statements, E2E tests alone 2, both 2
    assert of_change in (app.path / "covpage/data/index.js").read_text("ascii")
    app.pytest("--vmpilot-cov", "--cov-report=page")
    assert '"changed":[]' in (app.path / "covpage/data/0.js").read_text("ascii")


def test_without_a_repository_the_threshold_fails_and_the_option_warns(project: Project) -> None:
    """What can't be compared isn't taken for reached; a session that only shows the change says why it doesn't."""
    project.package("app", work=BEFORE)
    project.write("tests/test_work.py", "from app import work\n\ndef test_one():\n    assert work.one() == 1\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    done = project.pytest("--vmpilot-cov", "--vmpilot-cov-changed")
    assert done.returncode == 0, done.stdout
    assert "WARNING: what this change touched is unknown" in done.stdout
    project.package("app", "[vmpilot_cov:fail_under]\nchanged = 1\n", work=BEFORE)
    done = project.pytest("--vmpilot-cov")
    assert done.returncode == 1
    assert "FAIL what this change touched is unknown" in done.stdout


def diff_cover(project: Project, base: str, *options: str) -> dict[str, object]:
    """Ask diff-cover about the same data: its total and what it misses, by file."""
    report = project.path / "diff.json"
    tool = Path(sys.executable).parent / "diff-cover"
    words = [str(tool), "coverage.xml", f"--compare-branch={base}", f"--format=json:{report}", *options]
    done = subprocess.run(words, cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(report.read_text())
    report.unlink()
    missing = {name: each["violation_lines"] for name, each in said["src_stats"].items()}
    return {"total": said["total_num_lines"], "missing": {name: lines for name, lines in missing.items() if lines}}


@pytest.mark.parametrize("branch", ["", "--cov-branch"])
@pytest.mark.skipif(not (Path(sys.executable).parent / "diff-cover").exists(), reason="diff-cover is not installed")
def test_diff_cover_gives_the_same_lines(app: Project, branch: str) -> None:
    """For committed, renamed, uncommitted and untracked lines, diff-cover counts and misses the same ones."""
    git(app, "mv", "app/work.py", "app/job.py")
    app.write("tests/test_work.py", TEST.replace("import work", "import job as work"))
    app.write("app/new.py", "x = 1\n\n\ndef f():\n    return x\n")
    git(app, "add", "-A")
    git(app, "commit", "-q", "-m", "moved")
    (app.path / "app/job.py").write_text(f"{AFTER}\n\ndef four():\n    return 4\n")
    app.write("app/untracked.py", "y = 1\n")
    app.pytest(
        "--vmpilot-cov", "--vmpilot-cov-changed=main", "--cov-report=xml", "--cov-report=json", *filter(None, [branch])
    )
    change = json.loads((app.path / "coverage.json").read_text())["vmpilot_cov"]["change"]
    ours = {name: each["missing"] for name, each in change["files"].items() if each["missing"]}
    theirs = diff_cover(app, "main", "--include-untracked")
    assert theirs == {"total": change["combined"]["statements"], "missing": ours}
    assert set(ours) == {"app/job.py", "app/new.py", "app/untracked.py"}
