"""A git repository of its own for each test, and what the product says of its changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.changes.changes import changed_lines
from pytest_vmpilot_cov.model import Diff, Setting
from tests.unit.conftest import some_options

AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")


@dataclass
class Repo:
    """A repository in a folder."""

    path: Path

    def git(self, *words: str) -> str:
        """Run git in it."""
        done = subprocess.run(["git", *AUTHOR, *words], cwd=self.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, name: str, text: str) -> Path:
        """Write a file as it is, without any change to its line ends."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def commit(self, **files: str) -> str:
        """Write modules, and commit all that there is; return the commit."""
        for name, text in files.items():
            self.write(f"{name}.py", text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "work")
        return self.git("rev-parse", "HEAD")

    def diff(self, ref: str = "", *, folder: str = "") -> Diff:
        """Ask for the change of a project in the repository."""
        root = self.path / folder
        options = replace(some_options(root), change=Setting(ref, "--vmpilot-cov-changed" if ref else "default"))
        paths = [str(path) for path in sorted(root.rglob("*")) if path.is_file() and ".git" not in path.parts]
        return changed_lines(options, paths)

    def lines(self, ref: str = "", *, folder: str = "") -> dict[str, list[int]]:
        """Ask for the changed lines by the names of files."""
        diff = self.diff(ref, folder=folder)
        assert not diff.problem, diff.problem
        return {os.path.relpath(path, self.path): list(lines) for path, lines in diff.lines.items()}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Give an empty repository whose branch is main."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    made = Repo((tmp_path / "repo").resolve())
    made.path.mkdir()
    made.git("init", "-q", "-b", "main")
    return made


@pytest.fixture
def clone(repo: Repo, tmp_path: Path) -> Repo:
    """Give a clone of the repository, which has one commit of the modules a and b."""
    repo.commit(a=numbered("a", 4), b=numbered("b", 4))
    made = Repo((tmp_path / "clone").resolve())
    repo.git("clone", "-q", str(repo.path), str(made.path))
    return made


def numbered(name: str, count: int) -> str:
    """Make a text of so many different lines."""
    return "".join(f"{name}{number} = {number}\n" for number in range(1, count + 1))
