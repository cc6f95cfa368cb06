from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_vmpilot_cov.cli.main import main

VERBS = ("serve", "run", "combine", "report", "dump", "status", "erase", "doctor")
SETTINGS = "server_hook.config.settings"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project's folder as the working folder."""
    (tmp_path / ".coveragerc").write_text("[run]\nsource = app\n")
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> int:
    """Run the command; return its exit code, that of a refusal included."""
    try:
        return main(words)
    except SystemExit as left:
        return int(left.code or 0)


def test_the_version_is_that_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` names the package's version and coverage.py's, in one line."""
    assert run("--version") == 0
    assert re.fullmatch(r"vmpilot-cov \d+\.\d+\.\d+, coverage \d+\.\d+.*\n", capsys.readouterr().out)


def test_the_package_is_the_command() -> None:
    """``python -m pytest_vmpilot_cov`` is the command, by the interpreter that has it."""
    words = [sys.executable, "-m", "pytest_vmpilot_cov", "report", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: vmpilot-cov report [-h]")


@pytest.mark.parametrize("verb", [*VERBS, "demo"])
def test_an_unknown_option_shows_the_usage_of_the_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever mistypes an option sees which there are, and which word was not understood."""
    assert run(verb, "--wrong") == 2
    usage, error = capsys.readouterr().err.partition("vmpilot-cov ")[2], f"vmpilot-cov {verb}: error: "
    assert usage.startswith(f"{verb} [-h]")
    assert usage.endswith(f"{error}unrecognized arguments: --wrong\n")


@pytest.mark.parametrize("verb", ["serve", "run", "doctor"])
def test_a_command_without_dashes_before_it_is_told_of_them(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that was typed without ``--`` is shown with it."""
    assert run(verb, "python", "-m", "app") == 2
    assert f"; write the command after --, as in: vmpilot-cov {verb} -- python -m app\n" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_an_older_coverage_is_one_line_in_every_verb(
    app: Path, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A coverage.py that is too old is named with its version and the one that is needed, and nothing is done."""
    monkeypatch.setattr(f"{SETTINGS}.version_info", (7, 8, 0, "final", 0))
    monkeypatch.setattr(f"{SETTINGS}.__version__", "7.8.0")
    monkeypatch.setenv("HOME", str(app))
    assert run(verb, "--", "true") == 2
    out, error = capsys.readouterr()
    expected = "coverage 7.8.0 is installed here, 7.10 is needed; pip install 'coverage>=7.10' (coverage-too-old)"
    assert (out, error) == ("", f"vmpilot-cov: {expected}\n")
