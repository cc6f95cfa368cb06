from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from server_hook.arcs import Arcs
from server_hook.store.segment import Source, bitmap
from tests.browser import Browser
from tests.conftest import numbered
from tests.page.conftest import SHOP, Made, make_page
from tests.unit.conftest import a_part

View = Callable[[str], Browser]
HOSTILE = [
    "a\nFAIL fake\nb",
    "\x1b[31mred\x1b[0m",
    "\u202eyp",
    "\u2028x\u2029",
    "q\"uo'te",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "`${document.title='owned'}`",
    "back\\slash",
    "&amp;&lt;b&gt;",
    "__proto__",
    "a#b&file=c%2Fd+e",
    "]]>",
]


@pytest.fixture
def file(shop: Made, view: View) -> Browser:
    """Give the browser with a file of the shop open."""
    browser = view(f"{shop.url}#file=app%2Fshop.py")
    browser.wait("document.querySelector('[data-painted] .who')")
    return browser


def marked(browser: Browser, state: str) -> list[int]:
    """List the lines that are shown in a state."""
    return list(browser.run(f"[...document.querySelectorAll('.ln.{state}')].map((line) => Number(line.id.slice(1)))"))


def test_a_file_shows_its_source_in_colors(file: Browser, shop: Made) -> None:
    """Every line of the source is there as it is, its keywords, texts, numbers and comments in colors."""
    source = (shop.folder.parent / "app/shop.py").read_text()
    assert [line.rstrip() for line in source.splitlines()] == file.run(
        "[...document.querySelectorAll('.ln code')].map((line) => line.textContent)"
    )
    file.wait("document.querySelector('.k1')")
    words = {kind: set(file.texts(f".k{kind}")) for kind in (1, 2, 3)}
    assert {"def", "return", "if", "None", "True"} == words[1]
    assert '"nine"' in words[2]
    assert words[3] == {"10"}


def test_words_are_colored_as_python_reads_them(shop: Made, view: View) -> None:
    """Texts over several lines, prefixes, escapes and numbers keep to their ends; a template has no colors."""
    browser = view(shop.url)
    code = [
        'a = """one # two',
        "it's",
        '""" + rb"\\"  # "c"',
        "b = 'x\\'y' + f\"{a}\" if not 0x1F else 1_0.5e3",
        "c = 'open",
        "déf = None",
    ]
    script = "((name, code) => wordsOf({name, code}).map((l, n) => l.map(([a, b, k]) => [k, code[n].slice(a, b)])))"
    words = browser.run(f"{script}('a.py', {json.dumps(code)})")
    assert [[each for each in line if each[0] != "k5"] for line in words] == [
        [["k2", '"""one # two']],
        [["k2", "it's"]],
        [["k2", '"""'], ["k2", 'rb"\\"  # "'], ["k2", '"']],
        [
            ["k2", "'x\\'y'"],
            ["k2", 'f"{a}"'],
            ["k1", "if"],
            ["k1", "not"],
            ["k3", "0x1F"],
            ["k1", "else"],
            ["k3", "1_0.5e3"],
        ],
        [["k2", "'open"]],
        [["k1", "None"]],
    ]
    assert browser.run(f"{script}('a.html', ['if x:'])") == [[]]


def test_lines_have_a_stripe_for_each_origin(file: Browser) -> None:
    """Left of each line stands a letter for each origin that reached it; missing lines have a mark."""
    for origin, letter in {"unit": "U", "e2e": "E", "pipeline": "P"}.items():
        lines = "[...document.querySelectorAll('.ln')]"
        stripes = f"{lines}.map((line) => line.querySelector('.who .{origin}')?.textContent)"
        assert [number for number, shown in enumerate(file.run(stripes), 1) if shown == letter] == numbered(
            SHOP, origin
        )
    (missing,) = numbered(SHOP, "nobody")
    assert (marked(file, "miss"), file.text(f"#L{missing} .tick")) == ([missing], "✗")
    assert file.run(f"document.querySelector('#L{missing} .no').ariaLabel") == f"Line {missing}, missing"
    assert file.run("document.querySelector('#L5 .no').ariaLabel") == "Line 5, reached by unit, e2e"


