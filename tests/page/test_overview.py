from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from coverage.results import display_covered

from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.judge.figures import count, reporting
from pytest_vmpilot_cov.model import Combined, Figures, Tally
from pytest_vmpilot_cov.report.terminal import origin_cells
from server_hook.arcs import Arcs
from server_hook.store.segment import Part, Source
from tests.browser import Browser
from tests.page.conftest import Made, make_page
from tests.unit.conftest import a_part, some_options

View = Callable[[str], Browser]
BRANCHES = """\
def f(x, y):
    if x and y:
        return 1
    for each in x:
        if each:
            continue
        y += 1
    else:
        y = 0
    while y:
        y -= 1
    return y

f(1, 2)
"""
STEPS = [(-1, 1), (1, 14), (14, -1), (-1, 2), (2, 3), (2, 4), (3, -1), (4, 5), (4, 9), (5, 4), (5, 7), (7, 4), (9, 10)]
STEPS += [(10, 11), (10, 12), (11, 10), (12, -1)]


def walks(number: int) -> Arcs:
    """Take some of the steps that a program may go, others for each number."""
    return Arcs(step for place, step in enumerate(STEPS) if (number * 7919 >> place % 11) & 1)


def listed(browser: Browser) -> list[str]:
    """List the names of the files that are shown, without those of folders."""
    return [name for name in browser.texts("#files tbody a") if name]


def without(origins: tuple[str, ...], combined: Combined) -> Combined:
    """Take origins away from what counts."""
    counted = {label: files for label, files in combined.counted.items() if label.origin not in origins}
    reached = {source.path for files in counted.values() for source in files}
    lost = {source.path for files in combined.counted.values() for source in files} - reached
    return Combined(counted, {**combined.untouched, **dict.fromkeys(lost, "")})


def test_the_verdict_stands_in_words(shop: Made, view: View) -> None:
    """The page says whether the checks passed, repeats each in its words, and shows the total as the terminal does."""
    browser = view(shop.url)
    checks = shop.outcome.verdict.checks
    assert browser.text("#verdict .total").startswith("✗ failed")
    marks = [("✓ " if check.passed else "✗ ") + check.text for check in checks]
    assert browser.texts("#verdict li") == marks
    assert len(marks) == 3


def test_origins_have_the_figures_of_the_terminal(shop: Made, view: View) -> None:
    """Each origin and all together have the very figures that the terminal prints, and marks at their thresholds."""
    browser = view(shop.url)
    options = some_options(shop.folder.parent, fail_under=75.0)
    _, *printed = origin_cells(shop.outcome.figures, options)
    rows = browser.run(
        "[...document.querySelectorAll('#origins tbody tr')]"
        ".map((row) => [row.dataset.origin, ...[...row.cells].slice(2).map((cell) => cell.innerText)])"
    )
    shown = [(name, files, statements, reached, cover, only) for name, cover, reached, only, statements, files in rows]
    assert shown == printed
    marks = browser.run("[...document.querySelectorAll('#origins .mark')].map((mark) => mark.style.left)")
    assert marks == ["40%", "90%", "75%"]
    sets = shop.outcome.figures.sets
    assert browser.texts("#sets li") == [
        f"{name} only: {number}" if name in ("unit", "e2e", "pipeline") else f"{name}: {number}"
        for name, number in sets.items()
    ]


def test_what_is_left_without_an_origin_is_what_the_plugin_counts(tmp_path: Path, view: View) -> None:
    """With any origins taken away, total, branches and sets are those that the plugin counts without their data."""
    folder = tmp_path.resolve()
    files = {f"app/m{number}.py": BRANCHES for number in range(6)}
    origins = ("unit", "e2e", "pipeline")
    parts: list[Part] = []
    for place, origin in enumerate(origins):
        reached = {name: walks(3 * place + 5 * number + 1) for number, name in enumerate(files) if (number + place) % 3}
        parts.append(a_part(origin, {Source(name): arcs for name, arcs in reached.items()}))
    made = make_page(folder, files, parts, branch=True)
    browser = view(made.url)
    options = some_options(folder, branch=True)
    for gone in [each for size in range(3) for each in combinations(origins, size)]:
        with working_in(folder), reporting(options, without(gone, made.outcome.combined)) as cov:
            figures = count(cov)
        mask = sum(1 << origins.index(each) for each in gone)
        shown = json.loads(browser.run(f"off = {mask}; JSON.stringify(figures(all.files))"))
        assert (figures.total.percent, summed(figures)) == (
            shown["percent"],
            Tally(shown["statements"], shown["missing"], shown["branches"], shown["missingBranches"]),
        )
        alone = {row.origin: row.only_here for row in figures.rows}
        assert [alone.get(origin, 0) for origin in origins] == shown["alone"]
        assert shown["several"] == figures.sets["several"]
    assert json.loads(browser.run("off = 7; JSON.stringify(figures(all.files).percent)")) == 0.0


def summed(figures: Figures) -> Tally:
    """Add up what all files have and lack."""
    return sum((each["combined"] for each in figures.tallies.values()), Tally())


def test_percentages_are_rounded_as_by_coverage(shop: Made, view: View) -> None:
    """Halves, near-zeros and near-hundreds are shown as coverage.py shows them, with any number of digits."""
    browser = view(shop.url)
    values = [0.0, 100.0, 0.001, 99.999, 62.5, 63.5, 0.125, 0.375, 10.235, 99.995, 100 / 3, 2.675, 61.38845553822153]
    for digits in range(4):
        shown = browser.run(f"{values}.map((value) => percent(value, {digits}))")
        assert shown == [f"{display_covered(value, digits)}%" for value in values]


