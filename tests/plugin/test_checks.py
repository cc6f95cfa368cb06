"""Thresholds of the section ``[vmpilot_cov:fail_under]``, and which of them a partial run has to reach."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.conftest import Project

SECTION = "[vmpilot_cov:fail_under]"
WHERE = f"{SECTION} in .coveragerc"
NO_FILE = "no file of the project that has statements matches (pattern-without-files)"
GAIN = "most to gain in app/tools/words.py (2 of 4 statements missing)"


@pytest.fixture
def two(project: Project) -> Project:
    """Give a project of two files with four statements each: unit tests reach three and two of them, E2E tests more."""
    half = "def f(flag):\n    if flag:\n        return 1\n    return 2\n"
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\nmarkers = slow\n")
    project.write("app/__init__.py", half)
    project.write("app/tools/__init__.py", "")
    project.write("app/tools/words.py", "def f():\n    x = 1\n    return x\n\n\ny = 1\n")
    project.write("tests/test_a.py", "import app\n\ndef test_one():\n    assert app.f(True) == 1\n")
    project.write(
        "tests/test_b.py",
        """
        import pytest
        import app.tools.words

        def test_two():
            assert app.f(True) == 1

        @pytest.mark.slow
        def test_three():
            assert app.f(True) == 1
        """,
    )
    return project


def configure(project: Project, *lines: str, report: str = "") -> None:
    """Write the configuration with these thresholds."""
    text = [f"[run]\nsource = app\n[report]\n{report}", *([SECTION, *lines] if lines else [])]
    project.write(".coveragerc", "\n".join(text) + "\n")


def verdict_of(done: subprocess.CompletedProcess[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines that judge."""
    words = ("FAIL ", "Required ", "Not enforced", "  50.00%")
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith(words)]


def run(project: Project, *options: str, **more: Any) -> tuple[int, list[str]]:
    """Run a session; return its exit code and the lines that judge."""
    return verdict_of(project.pytest("--vmpilot-cov", *options, **more))


def test_every_failed_check_is_one_line(two: Project) -> None:
    """Origins, patterns, each file and the total are checks of their own; those that fail say what and where."""
    configure(two, "total = 75", "unit = 60", "e2e = 10", "app/tools/* = 80", "app/toys/* = 5", "each = 60")
    assert run(two) == (
        1,
        [
            "Required coverage of 60% by unit reached: 62.50%",
            "FAIL Required coverage of 10% by e2e not reached: e2e has no data (origin-without-data)",
            f"FAIL Required coverage of 80% of app/tools/* not reached: 50.00%; {GAIN}",
            f"FAIL Required coverage of 5% of app/toys/* not reached: {NO_FILE}",
            f"FAIL Required coverage of 60% of each file not reached by 1 of 2; {GAIN}",
            "  50.00% in app/tools/words.py",
            "FAIL Required test coverage of 75% not reached. Total coverage: 62.50%",
        ],
    )


def test_checks_that_pass_pass_the_session(two: Project) -> None:
    """A session whose thresholds are all reached exits with 0."""
    configure(two, "total = 62", "each = 50")
    expected = [
        "Required coverage of 50% of each file reached: the lowest has 50.00%",
        "Required test coverage of 62% reached. Total coverage: 62.50%",
    ]
    assert run(two) == (0, expected)


def test_all_checks_are_in_the_json_report(two: Project) -> None:
    """The JSON report has every check, passed or failed, with its figures and the file with most to gain."""
    configure(two, "app/tools/* = 80", "unit = 60")
    two.pytest("--vmpilot-cov", "--cov-report=json", "--vmpilot-cov-require=unit")
    verdict = json.loads((two.path / "coverage.json").read_text())["vmpilot_cov"]["verdict"]
    words = "app/tools/words.py"
    assert [list(check.values()) for check in verdict["checks"]] == [
        ["require unit", True, "", None, None, "", []],
        ["unit", True, "Required coverage of 60% by unit reached: 62.50%", 60.0, 62.5, words, []],
        [
            "app/tools/*",
            False,
            f"FAIL Required coverage of 80% of app/tools/* not reached: 50.00%; {GAIN}",
            80.0,
            50.0,
            words,
            [],
        ],
    ]
    assert list(verdict["checks"][0]) == ["name", "passed", "text", "required", "actual", "file", "details"]


def test_the_total_of_our_section_wins_over_coverages(two: Project) -> None:
    """The header says which thresholds count, and where each was set."""
    configure(two, "total = 10", "unit = 20", report="fail_under = 90")
    done = two.pytest("--vmpilot-cov")
    assert f"configuration .coveragerc, fail_under 10, unit 20 from {WHERE}\n" in done.stdout
    assert verdict_of(done)[1][-1] == "Required test coverage of 10% reached. Total coverage: 62.50%"
    done = two.pytest("--vmpilot-cov", "--cov-fail-under=11")
    assert f"configuration .coveragerc, fail_under 11 from the command line and unit 20 from {WHERE}\n" in done.stdout


