"""The pages that no other test runs: the tree of modules, the links, the examples of messages."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from pytest_vmpilot_cov import messages
from tests.unit.test_layout import FILES, PLUGIN

ROOT = PLUGIN.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md"), ROOT / "benchmarks/README.md"])

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not here")


def modules_in_tree() -> Iterator[str]:
    """Yield the path of every module that the tree of docs/architecture.md names."""
    tree = (DOCS / "architecture.md").read_text("utf-8").split("```text\n")[1].partition("```")[0]
    package = wing = ""
    for line in tree.splitlines():
        depth, words = len(line) - len(line.lstrip()), line.split()
        names = [*takewhile(lambda word: word.endswith(".py"), words)]
        if words[0].endswith("/"):
            package, wing = (words[0], "") if not depth else (package, words[0])
        elif depth == 4:
            wing = ""
        yield from (package + wing + name for name in names)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def section_of(slug: str) -> str:
    """Return the section of a message in docs/messages.md, without its heading."""
    return (DOCS / "messages.md").read_text("utf-8").split(f"\n## {slug}\n")[1].partition("\n## ")[0]


def examples_in(section: str) -> list[str]:
    """Return the examples with which the section of a message begins."""
    examples = section.partition("\n**Cause:** ")[0].strip("\n").split("\n\n")
    return [re.sub(r"^    ", "", each, flags=re.MULTILINE) for each in examples]


def test_the_tree_names_every_module() -> None:
    """docs/architecture.md has a line for each module of both packages, and for no other."""
    modules = {str(path.relative_to(ROOT)) for path in FILES if path.name != "__init__.py"}
    assert modules == set(modules_in_tree())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link between the pages names a file that exists and a heading that it has."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_readme_leads_to_every_page() -> None:
    """README has a link to each page that GitHub shows; the pages of the site alone are in folders of their own."""
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", (ROOT / "README.md").read_text("utf-8")))
    assert {page.name for page in DOCS.glob("*.md")} == linked


@pytest.mark.parametrize("slug", sorted(messages.SLUGS))
def test_a_message_is_shown_as_it_is_and_explained(slug: str) -> None:
    """docs/messages.md shows each message of the plugin as the plugin words it, then its cause and its fix."""
    section = section_of(slug)
    parts = [*string.Formatter().parse(messages._TEXTS[slug])]
    wanted = "".join(re.escape(text) + (".*" if name is not None else "") for text, name, _, _ in parts)
    pattern = re.compile(rf"{wanted} \({slug}\)", re.DOTALL)
    assert any(pattern.search(example) for example in examples_in(section))
    assert 0 < section.find("\n**Cause:** ") < section.find("\n**Fix:** ")
