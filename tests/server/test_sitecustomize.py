"""A start through PYTHONPATH, in an interpreter where nothing can be installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import server_hook
from tests.conftest import Project, lines_in

HOOK = Path(str(server_hook.__file__)).parent


@pytest.mark.parametrize("is_recorded", [True, False])
def test_the_hidden_sitecustomize_runs(project: Project, is_recorded: bool) -> None:  # noqa: FBT001 - a parameter
    """The environment's own sitecustomize, which ours hides, runs once, whether or not the process is recorded."""
    project.package("app", main="print('main')\n")
    project.write("site/sitecustomize.py", "print('theirs')\n")
    env = {"PYTHONPATH": os.pathsep.join([str(HOOK), str(project.path / "site"), str(project.path)])}
    done = project.run("python", "-m", "app.main", env={**env, **({"VMPILOT_COV": "."} if is_recorded else {})})
    assert (done.stdout, done.stderr) == ("theirs\nmain\n", "")
    assert (project.path / ".coverage.pipeline").exists() == is_recorded
    if is_recorded:
        assert lines_in(project.path / ".coverage.pipeline")["main.py"] == [1]
