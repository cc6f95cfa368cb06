"""Packages whose hooks the command calls: it asks Python's own metadata only where one may be installed."""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pytest_vmpilot_cov.hooks.hooks import ENTRY_POINTS, may_be_named

NAMED = f"[console_scripts]\na = b:c\n\n[{ENTRY_POINTS}]\ntheirs = theirs\n"
OTHERS = "[pytest11]\nvmpilot_cov = theirs\n"


@pytest.mark.parametrize(
    ("name", "text", "is_there"),
    [
        ("a-1.dist-info/entry_points.txt", NAMED, True),
        ("a-1.egg-info/entry_points.txt", NAMED, True),
        ("A-1.DIST-INFO/entry_points.txt", NAMED, True),
        ("a-1.dist-info/entry_points.txt", NAMED.replace("\n", "\r\n"), True),
        ("a-1.dist-info/entry_points.txt", OTHERS, False),
        ("a-1.dist-info/METADATA", NAMED, False),
        ("a-1.egg-info", NAMED, False),
        ("a/entry_points.txt", NAMED, False),
    ],
)
def test_what_python_finds_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, *, is_there: bool
) -> None:
    """Where Python finds a package that names hooks, there may be one; where files alone say so, there is none."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    if name.endswith("entry_points.txt"):
        (tmp_path / name).with_name("METADATA").write_text("Name: a\n")
    (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "gone"), str(tmp_path)])
    monkeypatch.chdir(tmp_path / name if (tmp_path / name).is_dir() else tmp_path.parent)
    assert bool(entry_points(group=ENTRY_POINTS)) == may_be_named() == is_there


def test_a_place_that_is_no_folder_may_hold_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip file, an egg and a finder of somebody else's are left to Python."""
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as packed:
        packed.writestr("a-1.dist-info/entry_points.txt", NAMED)
        packed.writestr("a-1.dist-info/METADATA", "Name: a\n")
    (tmp_path / "a.egg/EGG-INFO").mkdir(parents=True)
    (tmp_path / "a.egg/EGG-INFO/entry_points.txt").write_text(NAMED)
    (tmp_path / "a.egg/EGG-INFO/PKG-INFO").write_text("Name: a\n")
    for place in ("a.whl", "a.egg"):
        monkeypatch.setattr(sys, "path", [str(tmp_path / place)])
        assert may_be_named()
        assert entry_points(group=ENTRY_POINTS)
    monkeypatch.setattr(sys, "path", [])
    assert not may_be_named()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, type("Finder", (), {"find_distributions": list})()])
    assert may_be_named()
