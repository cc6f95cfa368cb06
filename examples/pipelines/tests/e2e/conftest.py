"""What the end-to-end tests share."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.client import Client, server_url, unreachable

ROOT: Final = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def url() -> str:
    """Return the address of the running server, or skip the test."""
    url = server_url()
    if reason := unreachable(url):
        pytest.skip(
            f"no pipeline server answers at {url} ({reason}); start one with: python deploy.py && "
            "python -m uvicorn server.main:app --host 127.0.0.1 --port 9099 (or set PIPELINES_URL)"
        )
    return url


@pytest.fixture
def client(url: str) -> Client:
    """Return a client with a user that the server has never seen."""
    key = os.environ.get("PIPELINES_API_KEY") or "pipelines"
    return Client(url, f"user-{uuid.uuid4()}", key)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home, which the command line uses."""
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def run() -> Run:
    """Return a function that runs a Python module or script of the example."""

    def run(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            input=text,
            capture_output=True,
            cwd=ROOT,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run
