from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_hook.config.lone_copies import LoneCopies
from server_hook.config.settings import apply_settings, read_with_coverage
from server_hook.coverage_private import start

TEXT = "one = 1\ntwo = 2\nthree = 3\n"


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[LoneCopies]:
    """Give what tells the copies of a project of one package, one of whose files is omitted."""
    folder = tmp_path / "app"
    for name in (
        "shop/__init__.py",
        "shop/cart.py",
        "shop/deep/__init__.py",
        "shop/deep/far.py",
        "shop/gen.py",
        "envs/lib.py",
    ):
        (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "src" / name).write_text(TEXT)
    (folder / ".coveragerc").write_text("[run]\nsource = src\nomit = src/shop/gen.py\n    */kept/*\n")
    settings, cov = read_with_coverage(str(folder / ".coveragerc"))
    apply_settings(cov, settings, to_measure=True)
    start(cov)
    yield LoneCopies(settings.source, settings.folder, cov)
    cov.stop()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("up/cart.py", TEXT, True),
        ("up/far.py", TEXT, True),
        ("up/cart.py", f"# later\n\n{TEXT}", True),
        ("up/cart.py", "one = 1\nfour = 4\nfive = 5\n", False),
        ("up/cart.py", "", False),
        ("up/other.py", TEXT, False),
        ("up/__init__.py", TEXT, False),
        ("up/gen.py", TEXT, False),
        ("up/lib.py", TEXT, False),
        ("up/kept/cart.py", TEXT, False),
        ("env/lib/python3.11/site-packages/cart.py", TEXT, False),
        ("app/tests/cart.py", TEXT, False),
        ("srv{folder}/cart.py", TEXT, True),
    ],
)
def test_a_copy_has_the_name_and_most_lines(
    copies: LoneCopies,
    tmp_path: Path,
    name: str,
    text: str,
    expected: bool,  # noqa: FBT001
) -> None:
    """A file outside the project is a copy of a measured one in a package if it has its name and most of its lines."""
    path = tmp_path / name.format(folder=tmp_path / "app")  # a path may hold that of the project, and not lie in it
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert copies.is_one(str(path)) is expected
    os.unlink(path)
    assert not copies.is_one(str(path)), "a file that is gone is nobody's copy"
