"""The example, deployed in a folder of its own, run in two ways: as people run it here, and under coverage.py alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PATIENCE_S, free_port, lines_in, wait_for

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "pipelines"
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", ".coverage", ".coverage.*", ".vmpilot-cov", "deployed", "htmlcov", "covpage"
)
FOREIGN = ("VMPILOT_COV", "COVERAGE_", "COV_", "PYTEST_", "GITHUB_", "PIPELINES_", "ASSISTANT_")
PYTEST = ("-m", "pytest", "-p", "vmpilot_cov", "-p", "no:cacheprovider")

PLAIN = """
[run]
source =
    {root}/assistant
    {root}/server
omit = {root}/assistant/generated.py
parallel = true
data_file = {root}/.coverage
patch = subprocess
sigterm = true
"""
"""What ``.coveragerc`` of the example says, in absolute terms, and how coverage.py follows children and SIGTERM."""


@dataclass(frozen=True)
class Example:
    """A deployed copy of the example, and the address that its server has or would have."""

    path: Path
    port: int

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def uvicorn(self) -> tuple[str, ...]:
        """What comes after the interpreter to start the server."""
        return ("-m", "uvicorn", "server.main:app", "--host", "127.0.0.1", "--port", str(self.port))

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return an environment without settings, home and plugins of whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        home = self.path.parent / "home"
        home.mkdir(exist_ok=True)
        return {
            **kept,
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
            "PIPELINES_URL": self.url,
            "PYTHON": sys.executable,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **more,
        }

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Start the tests' interpreter, or with a first word that is no option another command."""
        command = [sys.executable, *words] if words[0].startswith("-") else list(words)
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **env: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it printed."""
        process = self.start(*words, **env)
        output, _ = process.communicate(timeout=180)
        return process.returncode, output

    def wait_until_it_answers(self) -> None:
        """Wait until the server answers."""
        wait_for(self._answers, lambda: f"no server answers at {self.url}")

    def lines(self, name: str = ".coverage", context: str | None = None) -> dict[str, list[int]]:
        """Read the lines of a data file by the path of the source in the example; files without lines are left out."""
        return lines_in(self.path / name, context, self.path)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=PATIENCE_S):
                return True
        except OSError:
            return False


def deploy(folder: Path) -> Example:
    """Copy the example into a folder, and link its pipeline as people deploy it."""
    path = folder.resolve() / "pipelines"
    shutil.copytree(EXAMPLE, path, ignore=LEFT_OUT)
    (path / "plain.rc").write_text(PLAIN.format(root=path))
    example = Example(path, free_port())
    code, output = example.run(sys.executable, "deploy.py")
    assert code == 0, output
    return example
