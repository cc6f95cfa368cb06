"""Versions that nobody knows yet: whatever coverage.py or Python lacks or renames, the program runs on."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Project

CHANGES = {
    "a newer Python": "sys.version_info = (3, 99, 0, 'final', 0)",
    "an older Python": "sys.version_info = (3, 8, 0, 'final', 0)",
    "a newer coverage.py": "import coverage; coverage.version_info, coverage.__version__ = (99, 0, 0), '99.0'",
    "no flush_data": "from coverage.collector import Collector as C; del C.flush_data",
    "no tracers by thread": "from coverage.collector import Collector as C; del C._installation_trace",
    "no stack of collectors": "from coverage.collector import Collector as C; del C._collectors",
    "no name of the core": "from coverage.collector import Collector as C; del C.tracer_name",
    "no collector": "import coverage; sys.modules['coverage.collector'] = None",
    "no schema": "import coverage.sqldata; del coverage.sqldata.SCHEMA_VERSION",
    "no coverage.py": "sys.modules['coverage'] = None",
    "a coverage.py that exits": "sys.meta_path.insert(0, type('F', (), {'find_spec': lambda self, name, *_: "
    "sys.exit(9) if name == 'coverage' else None})())",
    "no say in which files run": "from coverage import Coverage as C; C.asks = C._should_trace; del C._should_trace",
    "more to say about a file": """
from coverage import Coverage as C
from coverage.collector import Collector as K
begin, ask = K.__init__, C._should_trace
C._should_trace = lambda self, name, frame, code: ask(self, name, frame)
K.__init__ = lambda self, should_trace, **more: begin(
    self, should_trace=lambda name, frame: should_trace(name, frame, frame.f_code), **more)""",
    "other arguments": """
import coverage
class Coverage(coverage.Coverage):
    def __init__(self, settings):
        super().__init__(config_file=settings)
Coverage.__module__, coverage.Coverage = "coverage.control", Coverage""",
    "no generation to freeze": "import gc; del gc.freeze, gc.get_freeze_count",
    "no hooks for forks": "del os.register_at_fork",
    "no wake-up descriptors": "import signal; del signal.set_wakeup_fd",
}
"""What is done before the start-up line runs."""
if sys.version_info < (3, 14):  # from then on, no import works without it
    CHANGES["no lock of its own"] = "import _thread; del _thread.RLock"


@pytest.mark.parametrize("name", CHANGES)
def test_the_program_runs_on(project: Project, name: str) -> None:
    """The start-up line raises nothing and prints nothing to stdout; it says one line at most, with a slug."""
    project.package("app", work="def run():\n    return 1\n")
    code = (
        f"import os, sys\n{CHANGES[name]}\nos.environ['VMPILOT_COV'] = '.'\nimport server_hook; server_hook.start()\n"
    )
    done = project.run("python", "-c", f"{code}from app import work; print('done', work.run())")
    assert (done.returncode, done.stdout) == (0, "done 1\n"), done.stderr
    logged = done.stderr.splitlines()
    assert len(logged) <= 1, done.stderr
    assert all(line.startswith("vmpilot-cov: ") and line.endswith(")") for line in logged), done.stderr


NO_COLLECTOR = "import sys, coverage.collector as c; c.__dict__['Gatherer'] = c.__dict__.pop('Collector')"
NO_JUDGE = "import sys, coverage.results as r; del r.should_fail_under"


@pytest.mark.parametrize("change", [NO_COLLECTOR, NO_JUDGE])
def test_a_session_runs_its_tests(project: Project, change: str) -> None:
    """Where coverage.py lacks what only the end of a session needs, too, the header says so, and the tests run."""
    project.package("app")
    project.write("test_it.py", "def test_it():\n    import app\n")
    session = f"{change}; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = project.run("python", "-c", session, "-p", "no:cacheprovider", "--vmpilot-cov", "--cov-fail-under=100")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "\nvmpilot-cov: not measured: coverage.py " in done.stdout
    assert "to 7.17 (coverage-unsupported)\n" in done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("name", ["no flush_data", "no stack of collectors", "other arguments"])
def test_a_session_that_cannot_start_is_misused(project: Project, name: str) -> None:
    """Where coverage.py lacks what the start needs, one line says so, and no test runs as if it were measured."""
    project.package("app")
    session = f"import sys\n{CHANGES[name]}\nimport pytest; sys.exit(pytest.main(sys.argv[1:]))"
    done = project.run("python", "-c", session, "-p", "no:cacheprovider", "--vmpilot-cov")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("ERROR: coverage.py ")
    assert done.stderr.strip().endswith("(coverage-unsupported)")


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        *((verb, NO_COLLECTOR) for verb in ("combine", "report", "status", "doctor", "dump", "run", "erase")),
        ("status", CHANGES["other arguments"]),
    ],
)
def test_a_verb_says_one_line(project: Project, verb: str, change: str) -> None:
    """Where coverage.py lacks what a verb needs, or takes other arguments, one line says so."""
    command = f"import sys\n{change}\nfrom pytest_vmpilot_cov.__main__ import main; sys.exit(main())"
    done = project.run("python", "-c", command, verb)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("vmpilot-cov: coverage.py ")
    assert done.stderr.endswith(" (coverage-unsupported)\n")
    assert done.stderr.count("\n") == 1