def test_a_click_on_a_line_says_who_reached_it(file: Browser) -> None:
    """A click names the origins and the processes that reached the line, and puts the line into the address."""
    (line,) = [line for line in numbered(SHOP, "pipeline") if line not in numbered(SHOP, "unit")]
    file.click(f"#L{line} code")
    said = file.text("#line")
    assert f"Line {line}" in said
    assert (
        file.texts(".by-origin li") == ["U\nunit: did not", "E\ne2e: did not", "P\npipeline: reached it"]
        or "pipeline: reached it" in said
    )
    assert ("unit: did not" in said, "pipeline: reached it" in said, "Processes (1)" in said) == (True, True, True)
    assert "python -m uvicorn app:app" in said
    assert file.run("location.hash") == f"#file=app%2Fshop.py&line={line}"


def test_an_address_leads_to_a_line(shop: Made, view: View) -> None:
    """A link that was sent opens the file at its line, and the way back leads to all files."""
    browser = view(f"{shop.url}#file=app%2Fshop.py&line=7")
    browser.wait("document.querySelector('#line h3')")
    assert browser.run("document.querySelector('.ln.pick').id") == "L7"
    assert "shop.py" in browser.run("document.title")
    browser.press("Escape")
    browser.wait("!document.querySelector('#overview').hidden")
    assert browser.run("document.activeElement.getAttribute('href')") == "#file=app%2Fshop.py"


def test_keys_lead_to_missing_lines_and_other_files(file: Browser) -> None:
    """The keys n and p go to the next and the last missing line, ] and [ to other files, / to the search."""
    (missing,) = numbered(SHOP, "nobody")
    file.press("n")
    file.wait(f"document.querySelector('.ln.pick') && document.querySelector('.ln.pick').id === 'L{missing}'")
    file.click("#L1 code")
    file.press("ArrowDown")
    assert file.run("document.activeElement.closest('.ln').id") == "L2"
    file.click("#L20 code")
    file.press("p")
    file.wait(f"document.querySelector('.ln.pick').id === 'L{missing}'")
    file.press("[")
    file.wait("document.querySelector('#name').innerText === 'app/idle.py'")
    file.press("]")
    file.wait("document.querySelector('#name').innerText === 'app/shop.py'")
    file.press("/")
    file.wait("document.activeElement.id === 'find'")
    file.press("n")  # typed, not a command
    assert file.run("$('find').value") == "n"


def test_without_an_origin_its_lines_are_missing(file: Browser) -> None:
    """Taking an origin away in a file marks what it alone reached as missing."""
    alone = [line for line in numbered(SHOP, "pipeline") if line not in numbered(SHOP, "unit")]
    file.click("#boxes input[value=pipeline]")
    file.wait("location.hash.includes('without')")
    assert marked(file, "miss") == sorted([*alone, *numbered(SHOP, "nobody")])
    assert "pipeline only 0" in file.text("#about")


def test_a_branch_that_nobody_took_is_marked(tmp_path: Path, view: View) -> None:
    """A line with a branch that was not taken is marked, and a click says where the branch leads and who took which."""
    source = "def f(x):\n    if x:\n        x = 2\n    return x\n\nf(1)\n"
    arcs = Arcs([(-1, 1), (1, 6), (6, -1), (-1, 2), (2, 3), (3, 4), (4, -1)])
    made = make_page(
        tmp_path.resolve(), {"app/a.py": source}, [a_part("unit", {Source("app/a.py"): arcs})], branch=True
    )
    browser = view(f"{made.url}#file=app%2Fa.py&line=2")
    browser.wait("document.querySelector('#line li')")
    assert marked(browser, "part") == [2]
    assert "to line 4: taken by nobody" in browser.text("#line")


def test_tests_are_named_where_they_were_recorded(tmp_path: Path, view: View) -> None:
    """With recorded contexts a click names the tests that reached the line."""
    name = "tests/test_shop.py::test_one|run"
    files = {"app/a.py": "x = 1\ny = 2\n"}
    parts = [
        a_part("unit", {Source("app/a.py"): bitmap([1])}, context=name),
        a_part("unit", {Source("app/a.py"): bitmap([2])}),
    ]
    made = make_page(tmp_path.resolve(), files, parts)
    browser = view(f"{made.url}#file=app%2Fa.py&line=1")
    browser.wait("document.querySelector('#line li')")
    assert name in browser.text("#line")
    browser.click("#L2 code")
    assert "Tests (0)" in browser.text("#line")


