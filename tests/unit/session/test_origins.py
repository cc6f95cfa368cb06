from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_vmpilot_cov.session.origins import OriginRules

ROOT = Path("/project")


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        ((), "tests/unit/test_a.py", "unit"),
        ((), "tests/e2e/test_a.py", "e2e"),
        ((), "tests/e2e/deep/test_a.py", "e2e"),
        ((), "e2e/test_a.py", "e2e"),
        ((), "tests/e2e_helpers/test_a.py", "unit"),
        ((), "tests/test_e2e.py", "unit"),
        (("tests/e2e",), "tests/e2e/test_a.py", "e2e"),
        (("tests/e2e",), "tests/e2e/deep/test_a.py", "e2e"),
        (("tests/e2e",), "app/e2e/test_a.py", "unit"),
        (("tests/e2e",), "tests/e2e_more/test_a.py", "unit"),
        (("./tests/e2e/",), "tests/e2e/test_a.py", "e2e"),
        (("tests/*/e2e",), "tests/x/e2e/test_a.py", "e2e"),
        (("tests/test_e2e_*.py",), "tests/test_e2e_chat.py", "e2e"),
        (("one", "two"), "two/test_a.py", "e2e"),
        (("one", "two"), "e2e/test_a.py", "unit"),
    ],
)
def test_a_path_has_an_origin(patterns: tuple[str, ...], path: str, expected: str) -> None:
    """A test below a configured folder, or without any below one named e2e, is an E2E test; others are unit tests."""
    assert expected == OriginRules(ROOT, patterns).of_path(ROOT / path)


def test_folders_above_the_project_mean_nothing() -> None:
    """A project that itself lies in a folder named e2e does not consist of E2E tests."""
    expected = "unit"
    assert expected == OriginRules(Path("/home/e2e/project")).of_path(Path("/home/e2e/project/tests/test_a.py"))


def test_a_test_outside_the_project_has_an_origin() -> None:
    """A test file outside the project is judged by its whole path."""
    expected = ["e2e", "unit"]
    rules = OriginRules(ROOT)
    assert expected == [rules.of_path(Path(path)) for path in ("/other/e2e/test_a.py", "/other/test_a.py")]


@pytest.mark.parametrize(
    ("marker", "path", "expected"),
    [("e2e", "unit/test_a.py", "e2e"), (None, "unit/test_a.py", "unit"), (None, "e2e/test_a.py", "e2e")],
)
def test_the_marker_goes_before_the_path(marker: str | None, path: str, expected: str) -> None:
    """A test with the marker e2e is an E2E test wherever it lies."""
    item: Any = SimpleNamespace(path=ROOT / path, get_closest_marker=lambda name: name == marker)
    assert expected == OriginRules(ROOT).of_item(item)
