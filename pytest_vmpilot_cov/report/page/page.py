"""The page as a folder: it works from a disk, in any browser, without a network."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_vmpilot_cov.report.page.data import contents_of

if TYPE_CHECKING:
    from pytest_vmpilot_cov.coverage_private import ReportingCoverage
    from pytest_vmpilot_cov.model import Options, Outcome

ASSETS = ("index.html", "page.css", "page.js")
DATA = "data"
INDEX = f"{DATA}/index.js"
_OF_A_FILE = re.compile(r"\d+\.js")


def write_page(cov: ReportingCoverage, options: Options, outcome: Outcome, folder: Path) -> None:
    """Write the page into a folder, in place of an earlier one.

    Raises:
        OSError: when it cannot be written.
    """
    contents = contents_of(cov, options, outcome)
    if not folder.exists():  # in one that is there others may have something to keep
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_text("# made by pytest-vmpilot-cov\n*\n", encoding="ascii")
    (folder / DATA).mkdir(exist_ok=True)
    for name in ASSETS:
        (folder / name).write_bytes(asset(name))
    for name in os.listdir(folder / DATA):
        if _OF_A_FILE.fullmatch(name):
            (folder / DATA / name).unlink()
    for number, file in enumerate(contents.files):
        (folder / file_name(number)).write_bytes(script("file", [number, file]))
    # last: a page that is opened meanwhile does not miss a file
    (folder / INDEX).write_bytes(script("index", contents.index))


def asset(name: str) -> bytes:
    """Return the page's own HTML, CSS or JavaScript."""
    return files(__package__).joinpath(name).read_bytes()


def file_name(number: int) -> str:
    """Name the data of the file with a number, relative to the page."""
    return f"{DATA}/{number}.js"


def script(what: str, value: Any) -> bytes:  # noqa: ANN401 - any value of JSON
    """Return data as a script: a page that is opened from a disk may load scripts, and nothing else."""
    return f"vmpilotCov({json.dumps(what)}, {as_json(value)})\n".encode("ascii")


def as_json(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    """Return a value as JSON in ASCII, in which nothing ends a script or a line."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
