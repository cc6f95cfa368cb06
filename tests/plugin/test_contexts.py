"""``--cov-context=test``: what each test runs, by the names that pytest-cov gives."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from coverage import CoverageData

from server_hook.coverage_private import close_data
from server_hook.store import segment, working_folder
from server_hook.store.fingerprint import fingerprint
from server_hook.store.records import Record, write_record
from server_hook.store.segment import Label, Part, Source, bitmap
from tests.conftest import Project
from tests.plugin.conftest import CORES

TESTS = """
    import threading
    import pytest
    from app import shared

    @pytest.fixture
    def prepared():
        shared.for_unit()
        yield
        shared.for_child()

    @pytest.mark.parametrize("flag", [True, False])
    def test_each(flag, prepared):
        shared.for_e2e(flag)

    def test_the_same_lines_again(prepared):
        shared.for_e2e(True)

    def test_in_a_thread():
        thread = threading.Thread(target=shared.for_e2e, args=(True,))
        thread.start()
        thread.join()

    @pytest.mark.no_cover
    def test_left_out():
        shared.for_e2e(True)

    def test_nothing():
        pass
"""


def by_test(data_file: Path) -> dict[str, dict[str, Any]]:
    """Read what each phase of each test ran, and what no test ran: context -> file name -> lines and arcs."""
    data = CoverageData(basename=str(data_file))
    data.read()
    found: dict[str, dict[str, Any]] = {}
    for context in sorted(data.measured_contexts()):
        data.set_query_context(context)
        files = {Path(path).name: (sorted(data.lines(path) or ()), data.arcs(path)) for path in data.measured_files()}
        found[context] = {name: each for name, each in files.items() if each[0]}
    close_data(data)
    return {context: files for context, files in found.items() if files}


def lines_alone(tests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Leave out the arcs."""
    return {test: {name: lines for name, (lines, _) in files.items()} for test, files in tests.items()}


@pytest.mark.parametrize("branch", [(), ("--cov-branch",)], ids=["lines", "branches"])
@pytest.mark.parametrize("core", CORES)
def test_the_same_as_pytest_cov(app: Project, core: str, branch: tuple[str, ...]) -> None:
    """Each phase of each test, and no test, has the lines, or arcs, that pytest-cov gives it, under the same name."""
    if core == "sysmon" and branch and sys.version_info < (3, 14):
        pytest.skip("sysmon measures branches from Python 3.14")
    app.write("tests/test_mixed.py", TESTS)
    app.write("pytest.ini", "[pytest]\n")
    reference = {"COVERAGE_FILE": "theirs.cov", "COVERAGE_CORE": "ctrace"}  # sysmon tells no contexts
    theirs = app.pytest("--cov=app", "--cov-context=test", *branch, env=reference)
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    ours = app.pytest("--vmpilot-cov", "--cov-context=test", *branch, env={"COVERAGE_CORE": core})
    assert ours.returncode == 0, ours.stdout + ours.stderr
    found = by_test(app.path / ".coverage")
    assert {"tests/test_mixed.py::test_each[True]|run", "tests/test_mixed.py::test_each[False]|teardown"} < found.keys()
    expected = by_test(app.path / "theirs.cov")
    if core == "sysmon" and branch:  # it has an arc from each line to itself, until a report makes branches of them
        found, expected = lines_alone(found), lines_alone(expected)
    assert found == expected


def test_contexts_of_workers_come_together(app: Project) -> None:
    """Under pytest-xdist the contexts of all workers are those of a session alone."""
    app.write("tests/test_mixed.py", TESTS)
    app.write("pytest.ini", "[pytest]\n")
    alone = app.pytest("--vmpilot-cov", "--cov-context=test")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    expected = by_test(app.path / ".coverage")
    spread = app.pytest("--vmpilot-cov", "--cov-context=test", "-n", "2")
    assert spread.returncode == 0, spread.stdout + spread.stderr
    assert by_test(app.path / ".coverage") == expected


def test_any_name_of_a_test_will_do(app: Project) -> None:
    """A test that another plugin names with a NUL or with octets that are no text runs, and so does its child."""
    app.write("tests/empty.case", "")
    app.write(
        "tests/conftest.py",
        """
        import subprocess, sys
        import pytest

        class Case(pytest.Item):
            def runtest(self):
                subprocess.run([sys.executable, "-c", "from app import shared; shared.for_child()"], check=True)

        class Cases(pytest.File):
            def collect(self):
                return [Case.from_parent(self, name=name) for name in ("a\\0b", "c\\udcffd")]

        def pytest_collect_file(file_path, parent):
            return Cases.from_parent(parent, path=file_path) if file_path.suffix == ".case" else None
        """,
    )
    result = app.pytest("--vmpilot-cov", "--cov-context=test", "tests/empty.case")
    assert result.returncode == 0, result.stdout + result.stderr
    tests = {f"tests/empty.case::{name}|run" for name in ("a?b", "c?d")}
    assert {test for test, files in by_test(app.path / ".coverage").items() if "shared.py" in files} >= tests


def test_html_names_origins_and_tests_of_server_lines(app: Project) -> None:
    """Each line of coverage.py's HTML says which origins and which tests ran it, in a server, too."""
    app.write("tests/test_mixed.py", TESTS)
    app.write("pytest.ini", "[pytest]\n")
    path = app.path / "app" / "shared.py"
    source = Source(str(path), fingerprint(str(path)))
    folder = working_folder.make_folder(str(app.path), "11-a")
    write_record(folder, Record("11-a", 11, "pipeline", started=100.0, ended=200.0))
    lines = {"": bitmap([1, 2, 3]), "tests/test_mixed.py::test_nothing|run": bitmap([1])}
    segment.write(
        folder, 1, [Part(Label("pipeline", name), 100.0, 200.0, {source: each}) for name, each in lines.items()]
    )
    done = app.pytest("--vmpilot-cov", "--cov-context=test", "--cov-report=html")
    assert done.returncode == 0, done.stdout + done.stderr
    (page,) = (app.path / "htmlcov").glob("*shared_py.html")
    text = page.read_text("utf-8")
    names = json.loads(re.search(r"contexts = ({.*?})\n", text, re.DOTALL)[1])  # type: ignore[index]
    codes = re.search(r'<a id="t1".*?<span class="ctxs">1(\w+)</span>', text)[1]  # type: ignore[index]
    assert {"pipeline", "tests/test_mixed.py::test_nothing|run"} <= {names[code] for code in codes}
