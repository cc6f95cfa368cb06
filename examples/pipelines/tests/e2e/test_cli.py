"""The command line, as a process of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Run

pytestmark = pytest.mark.e2e


def test_chat_shows_the_tools_at_work(home: Path, run: Run) -> None:
    """With --steps each call of a tool and its result are shown."""
    done = run("-m", "assistant", "chat", "--steps", "calculate", "2", "+", "3")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "> calculator 2 + 3\n< 5\nThe result is 5.\n"
    assert (home / "assistant.db").is_file()


def test_export_as_json(home: Path, run: Run) -> None:
    """An exported conversation holds both sides."""
    run("-m", "assistant", "chat", "--conversation", "sums", text="calculate 1 + 1\ncalculate 2 + 2\n")

    done = run("-m", "assistant", "export", "sums")

    assert json.loads(done.stdout) == {
        "id": "sums",
        "title": "calculate 1 + 1",
        "messages": [
            {"role": "user", "content": "calculate 1 + 1"},
            {"role": "assistant", "content": "The result is 2."},
            {"role": "user", "content": "calculate 2 + 2"},
            {"role": "assistant", "content": "The result is 4."},
        ],
    }
    assert (home / "assistant.db").is_file()


@pytest.mark.usefixtures("home")
def test_error_is_one_line(run: Run) -> None:
    """A user's mistake is answered by one line and the exit status 1."""
    done = run("-m", "assistant", "history", "never")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: me has no conversation 'never'\n"


def test_history_needs_a_home(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home there is nothing to show, and the error says what to set."""
    monkeypatch.delenv("ASSISTANT_HOME", raising=False)

    done = run("-m", "assistant", "history")

    assert done.returncode == 1
    assert "ASSISTANT_HOME is not set" in done.stderr


def test_deploying_twice_changes_nothing(tmp_path: Path, run: Run) -> None:
    """The links lead to the example, and a second run leaves them in place."""
    target = tmp_path / "pipelines"

    first, second = run("deploy.py", target), run("deploy.py", target)

    assert (first.returncode, second.returncode) == (0, 0)
    assert second.stdout.count("is in place") == 2
    assert (target / "assistant").is_symlink()
    assert (target / "assistant_pipeline.py").read_text().startswith('"""The adapter')


def test_deploying_does_not_overwrite(tmp_path: Path, run: Run) -> None:
    """A folder that is in the way is left alone, and named."""
    (tmp_path / "assistant").mkdir()

    done = run("deploy.py", tmp_path)

    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path / 'assistant'} is not a link; move it away first\n"