def test_nothing_of_others_becomes_markup(tmp_path: Path, view: View) -> None:
    """A file whose name, source and test are hostile is text everywhere, and can be opened by its address."""
    folder, files, parts = tmp_path.resolve(), {}, []
    for number, name in enumerate(HOSTILE):
        path, one_line = f"app/{number}{name.replace('/', '_')}.py", name.replace("\n", " ")
        files[path] = f"x = {name!r}  # {one_line} \u202e </script>\n"
        parts.append(a_part("unit", {Source(path): bitmap([1])}, context=f"test[{one_line}]"))
    made = make_page(folder, files, parts)
    browser = view(made.url)
    elements = "document.querySelectorAll('script, img, iframe, b').length"
    assert browser.run(elements) == 2
    shown = sorted(browser.texts("#files tbody a"), key=lambda text: int(re.match(r"\d+", text)[0]))  # type: ignore[index]
    assert len(shown) == len(HOSTILE)
    for number, text in enumerate(shown):
        assert (text.isprintable(), str(number) in text) == (True, True)
        browser.run(f"location.hash = 'file={quote(f'app/{text}', safe='')}&line=1'")
        browser.wait(f"$('name').innerText === {json.dumps(f'app/{text}')} && document.querySelector('#line li')")
        assert browser.run(elements) == 3 + number  # with that of the file's data
        assert browser.run("document.title") == f"app/{text} · {folder.name}"
        assert not {"\u202e", "\u2028", "\x1b"} & set(browser.run("$('code').textContent + $('line').textContent"))
    data = b"".join(path.read_bytes() for path in (made.folder / "data").iterdir())
    assert (data.isascii(), b"<" in data) == (True, False)


def size_of(octets: bytes) -> tuple[int, int]:
    """Read the size of a PNG."""
    assert octets.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", octets[16:24])
    return width, height


def test_light_and_dark(file: Browser, tmp_path: Path) -> None:
    """The page follows what its reader prefers, and a button turns it over."""
    ground = "getComputedStyle(document.body).backgroundColor"
    assert file.run(ground) == "rgb(255, 255, 255)"
    file.look(1280, 900, dark=True)
    assert file.run(ground) == "rgb(20, 23, 28)"
    assert size_of(file.picture(tmp_path / "dark.png")) == (1280, 900)
    file.click("#theme")
    assert file.run(ground) == "rgb(255, 255, 255)"
    file.run("localStorage.clear(); delete document.documentElement.dataset.theme")


def test_the_page_is_made_of_three_small_files(shop: Made) -> None:
    """HTML, CSS and JavaScript have 60 KB together at most, and load nothing but the data beside them."""
    assets = [shop.folder / name for name in ("index.html", "page.css", "page.js")]
    assert sum(path.stat().st_size for path in assets) <= 60_000
    assert sorted(path.name for path in shop.folder.iterdir()) == [
        ".gitignore",
        "data",
        *sorted(p.name for p in assets),
    ]
    assert "http" not in "".join(path.read_text() for path in assets).replace("http-equiv", "")


def test_a_page_replaces_the_one_before(tmp_path: Path) -> None:
    """Data of files that are gone goes; what others have put into the folder stays, and is not ignored by git."""
    folder = tmp_path.resolve()
    files = {"app/__init__.py": "", "app/a.py": "x = 1\n", "app/b.py": "x = 1\n"}
    made = make_page(folder, files, [a_part("unit", {Source("app/a.py"): 2})])
    (made.folder / "data/mine.js").write_text("")
    (made.folder / ".gitignore").write_text("mine\n")
    assert len(list((made.folder / "data").iterdir())) == 5
    (folder / "app/b.py").unlink()
    make_page(folder, {}, [])
    assert sorted(path.name for path in (made.folder / "data").iterdir()) == ["0.js", "1.js", "index.js", "mine.js"]
    assert (made.folder / ".gitignore").read_text() == "mine\n"


def test_print_has_the_whole_file(view: View, tmp_path: Path) -> None:
    """On paper every line is colored and marked, also those that nobody has looked at, and the controls are gone."""
    source = "".join(f"x{number} = {number}\n" for number in range(1000))
    part = a_part("unit", {Source("app/a.py"): bitmap(range(1, 1000))})
    made = make_page(tmp_path.resolve(), {"app/a.py": source}, [part])
    browser = view(f"{made.url}#file=app%2Fa.py")
    browser.wait("document.querySelector('.ln')")
    assert browser.run("document.querySelectorAll('.hit').length") < 1000
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('.hit').length") == 999
    browser.ask("Emulation.setEmulatedMedia", media="print")
    hidden = "['#theme', '#file nav', '#line'].map((each) => getComputedStyle(document.querySelector(each)).display)"
    assert browser.run(hidden) == ["none"] * 3
    browser.ask("Emulation.setEmulatedMedia", media="")
