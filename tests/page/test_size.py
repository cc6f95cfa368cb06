from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from server_hook.store.segment import Source, bitmap
from tests.browser import Browser
from tests.page.conftest import Made, make_page
from tests.unit.conftest import a_part

View = Callable[[str], Browser]
Note = Callable[[str, object], None]
FILES, LINES = (500, 200) if os.environ.get("TEST_PAGE") == "large" else (60, 200)
"""How many files, and how many lines each has; the large page is the one that docs/page.md has figures of."""
LONG = 20_000 if FILES == 500 else 6_000
"""How many lines the long file has."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Give the page of a large project, with one long file in it."""
    folder = tmp_path_factory.mktemp("large").resolve()
    body = "".join(f"def f{number}(x):\n    return x + {number}  # a comment\n" for number in range(LINES // 2))
    names = [f"app/part{number % 25:02}/module{number:03}.py" for number in range(FILES)]
    files = {**dict.fromkeys(names, body), "app/long.py": "".join(f"x{n} = {n}\n" for n in range(LONG))}
    parts = []
    for place, origin in enumerate(("unit", "e2e", "pipeline"), 2):
        reached = {Source(name): bitmap(range(1, LINES, number % (3 * place) + 1)) for number, name in enumerate(names)}
        parts.append(a_part(origin, {**reached, Source("app/long.py"): bitmap(range(1, LONG, place))}))
    return make_page(folder, files, parts, fail_under=75.0)


def test_a_large_project_is_drawn_at_once(
    large: Made, view: View, pictures: Path, record_testsuite_property: Note
) -> None:
    """Every file has its row, and all of them can be drawn anew."""
    browser = view(large.url)
    assert len(browser.texts("#files tbody tr.in")) == FILES + 1
    milliseconds = browser.run(
        "(() => { const begun = performance.now(); drawOverview(); return performance.now() - begun; })()"
    )
    record_testsuite_property("drawn anew in ms", milliseconds)
    loaded = browser.run("performance.getEntriesByType('navigation')[0].loadEventEnd")
    record_testsuite_property("opened in ms", loaded)
    browser.click("#fold")
    browser.run("scrollTo(0, 0)")
    browser.picture(pictures / "page-500.png")


def test_a_long_file_is_drawn_where_it_is_looked_at(large: Made, view: View, record_testsuite_property: Note) -> None:
    """Of a long file every line is there, for the browser's search too; only what is near the window has colors."""
    browser = view(f"{large.url}#file=app%2Flong.py&line=5000")
    browser.wait("document.querySelector('#L5000 .k3')")
    assert browser.run("document.querySelectorAll('.ln').length") == LONG
    assert browser.run("document.querySelectorAll('.k3').length") < LONG / 2
    browser.press("n")
    browser.wait("open.line > 5000")
    milliseconds = browser.run(
        "(() => { const begun = performance.now(); drawCode(); drawFile(); return performance.now() - begun; })()"
    )
    record_testsuite_property("drawn in ms", milliseconds)


def test_data_of_a_file_comes_when_it_is_opened(large: Made, view: View) -> None:
    """Opening the page loads the list of files alone; a file's own data comes when somebody opens it."""
    browser = view(large.url)
    scripts = browser.run("[...document.scripts].map((script) => script.getAttribute('src'))")
    assert scripts == ["page.js", "data/index.js"]
    browser.click("#files tbody tr.in a")
    browser.wait("document.querySelector('[data-painted] .ln')")
    assert len(browser.run("[...document.scripts].map((script) => script.src)")) == 3
    index: Path = large.folder / "data/index.js"
    assert index.stat().st_size < 200 * (FILES + 20)
