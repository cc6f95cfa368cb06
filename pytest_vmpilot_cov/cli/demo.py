"""The demo: the example's server, unit tests, E2E tests and scripts, measured and judged in a temporary copy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pytest_vmpilot_cov.cli.output import show
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.servers.command import free_port
from pytest_vmpilot_cov.servers.launch import LaunchError, launch
from pytest_vmpilot_cov.servers.readiness import Readiness
from server_hook.environment import VARIABLE

INTERRUPTED = 128 + signal.SIGINT
PATIENCE_S = 60.0
"""How long the session of pytest may take to end."""
LEFT_BEHIND = shutil.ignore_patterns(
    "__pycache__", ".coverage", ".coverage.*", ".vmpilot-cov", "deployed", "htmlcov", "covpage"
)
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "TERM_PROGRAM")
"""One of them is set where a browser can show a window: X11, Wayland, a terminal of macOS."""


def run_demo(fail_under: float) -> int:
    """Run the demo on a free port; return the exit code of its pytest session.

    Raises:
        UsageError: when something that the example needs is not installed, or its server does not start.
    """
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UsageError(say("demo-needs", missing=" and ".join(missing)))
    # not removed at the end: the user is shown the page in it
    project = Path(tempfile.mkdtemp(prefix="vmpilot-cov-demo-")).resolve()
    shutil.copytree(find_example(), project, dirs_exist_ok=True, ignore=LEFT_BEHIND)
    _run([sys.executable, "deploy.py"], project)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "server.main:app", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, VARIABLE: str(project)}
    show(f"The example in {project}")
    show(f"$ {VARIABLE}=. {' '.join(['python', *command[1:]])} &")
    # by default SIGTERM would skip the finally below and leave the server running
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        server = launch(command, Readiness(port), folder=project, environment=environment, log=project / "server.log")
        try:
            code = _pytest(project, server.url, fail_under)
        finally:
            server.stop()
    except LaunchError as error:
        raise UsageError(str(error)) from None
    except KeyboardInterrupt:
        show("")
        show("The demo was interrupted; the server has been stopped.")
        return INTERRUPTED
    page = project / "covpage" / "index.html"
    show("")
    show(f"The page is {page}; the server has been stopped.")
    if page.exists() and sys.stdout.isatty() and any(map(os.environ.get, _SCREENS)):
        webbrowser.open(page.as_uri())
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def find_example() -> Path:
    """Find the example: in the checkout, or where the wheel has put it."""
    here = Path(__file__).resolve().parents[1]
    checkout = here.parent / "examples" / "pipelines"
    return checkout if checkout.is_dir() else here / "example"


def _pytest(project: Path, url: str, fail_under: float) -> int:
    words = ["-m", "pytest", "--vmpilot-cov", f"--cov-fail-under={fail_under:g}", "--cov-report=term"]
    words += ["--cov-report=page", "--cov-context=test", "-p", "no:cacheprovider"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PIPELINES_URL": url, "PYTHON": sys.executable, "PATH": path}
    environment.pop(VARIABLE, None)  # it is for the server: the session measures itself
    show(f"$ pytest {' '.join(words[2:-2])}")
    with _ended(subprocess.Popen([sys.executable, *words], cwd=project, env=environment)) as process:  # noqa: S603
        return process.wait()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process when the block is left, by force if it must be."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise UsageError(say("demo-failed", script="deploy.py", output=done.stderr.strip()))
