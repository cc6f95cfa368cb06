"""VS Code: discovery, run, debug run and "Run with coverage", with pytest-cov and without it."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE_S, Project, numbered
from tests.dap import start_adapter

PYTHON_FILES = Path(__file__).parent / "python_files"
SCRIPT = PYTHON_FILES / "vscode_pytest" / "run_pytest_script.py"
NEEDED = (
    *("pytest", "pluggy", "iniconfig", "packaging", "pygments"),
    *("coverage", "debugpy", "pytest-vmpilot-cov"),
)
WITH = pytest.mark.parametrize("python", [("pytest-cov",)], indirect=True, ids=["with pytest-cov"])
WITHOUT = pytest.mark.parametrize("python", [()], indirect=True, ids=["without"])
BUTTON = {"COVERAGE_ENABLED": "True"}

ANSWER = """
    def answer(path):  # unit server
        if path == "/driven":  # unit server
            return "driven"  # server
        return "other"  # unit server


    def forgotten():  # unit server
        return "nobody"
"""
STOP = numbered(ANSWER, "unit")[1]
SERVE = """
    import sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from app.answers import answer


    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer(self.path).encode())


    HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


@dataclass
class Editor:
    """VS Code with a project open, and one interpreter chosen."""

    project: Project
    python: str

    def discover(self) -> list[Any]:
        """Ask which tests there are; return what the editor is sent."""
        self._run("-m", "pytest", "-p", "vscode_pytest", "--collect-only", f"--rootdir={self.project.path}")
        return self.messages()

    def run_tests(self, *ids: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run tests as the editor does."""
        return self._run(str(SCRIPT), f"--rootdir={self.project.path}", env={**self.write_ids(*ids), **env})

    def write_ids(self, *ids: str) -> dict[str, str]:
        """Write the ids of the chosen tests; return what leads the script to them."""
        folder = self.project.path / "tests"
        path = self.project.write("../ids", "\n".join(str(folder / each) for each in ids))
        return {"RUN_TEST_IDS_PIPE": str(path)}

    def messages(self) -> list[Any]:
        """Return what the editor was sent, and forget it."""
        path = Path(self.environment()["TEST_RUN_PIPE"])
        sent = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return sent

    def environment(self) -> dict[str, str]:
        """Return what the extension sets."""
        pipe = self.project.path.parent / "pipe"
        return {"PYTHONPATH": str(PYTHON_FILES), "TEST_RUN_PIPE": str(pipe)}

    def has_pytest_cov(self) -> bool:
        """Tell whether pytest-cov is installed beside the interpreter."""
        return any(Path(self.python).parent.parent.glob("lib/*/site-packages/pytest_cov"))

    def _run(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.project.run(self.python, *words, env={**self.environment(), **(env or {})})


@pytest.fixture(scope="session", params=[("pytest-cov",), ()], ids=["with pytest-cov", "without"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make an environment with what is needed and little else, out of the packages of this one."""
    if request.param:
        pytest.importorskip("pytest_cov")
    folder = tmp_path_factory.mktemp("environment").resolve()
    venv.create(folder, symlinks=True, with_pip=False)
    inside = next(folder.glob("lib/python*/site-packages"))
    for installed in map(distribution, (*NEEDED, *request.param)):
        for name in {file.parts[0] for file in installed.files or ()} - {".."}:
            (inside / name).symlink_to(Path(str(installed.locate_file(name))))
    return str(folder / "bin" / "python")


@pytest.fixture
def editor(python: str, project: Project) -> Editor:
    """Open a project with our options in addopts, one file with two tests, and a server."""
    project.write(".coveragerc", "[run]\nsource = app\nbranch = true\n")
    configure(project, "--vmpilot-cov", "--cov-fail-under=99", "--cov-report=term-missing")
    project.write("app/__init__.py", "")
    project.write("app/answers.py", ANSWER)
    project.write("serve.py", SERVE)
    project.write(
        "tests/test_answers.py",
        """
        from app.answers import answer

        def test_other():
            assert answer("/") == "other"

        def test_nothing():
            pass
        """,
    )
    return Editor(project, python)


def configure(project: Project, *addopts: str) -> None:
    """Write the options that every session of a project has."""
    project.write("pytest.ini", f"[pytest]\naddopts = {' '.join(addopts)}\ntestpaths = tests\n")


def test_discovery_and_a_run(editor: Editor) -> None:
    """Tests are discovered and run; a threshold stands in the output, because VS Code drops the exit code."""
    assert editor.discover() == [
        {"tests": ["tests/test_answers.py::test_other", "tests/test_answers.py::test_nothing"]}
    ]
    done = editor.run_tests("test_answers.py::test_other")
    assert editor.messages() == [{"test": "tests/test_answers.py::test_other", "outcome": "passed"}]
    assert "Not enforced: fail_under 99 from addopts" in done.stdout, done.stdout + done.stderr


@WITHOUT
def test_run_all_tests_is_no_part(editor: Editor) -> None:
    """To run all tests VS Code types each that it has discovered: thresholds are enforced, as for a folder."""
    editor.discover()
    done = editor.run_tests("test_answers.py::test_nothing", "test_answers.py::test_other")
    assert "FAIL Required test coverage of 99% not reached" in done.stdout, done.stdout + done.stderr
    editor.project.write("tests/test_broken.py", "import nothing_of_this_name\n")
    editor.discover()
    done = editor.run_tests("test_answers.py::test_nothing", "test_answers.py::test_other")
    assert "Not enforced: fail_under 99 from addopts" in done.stdout, done.stdout + done.stderr


def test_run_with_coverage_shows_what_everything_reached(editor: Editor) -> None:
    """The coverage view shows the combined data with the lines and branches that a live server reached."""
    server = editor.project.serve(
        editor.python, "serve.py", "PORT", env={"VMPILOT_COV": ".", "PYTHONPATH": str(editor.project.path)}
    )
    assert server.get("/driven") == "driven"
    configure(editor.project, "--vmpilot-cov", "--vmpilot-cov-strict", "--cov-fail-under=99", "--cov-report=term")
    done = editor.run_tests("test_answers.py::test_other", **BUTTON)
    view = editor.messages()[-1]["coverage"]
    assert view["answers.py"] == {"covered": numbered(ANSWER, "unit", "server"), "missed": [8], "branches": [2, 2]}
    assert "test_answers.py" not in view  # the configuration's source, as in a terminal, not the button's
    assert "FAIL Required test coverage of 99% not reached" in done.stdout, done.stdout + done.stderr


@WITHOUT
def test_run_with_coverage_measures_branches_where_the_configuration_does(editor: Editor) -> None:
    """Without branches in the configuration the view shows none, rather than that none was taken."""
    editor.project.write(".coveragerc", "[run]\nsource = app\n")
    editor.run_tests("test_answers.py::test_other", **BUTTON)
    assert editor.messages()[-1]["coverage"]["answers.py"]["branches"] == [0, -1]


def test_without_our_option_run_with_coverage_is_pytest_covs(editor: Editor) -> None:
    """Where ``--vmpilot-cov`` is not given the button needs pytest-cov, and what is missing is said."""
    configure(editor.project)
    done = editor.run_tests("test_answers.py::test_other", **BUTTON)
    sent = editor.messages()
    if editor.has_pytest_cov():
        assert "test_answers.py" in sent[-1]["coverage"], done.stdout + done.stderr
    else:
        assert not sent
        assert "pytest-cov is not loaded; add --vmpilot-cov" in done.stderr


@WITH
def test_pytest_cov_may_be_blocked(editor: Editor) -> None:
    """``-p no:pytest_cov`` in addopts takes nothing away from VS Code."""
    configure(editor.project, "-p", "no:pytest_cov", "--vmpilot-cov", "--cov-report=term")
    assert len(editor.discover()) == 1
    editor.run_tests("test_answers.py::test_other", **BUTTON)
    assert "answers.py" in editor.messages()[-1]["coverage"]


@WITHOUT
def test_a_debug_run_stops_at_a_breakpoint(editor: Editor) -> None:
    """A debug run, the same script under debugpy, stops at a breakpoint, and the session stands down."""
    environment = {**editor.environment(), **editor.write_ids("test_answers.py::test_other")}
    adapter, client = start_adapter(editor.project.path)
    with client:
        client.stop_at(
            editor.project.path / "app/answers.py",
            STOP,
            "launch",
            program=str(SCRIPT),
            args=[f"--rootdir={editor.project.path}", "--capture=no"],
            console="internalConsole",
            cwd=str(editor.project.path),
            env={**os.environ, **environment},
            python=[editor.python],
        )
        client.wait("terminated")
    adapter.wait(PATIENCE_S)
    assert editor.messages() == [{"test": "tests/test_answers.py::test_other", "outcome": "passed"}], client.output
    assert "(debugger-attached)" in client.output
    assert not {".vmpilot-cov", ".coverage"} & set(os.listdir(editor.project.path))
