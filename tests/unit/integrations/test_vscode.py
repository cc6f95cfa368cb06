from __future__ import annotations

import pytest

from pytest_vmpilot_cov.integrations.vscode import take_back_button


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (["--rootdir=x", "--cov=.", "--cov-branch", "a.py::test"], ["--rootdir=x", "a.py::test"]),
        (["--cov=.", "--cov-branch", "--cov=.", "--cov-branch"], ["--cov=.", "--cov-branch"]),  # one pair is of addopts
        (["--cov-branch", "--cov=src", "--cov=.", "--cov-branch"], ["--cov-branch", "--cov=src"]),
        (["--cov=."], None),
        (["--cov=.", "a.py", "--cov-branch"], None),
        ([], None),
    ],
)
def test_what_the_button_typed_is_taken_back(args: list[str], left: list[str] | None) -> None:
    """The last ``--cov=. --cov-branch`` is taken back, and nothing that somebody else has typed."""
    expected = args.copy() if left is None else left
    assert take_back_button(args) == (left is not None)
    assert expected == args
