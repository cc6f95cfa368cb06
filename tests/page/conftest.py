"""A browser for all tests of the page, and pages made of small projects as the plugin makes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
from pytest_vmpilot_cov.model import Outcome, ReportRequest, Setting
from pytest_vmpilot_cov.verdict import reach_verdict
from server_hook.store.records import Record
from server_hook.store.segment import Measured, Part, Source, bitmap
from tests.browser import CHROMIUM, NEEDS_CHROMIUM, Browser, chromium
from tests.conftest import SHOWS_PROCESSES, numbered, plain
from tests.unit.conftest import NOBODY, a_part, recorded, some_options

PICTURES = os.environ.get("TEST_PICTURES", "")
"""A folder in which pictures are kept; docs/images, to renew those of the docs."""
SHOP = '''
    """The shop."""


    def price(member):  # unit e2e pipeline
        if member:  # unit e2e
            return "nine"  # unit
        return 10  # e2e


    def refund(order):  # unit e2e pipeline
        # a comment
        return order["total"]  # pipeline


    def unused():  # unit e2e pipeline
        return None  # nobody


    def last():  # unit e2e pipeline
        return price(True)  # e2e
'''
TOOLS = "def tool():  # pipeline\n    return 1  # pipeline\n"
IDLE = "x = 1\ny = 2\nz = 3\n"
MARKED = {"app/shop.py": SHOP, "app/tools/tool.py": TOOLS, "app/idle.py": IDLE, "app/__init__.py": ""}
ORIGINS = {"unit": 1, "e2e": 2, "pipeline": 3}
COMMANDS = {"unit": ("python", "-m", "pytest", "tests/unit"), "pipeline": ("python", "-m", "uvicorn", "app:app")}


@dataclass(frozen=True)
class Made:
    """A page that was made, and what it was made of."""

    folder: Path
    outcome: Outcome

    @property
    def url(self) -> str:
        """The address of the page, without what comes after its ``#``."""
        return (self.folder / "index.html").as_uri()


def make_page(  # noqa: PLR0913 - one keyword a setting
    folder: Path,
    files: Mapping[str, str],
    reached: Iterable[Part],
    *,
    fail_under: float | None = None,
    thresholds: Mapping[str, float] | None = None,
    branch: bool = False,
    change: str | None = None,
) -> Made:
    """Write a project, record what processes reached in it, and make the page of it as ``vmpilot-cov report`` does.

    Args:
        folder: where.
        files: path in the project -> content.
        reached: a part for each process; the paths of its sources are those in the project.
        fail_under: the threshold of the total.
        thresholds: those of origins.
        branch: whether branches are measured.
        change: the commit with which files are compared.
    """
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for number, part in enumerate(reached, 1):
        here: dict[Source, Measured] = {
            each._replace(path=str(folder / each.path)): lines for each, lines in part.files.items()
        }
        origin = part.label.origin
        record = Record(f"{number}-ab", NOBODY + number, origin, command=COMMANDS.get(origin, ("sh",)), ended=200.0)
        recorded(folder, record, a_part(origin, here, context=part.label.context))
    options = some_options(folder, fail_under=fail_under, thresholds=thresholds, branch=branch)
    options = replace(options, reports=(ReportRequest("page", str(folder / "page")),))
    options = replace(options, change=Setting(change) if change else None)
    outcome = reach_verdict(options, Scope(ask=False, only=(folder,)), hooks_of_command(), keep=False)
    assert not [check.text for check in outcome.verdict.checks if check.name == "page report"]
    return Made(folder / "page", outcome)


def shop_parts() -> list[Part]:
    """Give a process for each origin, which has reached the lines that the comments of the shop say."""
    return [
        a_part(
            origin,
            {
                Source(name): bitmap(lines)
                for name, text in MARKED.items()
                if (lines := numbered(text, origin)) and (origin == "pipeline" or name != "app/tools/tool.py")
            },
        )
        for origin in ORIGINS
    ]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Give the page of a small shop."""
    files = {name: plain(text) for name, text in MARKED.items()}
    folder = tmp_path_factory.mktemp("shop").resolve()
    return make_page(folder, files, shop_parts(), fail_under=75.0, thresholds={"pipeline": 90.0, "unit": 40.0})


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Give one browser to all tests of this process."""
    if sys.platform == "linux" and not SHOWS_PROCESSES:
        pytest.skip("Chromium needs /proc")
    if CHROMIUM is None:
        pytest.skip(NEEDS_CHROMIUM)
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Browser) -> Iterator[Browser]:
    """Give the browser; whatever a test does, its console stays empty and it asks no network."""
    one_browser.problems.clear()
    one_browser.look(1280, 900)
    yield one_browser
    assert one_browser.problems == []
    one_browser.leave()  # a live page would look for its server when that has ended


@pytest.fixture
def view(browser: Browser) -> Callable[[str], Browser]:
    """Give a function that opens a page and waits until it is drawn."""

    def opened(url: str) -> Browser:
        browser.open(url)
        browser.wait("document.querySelector('#origins tbody tr')")
        return browser

    return opened


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Give the folder where pictures go."""
    return Path(PICTURES) if PICTURES else tmp_path
