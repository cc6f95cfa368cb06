"""``vmpilot-cov affected``: which tests a change affects, asked on the command line of a real project."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Project
from tests.e2e.conftest import UVICORN, WEB, vmpilot

TESTS = """
    import os
    import urllib.request
    import pytest
    from app import work

    @pytest.mark.e2e
    @pytest.mark.parametrize("word", ["one", "two"])
    def test_asked(word):
        assert urllib.request.urlopen(os.environ["URL"] + "/" + word).read() == word.encode() + b"!"

    def test_two():
        assert work.two() == 2
"""
SPLIT = (
    WEB.replace('body = b"one!"  # one', "body = one()").replace('body = b"two!"  # two', "body = two()")
    + """

    def one():
        return b"one!"


    def two():
        return b"two!"
"""
)
ONE, TWO = (f"tests/test_asked.py::test_asked[{word}]" for word in ("one", "two"))


def git(app: Project, *words: str) -> None:
    """Run git in the project."""
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words]
    subprocess.run(command, cwd=app.path, check=True, capture_output=True)


@pytest.fixture
def asked(app: Project) -> Project:
    """Give a committed project whose tests have asked a server, each told apart."""
    app.write("app/web.py", SPLIT)
    app.write("tests/test_asked.py", TESTS)
    app.write(".gitignore", ".coverage*\n.vmpilot-cov\n__pycache__\n*.log\n")
    git(app, "init", "-q", "-b", "main")
    git(app, "add", "-A")
    git(app, "commit", "-q", "-m", "work")
    server = app.serve(*UVICORN, env={"VMPILOT_COV": "."})
    try:
        done = app.pytest("--vmpilot-cov", "--cov-context=test", env={"URL": server.url})
        assert done.returncode == 0, done.stdout
    finally:
        server.stop()
    return app


def test_a_function_of_the_server_affects_the_tests_that_asked_for_it(asked: Project) -> None:
    """A body that only the server runs affects exactly its tests, a comment none; data files alone tell it, too."""
    git(asked, "tag", "measured")
    done = vmpilot(asked, "affected", "--since", "measured")
    assert (done.returncode, done.stdout) == (0, "0 of 4 tests are affected by what changed since measured\n")
    asked.write("app/web.py", SPLIT.replace('return b"one!"', 'return b"one!"  # a comment'))
    assert vmpilot(asked, "affected", "--since", "measured").stdout.startswith("0 of 4")
    asked.write("app/web.py", SPLIT.replace('return b"one!"', 'return b"one" + b"!"'))
    expected = f"{ONE}\n    app/web.py: one() changed\n1 of 4 tests is affected by what changed since measured\n"
    done = vmpilot(asked, "affected", "--since", "measured")
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    (asked.path / "copy").mkdir()
    for name in (".coverage.tests", ".coverage.pipeline"):
        (asked.path / name).rename(asked.path / "copy" / name)
    done = vmpilot(asked, "affected", "--since", "measured", "copy")
    assert (done.returncode, done.stdout) == (0, expected)


def test_the_blocks_of_what_was_measured_are_in_the_data_files(asked: Project) -> None:
    """After two more changes, data of a content that is neither tells by its blocks what the second one affects."""
    git(asked, "tag", "measured")
    asked.write("app/web.py", SPLIT.replace("one!", "eins"))
    git(asked, "commit", "-qam", "one")
    asked.write("app/web.py", SPLIT.replace("one!", "eins").replace('return b"two!"', 'return b"zwei"'))
    done = vmpilot(asked, "affected", "--since", "HEAD")
    assert done.stdout.splitlines()[:2] == [TWO, "    app/web.py: two() changed"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--since", "nowhere"], 2, "(change-base-unknown)"),
        (["--since=-x"], 2, "(change-base-unknown)"),
        ([], 2, "--since"),
        (["--since", "main", "nowhere"], 2, "(data-unreadable)"),
    ],
)
def test_what_cannot_be_answered_is_a_message(asked: Project, words: list[str], code: int, said: str) -> None:
    """A commit or a place that is not there is one line, and never a traceback."""
    done = vmpilot(asked, "affected", *words)
    assert (done.returncode, done.stdout, said in done.stderr) == (code, "", True)
    assert "Traceback" not in done.stderr


def test_without_data_or_a_repository_it_says_so(app: Project) -> None:
    """Without data, without contexts and without a repository the message says what is missing."""
    assert "(nothing-to-combine)" in vmpilot(app, "affected", "--since", "main").stderr
    assert app.pytest("--vmpilot-cov").returncode == 0
    assert "(tests-unrecorded)" in vmpilot(app, "affected", "--since", "main").stderr
    assert app.pytest("--vmpilot-cov", "--cov-context=test").returncode == 0
    assert "(git-nowhere)" in vmpilot(app, "affected", "--since", "main").stderr