def test_thresholds_of_a_pyproject(two: Project) -> None:
    """The section stands in a pyproject.toml, too, and is read from any folder of the project."""
    (two.path / ".coveragerc").unlink()
    two.write(
        "pyproject.toml", '[tool.coverage.run]\nsource = ["app"]\n[tool.vmpilot_cov.fail_under]\n"app/tools/*" = 80\n'
    )
    expected = (1, [f"FAIL Required coverage of 80% of app/tools/* not reached: 50.00%; {GAIN}"])
    assert run(two) == expected
    assert run(two, "..", cwd=two.path / "app") == expected


@pytest.mark.parametrize("line", ["unit = 175", "uint = 60", "src/x** = 5"])
def test_a_threshold_without_a_meaning_ends_the_session(two: Project, line: str) -> None:
    """A threshold that means nothing is a usage error before any test is run, and misuse of the command."""
    configure(two, line)
    name, _, value = line.partition(" = ")
    for done, code in ((two.pytest("--vmpilot-cov"), 4), (two.run("vmpilot-cov", "report"), 2)):
        assert done.returncode == code
        assert f"{name}={value} (from {SECTION} in {two.path}/.coveragerc) " in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["combine", "report"])
def test_the_command_checks_the_same(two: Project, verb: str) -> None:
    """``combine`` and ``report`` apply the thresholds that a session does; a typed one takes the total's place."""
    configure(two, "total = 10", "app/tools/* = 80")
    expected = run(two)
    assert verdict_of(two.run("vmpilot-cov", verb)) == expected
    assert verdict_of(two.run("vmpilot-cov", verb, "-f", "99"))[1][-1] == (
        "FAIL Required test coverage of 99% not reached. Total coverage: 62.50%"
    )
    configure(two, "unit = 60")
    assert verdict_of(two.run("vmpilot-cov", verb)) == (0, ["Required coverage of 60% by unit reached: 62.50%"])


def left_out(part: str, what: str = "fail_under 90 from .coveragerc", pronoun: str = "it") -> str:
    """Return the line on thresholds that are not enforced."""
    return f"Not enforced: {what}, because only a part was run ({part}); --vmpilot-cov-strict enforces {pronoun}"


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["-k", "one"], "-k one"),
        (["-xk", "one or two"], "-k one or two"),
        (["-m", "not slow"], "-m not slow"),
        (["tests/test_a.py"], "tests/test_a.py"),
        (["-q", "tests/test_b.py::test_two", "-v"], "tests/test_b.py::test_two"),
        (["-v", "-q", "tests/test_a.py"], "tests/test_a.py"),
        (["--deselect=tests/test_b.py"], "--deselect tests/test_b.py"),
        (["--ignore", "tests/test_b.py"], "--ignore tests/test_b.py"),
    ],
)
def test_a_typed_selection_is_partial(two: Project, options: list[str], part: str) -> None:
    """A selection that was typed leaves the configuration's threshold out, and one line says so."""
    configure(two, report="fail_under = 90")
    assert run(two, *options) == (0, [left_out(part)])


@pytest.mark.parametrize("options", [[], ["tests"], ["-q", "--tb=short", "."], ["-m", ""], ["--ff"], ["-x"]])
def test_a_folder_is_the_whole(two: Project, options: list[str]) -> None:
    """A folder, options that select nothing, and -x that stopped nothing leave the threshold in force."""
    two.write("pytest.ini", "[pytest]\npythonpath = .\nmarkers = slow\ntestpaths = tests\naddopts = -m 'not slow'\n")
    configure(two, report="fail_under = 90")
    done = two.run("python", "-m", "pytest", "--vmpilot-cov", *options)
    failed = "FAIL Required test coverage of 90% not reached. Total coverage: 62.50%"
    assert verdict_of(done) == (1, [failed])


def test_the_last_failed_are_partial(two: Project) -> None:
    """``--lf`` after a failure runs a part."""
    configure(two, report="fail_under = 90")
    two.write("tests/test_c.py", "def test_c():\n    assert False\n")
    two.run("python", "-m", "pytest")
    two.write("tests/test_c.py", "def test_c():\n    pass\n")
    assert verdict_of(two.run("python", "-m", "pytest", "--vmpilot-cov", "--lf")) == (0, [left_out("--lf")])


