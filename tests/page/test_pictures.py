"""The pictures in docs: those that are kept are made of the demo, others of a small shop."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import Browser
from tests.page.conftest import PICTURES, Made

View = Callable[[str], Browser]
SIZE = (1280, 800)


@pytest.fixture(scope="module")
def pictured(shop: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Give the address of a page, and what comes after its ``#`` for a line of a file."""
    if not PICTURES:
        return shop.url, "file=app%2Fshop.py&line=5"
    done = subprocess.run(
        [sys.executable, "-m", "pytest_vmpilot_cov", "demo"],
        cwd=tmp_path_factory.mktemp("demo"),
        capture_output=True,
        text=True,
        check=True,
    )
    (page,) = re.findall(r"^The page is (.*); the server", done.stdout, re.MULTILINE)
    return Path(page).as_uri(), "file=assistant%2Fagent.py&line=68"


@pytest.mark.parametrize("name", ["page", "page-dark", "page-file", "page-file-dark"])
def test_pictures(name: str, pictured: tuple[str, str], view: View, pictures: Path) -> None:
    """The page and one of its files can be pictured, light and dark."""
    url, line = pictured
    browser = view(url if "file" not in name else f"{url}#{line}")
    browser.look(*SIZE, dark="dark" in name)
    if "file" in name:
        browser.wait("document.querySelector('#line h3')")
    octets = browser.picture(pictures / f"{name}.png")
    assert octets.startswith(b"\x89PNG")
    assert struct.unpack(">II", octets[16:24]) == SIZE
