"""A part is a run from which tests were taken away, whoever did it; its thresholds are not enforced."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Project
from tests.plugin.conftest import EXPLICIT

CODE = "def first():\n    return 1\n\n\ndef second():\n    return 2\n"
TESTS = """
    import pytest
    from app import code

    def test_1():
        assert code.first() == 1

    @pytest.mark.slow
    def test_2():
        assert code.second() == 2
"""
EMPTIES = "def pytest_collection_modifyitems(items):\n    del items[1:]\n"
DESELECTS = """
    def pytest_collection_modifyitems(config, items):
        config.hook.pytest_deselected(items=items[1:])
        del items[1:]
"""
IGNORES = "def pytest_ignore_collect(collection_path):\n    return collection_path.name == 'test_b.py' or None\n"
IGNORES_FOLDER = "def pytest_ignore_collect(collection_path):\n    return collection_path.name == 'sub' or None\n"
REPLACES = "def pytest_configure(config):\n    config.args = ['test_a.py', 'sub']\n"
NEVER_RUNS = """
    import pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(session):
        for item in session.items[:1]:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return True
"""
NEVER_SCHEDULES = """
    from xdist.scheduler import LoadScheduling

    def pytest_xdist_make_scheduler(config, log):
        class First(LoadScheduling):
            def schedule(self):
                if self.collection is None:
                    self.collection = list(self.node2collection.values())[0]
                    self.pending[:] = [0]
                    self._send_tests(self.nodes[0], 1)
                    for node in self.nodes:
                        node.shutdown()

        return First(config, log)
"""


@pytest.fixture
def parts(project: Project) -> Project:
    """Give a project whose threshold is out of reach, with a test in each of two files."""
    project.write(".coveragerc", "[run]\nsource = app\n[report]\nfail_under = 100\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\nmarkers = slow\n")
    project.write("app/code.py", CODE)
    project.write("app/never.py", "x = 1\n")
    project.write("test_a.py", TESTS)
    project.write("test_b.py", "def test_3():\n    pass\n")
    return project


def run(project: Project, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a session with ours alone."""
    named = ("-p", "pytest_vmpilot_cov.plugin", "--vmpilot-cov", "-q")
    return project.run("python", "-m", "pytest", *named, *options, env=EXPLICIT)