def test_an_origin_can_be_taken_away(shop: Made, view: View) -> None:
    """The box of an origin takes it away: total, files and address count anew, and the address alone does the same."""
    browser = view(shop.url)
    before = browser.text("#verdict .total")
    browser.click("#origins input[value=pipeline]")
    browser.wait("location.hash.includes('without=pipeline')")
    after = browser.text("#verdict .total")
    assert after.startswith(f"{before} · without pipeline: ")
    assert after.split()[-1] == browser.text("#origins tr.combined .cover") != before.split()[-1]
    assert browser.run("document.activeElement.value") == "pipeline"
    assert browser.texts("#sets li")[2] == "pipeline only: 0"
    address = browser.run("location.href")
    view(address)
    assert browser.text("#verdict .total") == after


def test_files_are_sorted_by_what_there_is_to_gain(shop: Made, view: View) -> None:
    """The file with most to gain comes first; other orders can be chosen."""
    browser = view(f"{shop.url}")
    browser.click("#folders")
    assert listed(browser) == ["app/idle.py", "app/shop.py", "app/__init__.py", "app/tools/tool.py"]
    browser.run("$('sort').value = 'statements'; $('sort').dispatchEvent(new Event('change'))")
    assert listed(browser) == ["app/shop.py", "app/idle.py", "app/tools/tool.py", "app/__init__.py"]


def test_filters_choose_files(shop: Made, view: View) -> None:
    """Each filter shows the files that it names, and the text those whose path has all of its words."""
    browser = view(shop.url)
    shown = {}
    for name in ("", "nobody", "pipeline", "server"):
        browser.run(f"$('show').value = '{name}'; $('show').dispatchEvent(new Event('change'))")
        shown[name] = sorted(listed(browser))
    assert shown == {
        "": ["__init__.py", "idle.py", "shop.py", "tool.py"],
        "nobody": ["idle.py", "shop.py"],
        "pipeline": ["shop.py", "tool.py"],
        "server": ["tool.py"],
    }
    assert browser.run("$('show').querySelector('[value=changed]').disabled")
    view(f"{shop.url}#find=too%20py")
    assert listed(browser) == ["tool.py"]
    assert browser.text("#shown") == "1 of 4"


def test_changed_lines_are_a_filter_where_they_are_known(tmp_path: Path, view: View) -> None:
    """With a change the page counts its statements alone, for the origins that are left, and marks them in a file."""
    folder = tmp_path.resolve()
    files = {"app/__init__.py": "", "app/a.py": "x = 1\ny = 2\n", "app/b.py": "x = 1\n"}
    reached = [a_part("unit", {Source("app/a.py"): 0b1010}), a_part("pipeline", {Source("app/b.py"): 0b10})]
    make_page(folder, files, reached)
    (folder / ".gitignore").write_text("page\n.*\n")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", "app"), (*identity, "commit", "-qm", "one")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    made = make_page(folder, {"app/a.py": "x = 1\ny = 2\nz = 3\nz = 4\n"}, reached, change="HEAD")
    assert made.outcome.figures.change
    browser = view(f"{made.url}#show=changed")
    assert listed(browser) == ["a.py"]
    rows = browser.run(
        "[...document.querySelectorAll('#files tr.in')].map((row) => [...row.cells].slice(2).map((c) => c.innerText))"
    )
    assert rows == [["50%", "1", "2"]]
    assert "The change since HEAD" in browser.text("#verdict .change")
    browser.click("#files tbody tr.in a")
    browser.wait("document.querySelector('[data-painted] .ln')")
    assert browser.run("[...document.querySelectorAll('.ln.changed')].map((line) => line.id)") == ["L3", "L4"]


def test_folders_fold(shop: Made, view: View) -> None:
    """A folder hides its files and shows them again; its row sums them up, and says whether it is open."""
    browser = view(shop.url)
    folder = "#files tr.folder button"
    assert browser.texts(folder) == ["▾ app/ (3)", "▾ app/tools/ (1)"]
    browser.click(folder)
    assert (listed(browser), browser.texts(folder)[0]) == (["tool.py"], "▸ app/ (3)")
    assert browser.run("document.activeElement.ariaExpanded") == "false"
    browser.click(folder)
    browser.click("#fold")
    assert (listed(browser), browser.text("#fold")) == ([], "Unfold all")


def test_processes_and_what_does_not_count_are_listed(tmp_path: Path, view: View) -> None:
    """Every process is a line: its command, pid, begin, end and gap; a file that does not count says why."""
    folder = tmp_path.resolve()
    stale = Source("app/stale.py", "0" * 32)
    made = make_page(
        folder,
        {"app/fresh.py": "x = 1\n", "app/stale.py": "x = 1\n"},
        [a_part("pipeline", {Source("app/fresh.py"): 0b10, stale: 0b10, Source("../../away.py"): 0b10})],
    )
    browser = view(made.url)
    text = browser.text("#rest")
    assert "python -m uvicorn app:app" in text
    assert "ended " in text
    assert "the file has changed since; does not count" in text
    assert browser.texts("#rest caption") == ["Processes (1)", "Stale, foreign and unverified files (2)"]
