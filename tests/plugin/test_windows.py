"""Record and judge with what Windows has, on any system; ``tests/e2e/test_every_system.py`` runs on Windows itself."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.e2e.test_every_system import APP, TESTS
from tests.plugin.test_unsupported import COMMAND, SESSION, TAKEN_AWAY, run

WINDOWS = f"""
{TAKEN_AWAY}
os.supports_dir_fd = set()
import ctypes, tempfile, types
from unittest.mock import MagicMock
for name in "O_NOFOLLOW O_NONBLOCK O_DIRECTORY O_CLOEXEC fchdir fchmod".split():
    delattr(os, name)
os.O_BINARY = os.O_NOINHERIT = 0
signal.SIGBREAK = 21
sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *_: None, LK_NBLCK=2)
kernel = MagicMock()
kernel.GetExitCodeProcess.return_value = kernel.GetProcessTimes.return_value = 0
ctypes.WinDLL, ctypes.WINFUNCTYPE = lambda *_, **__: kernel, ctypes.CFUNCTYPE
here, sys.platform = sys.platform, "win32"
from server_hook import environment
from server_hook.systems.systems import system
assert not environment.unsupported()
environment.unsupported = lambda: ""
sys.platform = here
assert system.__name__.endswith("windows")
"""
"""Windows as far as we see it: its calls answer, but tell nothing."""


@pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to simulate")
def test_what_another_system_has_left_is_combined(project: Project) -> None:
    """The folder of a process that ran on a system with sockets counts on one without."""
    project.write(".coveragerc", "[run]\nsource = .\n")
    project.write("app.py", APP)
    project.run("python", "-c", "import app; app.reach('pipeline')", env={"VMPILOT_COV": "."})
    combined = run(project, WINDOWS + COMMAND, "combine")
    assert combined.returncode == 0, combined.stdout + combined.stderr
    assert lines_in(project.path / ".coverage")["app.py"] == numbered(APP, "pipeline")


@pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to simulate")
def test_what_windows_has_is_enough(project: Project) -> None:
    """A server and a session record, and the verdict and ``combine`` count what both reached."""
    project.write(".coveragerc", "[run]\nsource = .\nomit = tests/*\n")
    project.write("pytest.ini", "[pytest]\npythonpath = .\n")
    project.write("app.py", APP)
    project.write("tests/test_it.py", TESTS)
    start = "sys.path.insert(0, '.'); os.environ['VMPILOT_COV'] = '.'; import server_hook; server_hook.start()"
    server = run(project, f"{WINDOWS}\n{start}\nimport app; app.reach('pipeline'); os._exit(7)")
    assert (server.returncode, server.stderr) == (7, "")
    session = run(
        project,
        WINDOWS + SESSION,
        "-p",
        "no:cacheprovider",
        "--vmpilot-cov",
        "--cov-context=test",
        "--cov-fail-under=100",
    )
    assert session.returncode == 0, session.stdout + session.stderr
    assert "1 ended process" in session.stdout
    combined = run(project, WINDOWS + COMMAND, "combine", "-f", "100")
    assert combined.returncode == 0, combined.stdout + combined.stderr
    assert lines_in(project.path / ".coverage.pipeline")["app.py"] == numbered(APP, "pipeline")