def part_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return which part was run; empty where the threshold was enforced."""
    _, _, rest = done.stdout.partition("because only a part was run (")
    assert done.returncode == (0 if rest else 1), done.stdout + done.stderr
    return rest.partition("); --vmpilot-cov-strict")[0]


@pytest.mark.parametrize(
    ("conftest", "expected"),
    [
        (EMPTIES, "2 taken out by a plugin"),
        (DESELECTS, "2 deselected by conftest.py"),
        (IGNORES, "1 ignored by a plugin"),
        (NEVER_RUNS, "2 not run"),
        (IGNORES_FOLDER, "2 ignored by a plugin"),
        (REPLACES, "1 of the paths to collect replaced by a plugin"),
        ("def pytest_collection_modifyitems(items):\n    items.reverse()\n", ""),
        ("def pytest_ignore_collect(collection_path):\n    return collection_path.name == 'app' or None\n", ""),
        ("def pytest_configure(config):\n    config.args = ['sub', '.']\n", ""),
    ],
    ids=[
        *("empties the list", "deselects", "ignores a file", "does not run", "ignores a folder", "replaces paths"),
        *("only orders", "ignores no test", "adds a path"),
    ],
)
def test_a_plugin_that_takes_tests_away_makes_a_part(parts: Project, conftest: str, expected: str) -> None:
    """Tests that a plugin takes away, at whatever moment, make the run a part; another order does not."""
    if "sub" in conftest:
        parts.write("sub/test_c.py", "def test_4():\n    pass\n")
        parts.write("sub/more/test_d.py", "def test_5():\n    pass\n")
    parts.write("conftest.py", conftest)
    assert part_of(run(parts)) == expected


@pytest.mark.parametrize(
    ("addopts", "typed", "expected"),
    [
        ("", ("-k", "not zzz"), ""),
        ("", ("-k", "test_1"), "-k test_1"),
        ("-m 'not slow'", (), ""),
        ("-m 'not slow'", ("-k", "not zzz"), ""),
        ("-m 'not slow'", ("-m", ""), ""),
        ("", ("-m", "slow"), "-m slow"),
        ("", ("--ignore", "test_b.py"), "--ignore test_b.py"),
        ("", ("--ignore", "gone.py", "--ignore-glob", "*_gone.py"), ""),
        ("--ignore=test_b.py", (), ""),
        ("", ("--ignore-glob", "*_b.py"), "--ignore-glob *_b.py"),
        ("", ("--deselect", "test_b.py::test_gone"), ""),
        ("", ("--deselect", "test_b.py::test_3"), "--deselect test_b.py::test_3"),
        ("", ("test_b.py",), "test_b.py"),
        ("", (".",), ""),
    ],
)
def test_a_typed_option_that_takes_nothing_away_leaves_the_whole(
    parts: Project, addopts: str, typed: tuple[str, ...], expected: str
) -> None:
    """An option makes a part if it was typed and took tests away."""
    parts.write("pytest.ini", f"[pytest]\npythonpath = .\nmarkers = slow\naddopts = {addopts}\n")
    assert part_of(run(parts, *typed)) == expected


BOTH = ("test_a.py", "test_b.py")


@pytest.mark.parametrize(
    ("typed", "also", "expected"),
    [
        (("test_a.py::test_1", "test_a.py::test_2", "test_b.py"), "ignored/test_c.py", ""),
        (("test_a.py::test_1", "test_b.py"), "ignored/test_c.py", "test_a.py::test_1, test_b.py"),
        ((*BOTH, "sub"), "sub/test_c.py", ""),
        (BOTH, "sub/deep/test_c.py", "test_a.py, test_b.py"),
        ((*BOTH, "--ignore=sub/deep"), "sub/deep/test_c.py", "--ignore sub/deep"),
        (BOTH, "scripts/chat.sh", "test_a.py, test_b.py"),
        (("-p", "xdist", "-n2", *BOTH), "ignored/test_c.py", ""),
    ],
)
def test_typed_files_that_leave_nothing_out_are_the_whole(
    parts: Project, typed: tuple[str, ...], also: str, expected: str
) -> None:
    """Files and tests that were typed make a part if a run without them would have had more."""
    text = "[run]\nsource = app\n[report]\nfail_under = 100\n[vmpilot_cov]\ne2e_scripts = scripts/*.sh\n"
    parts.write(".coveragerc", text)
    parts.write("conftest.py", "collect_ignore = ['ignored']\n")
    parts.write(also, "def test_4():\n    pass\n")
    assert part_of(run(parts, *typed)) == expected


def test_last_failed_without_failures_is_the_whole(parts: Project) -> None:
    """``--lf`` runs all tests after a run without failures, and a part, whole files left out, after one with some."""
    run(parts)
    assert part_of(run(parts, "--lf")) == ""
    parts.write("test_a.py", "def test_1():\n    assert False\n\ndef test_2():\n    assert False\n")
    run(parts)
    done = run(parts, "--lf")
    assert "because only a part was run (--lf)" in done.stdout, done.stdout


def test_stepwise_is_a_part_once_it_has_passed_something_over(parts: Project) -> None:
    """``--sw`` makes a part when it begins at the test that failed last."""
    parts.write("test_b.py", "def test_3():\n    assert False\n")
    assert "only a part was run" not in run(parts, "--sw").stdout
    assert "because only a part was run (--sw)" in run(parts, "--sw").stdout


@pytest.mark.parametrize(
    ("conftest", "expected"),
    [
        (EMPTIES, "2 taken out by a plugin"),
        (DESELECTS, "2 deselected by conftest.py"),
        (IGNORES, "1 ignored by a plugin"),
        (NEVER_SCHEDULES, "2 not run"),
        ("", ""),
    ],
    ids=["empties the list", "deselects", "ignores a file", "does not schedule", "whole"],
)
def test_what_workers_leave_out_makes_a_part(parts: Project, conftest: str, expected: str) -> None:
    """The leader hears of tests that are taken away in the workers of pytest-xdist, or by its scheduling."""
    pytest.importorskip("xdist")
    parts.write("conftest.py", conftest)
    assert part_of(run(parts, "-p", "xdist", "-n2")) == expected


def test_a_typed_option_is_known_under_xdist(parts: Project) -> None:
    """What was typed makes a part under pytest-xdist, too, if it took tests away in the workers."""
    pytest.importorskip("xdist")
    assert part_of(run(parts, "-p", "xdist", "-n2", "-k", "test_1")) == "-k test_1"
    assert part_of(run(parts, "-p", "xdist", "-n2", "--ignore", "test_b.py")) == "--ignore test_b.py"
    assert part_of(run(parts, "-p", "xdist", "-n2", "-k", "not zzz")) == ""


def test_a_group_of_pytest_split_is_a_part(parts: Project) -> None:
    """A group of pytest-split is a part, and named with the plugin."""
    pytest.importorskip("pytest_split")
    done = run(parts, "-p", "pytest_split.plugin", "--splits", "3", "--group", "1")
    assert part_of(done) == "2 deselected by pytest_split"


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n2")])
def test_what_pytest_picked_picks_is_a_part(parts: Project, workers: tuple[str, ...]) -> None:
    """pytest-picked, which replaces the paths to collect by those that git calls changed, makes a part."""
    pytest.importorskip("pytest_picked")
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")):
        parts.run("git", *words)
    parts.write("test_b.py", "def test_3():\n    assert True\n")
    done = run(parts, "-p", "pytest_picked.plugin", "--picked", *workers)
    assert part_of(done) == "1 of the paths to collect replaced by a plugin"
