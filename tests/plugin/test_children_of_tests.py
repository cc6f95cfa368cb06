"""``--cov-context=test``: what the children of a test run is the test's, as long as the test runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from server_hook.store import segment, working_folder
from tests.conftest import Project, numbered
from tests.plugin.conftest import CORES

WORK = """
    import os, subprocess, sys, time  # a b fork setup late

    def a():  # a b fork setup late
        return 1  # a

    def b():  # a b fork setup late
        return subprocess.check_call([sys.executable, "-c", "from app import work; work.grandchild()"])  # b

    def grandchild():  # a b fork setup late
        return 3  # b

    def fork():  # a b fork setup late
        return 4  # fork

    def late(started, go, done):  # a b fork setup late
        open(started, "w").close()  # late
        while not os.path.exists(go): time.sleep(0.01)  # late
        open(done, "w").close()  # late
"""
TESTS = """
    import multiprocessing, os, pathlib, subprocess, sys, time
    import pytest

    def python(call):
        return [sys.executable, "-c", f"from app import work; work.{call}"]

    def wait_for(path):
        until = time.monotonic() + 60
        while not os.path.exists(path):
            assert time.monotonic() < until
            time.sleep(0.01)

    def test_a():
        subprocess.check_call(python("a()"))

    @pytest.mark.e2e
    def test_b():
        subprocess.check_call(["sh", "-c", '"$0" -c "from app import work; work.b()"', sys.executable])

    def forked():
        from app import work
        work.fork()

    def test_fork():
        process = multiprocessing.get_context("fork").Process(target=forked)
        process.start()
        process.join()

    @pytest.fixture
    def prepared():
        subprocess.check_call(python("a()"))

    def test_setup(prepared):
        pass

    @pytest.mark.no_cover
    def test_left_out():
        subprocess.check_call(python("a()"))

    late = []

    def test_outlived(tmp_path):
        names = [str(tmp_path / name) for name in ("started", "go", "done")]
        late.append((subprocess.Popen(python("late(*%r)" % (names,))), names))
        wait_for(names[0])

    def test_outliving():
        process, names = late[0]
        open(names[1], "w").close()
        wait_for(names[2])
        assert process.wait() == 0
"""


def by_context(data_folder: Path, origins: tuple[str, ...] = ("unit", "e2e")) -> dict[tuple[str, str], list[int]]:
    """Read from the segments which lines of ``work.py`` ran for which origin and context."""
    bits: dict[tuple[str, str], int] = {}
    for folder in working_folder.process_folders(data_folder):
        for _, parts in segment.read_folder(folder):
            assert not isinstance(parts, segment.TornError)
            for part in parts:
                for source, measured in part.files.items():
                    if Path(source.path).name == "work.py" and part.label.origin in origins:
                        key = part.label.origin, part.label.context
                        bits[key] = bits.get(key, 0) | segment.to_lines(measured)
    return {key: segment.line_numbers(lines) for key, lines in bits.items()}


@pytest.mark.parametrize("core", CORES)
def test_children_work_for_their_test(app: Project, core: str) -> None:
    """A test's child, grandchild, fork, and what a shell starts are named for it; one that outlives it isn't."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 600\n")  # no segment while a test runs
    app.write("app/work.py", WORK)
    app.write("tests/test_mixed.py", TESTS)
    app.write("pytest.ini", "[pytest]\n")
    done = app.pytest("--vmpilot-cov", "--cov-context=test", env={"COVERAGE_CORE": core})
    assert done.returncode == 0, done.stdout + done.stderr
    found = by_context(app.path)
    expected = {
        ("unit", "tests/test_mixed.py::test_a|run"): numbered(WORK, "a"),
        ("e2e", "tests/test_mixed.py::test_b|run"): numbered(WORK, "b"),
        ("unit", "tests/test_mixed.py::test_fork|run"): numbered(WORK, "fork"),
        ("unit", "tests/test_mixed.py::test_setup|setup"): numbered(WORK, "a"),
        ("unit", ""): numbered(WORK, "late"),
    }
    assert found == expected


def test_a_child_keeps_what_it_wrote_while_its_test_ran(app: Project) -> None:
    """What a child had written down while its test ran stays the test's; what it runs after that is nobody's."""
    first, *_, last = (line for line in numbered(WORK, "late") if line not in numbered(WORK, "setup"))
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 0.05\n")
    app.write("app/work.py", WORK)
    app.write("tests/test_mixed.py", TESTS.replace("wait_for(names[0])", f"wait_for_line({first})"))
    app.write(
        "conftest.py",
        """
        import builtins, pathlib, time
        from server_hook.store import segment

        def is_written(line):
            for folder in pathlib.Path(".vmpilot-cov").glob("*-*"):
                for _, parts in segment.read_folder(folder):
                    for part in parts:
                        if any(segment.to_lines(measured) >> line & 1 for measured in part.files.values()):
                            return True

        def wait_for_line(line):
            until = time.monotonic() + 60
            while not is_written(line):
                assert time.monotonic() < until
                time.sleep(0.01)

        builtins.wait_for_line = wait_for_line
        """,
    )
    app.write("pytest.ini", "[pytest]\n")
    done = app.pytest("--vmpilot-cov", "--cov-context=test", "-k", "outliv")
    assert done.returncode == 0, done.stdout + done.stderr
    found = by_context(app.path)
    assert found.keys() == {("unit", ""), ("unit", "tests/test_mixed.py::test_outlived|run")}
    of_test, nobodys = found["unit", "tests/test_mixed.py::test_outlived|run"], found["unit", ""]
    assert (first in of_test, first in nobodys) == (True, False)
    assert (last in of_test, last in nobodys) == (False, True)


def test_a_plugin_that_forks_for_each_test(app: Project) -> None:
    """A test that runs in a fork of the test process, as with pytest-forked, has its own lines."""
    app.write(
        "conftest.py",
        """
        import os
        import pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item):
            pid = os.fork()
            if not pid:
                os._exit(any(report.failed for report in runtestprotocol(item, log=False)))
            assert os.waitpid(pid, 0)[1] == 0
            return True
        """,
    )
    app.write("app/work.py", WORK)
    app.write(
        "tests/test_mixed.py",
        """
        from app import work

        def test_a():
            work.a()

        def test_fork():
            work.fork()
        """,
    )
    app.write("pytest.ini", "[pytest]\n")
    app.pytest("--vmpilot-cov", "--cov-context=test")
    found = {context: lines for (_, context), lines in by_context(app.path).items() if context}
    only_a, only_fork = (sorted(set(numbered(WORK, mark)) - set(numbered(WORK, "setup"))) for mark in ("a", "fork"))
    assert found == {"tests/test_mixed.py::test_a|run": only_a, "tests/test_mixed.py::test_fork|run": only_fork}