def test_a_selection_in_addopts_is_the_whole(two: Project) -> None:
    """A selection of the configuration or of PYTEST_ADDOPTS defines the whole."""
    configure(two, report="fail_under = 90")
    failed = "FAIL Required test coverage of 90% not reached. Total coverage: 62.50%"
    assert run(two, env={"PYTEST_ADDOPTS": "tests/test_b.py -k two"}) == (1, [failed])


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_a_typed_threshold_is_enforced_in_a_partial_run(two: Project, workers: tuple[str, ...]) -> None:
    """A threshold that was typed beside the selection counts, those of the section do not; with workers the same."""
    if workers:
        pytest.importorskip("xdist")
    configure(two, "unit = 99", "each = 50")
    expected = [
        left_out("tests/test_a.py", f"unit 99, each 50 from {WHERE}", "them"),
        "FAIL Required test coverage of 80% not reached. Total coverage: 37.50%",
    ]
    assert run(two, "tests/test_a.py", "--cov-fail-under=80", *workers) == (1, expected)


def test_strict_enforces_always(two: Project) -> None:
    """With ``--vmpilot-cov-strict`` a partial run has to reach what the whole does."""
    configure(two, "total = 90", "app/tools/* = 80")
    code, shown = run(two, "-k", "two", "--vmpilot-cov-strict")
    assert (code, len(shown)) == (1, 2)


def test_a_partial_run_without_a_line_is_only_a_warning(two: Project) -> None:
    """A part that reaches nothing is warned of; a threshold that is not enforced does not fail it."""
    two.write("tests/test_c.py", "def test_c():\n    pass\n")
    configure(two, report="fail_under = 90")
    done = two.pytest("--vmpilot-cov", "tests/test_c.py")
    assert verdict_of(done) == (0, [left_out("tests/test_c.py")])
    assert "WARNING: nothing was measured" in done.stdout


@pytest.mark.parametrize(
    ("body", "options", "why"),
    [
        ("assert False", ("-x",), "stopped early: stopping after 1 failures"),
        ("assert False", ("-x", "-n1"), "stopped early: stopping after 1 failures"),
        ("import pytest; pytest.exit('enough', returncode=0)", (), "stopped early: enough"),
        ("raise KeyboardInterrupt", (), "stopped by Ctrl-C"),
    ],
)
def test_a_run_that_was_stopped_is_partial(two: Project, body: str, options: tuple[str, ...], why: str) -> None:
    """After a stop at the first failure, ``pytest.exit`` and Ctrl-C the figures are those of a part."""
    if "-n1" in options:
        pytest.importorskip("xdist")
    two.write("tests/test_a.py", f"import app\n\ndef test_one():\n    app.f(True)\n    {body}\n")
    configure(two, report="fail_under = 90")
    assert run(two, *options)[1] == [left_out(why)]


def test_a_failure_of_the_last_test_is_no_early_stop(two: Project) -> None:
    """With ``-x`` and a failure of the last test everything was run, and the threshold counts."""
    two.write("tests/test_z.py", "def test_last():\n    assert False\n")
    configure(two, report="fail_under = 90")
    assert run(two, "-x") == (1, ["FAIL Required test coverage of 90% not reached. Total coverage: 62.50%"])


@pytest.mark.parametrize(("runner", "ide"), [("vscode_pytest", "VS Code"), ("_jb_pytest_runner", "PyCharm")])
def test_in_an_ide_its_arguments_are_configuration(two: Project, runner: str, ide: str) -> None:
    """What an IDE's runner passes beside the selection is not enforced on a part, and is on the whole."""
    plugin = ["-p", runner] if ide == "VS Code" else []
    start = (
        f"import sys\nimport pytest\nif __name__ == '__main__':\n    sys.exit(pytest.main({plugin} + sys.argv[1:]))\n"
    )
    two.write(f"{runner}.py", start)
    words = ("python", f"{runner}.py", "--vmpilot-cov", "--cov-fail-under=90", "-p", "no:cacheprovider")
    what = f"fail_under 90 from the command line of {ide}"
    node = "tests/test_a.py::test_one"
    assert verdict_of(two.run(*words, node)) == (0, [left_out(node, what)])
    assert two.run(*words, "tests").returncode == 1
    assert two.run(*words, node, "--vmpilot-cov-strict").returncode == 1


def test_options_of_a_conftest_are_understood(two: Project) -> None:
    """The value of an option that a conftest has added is not taken for a path."""
    two.write("conftest.py", "def pytest_addoption(parser):\n    parser.addoption('--stage')\n")
    shutil.copy(two.path / "tests" / "test_a.py", two.path / "prod.py")
    configure(two, report="fail_under = 90")
    assert run(two, "--stage", "prod.py")[0] == 1
    assert run(two, "--stage", "test", "prod.py") == (0, [left_out("prod.py")])
