"""Pages of the repository on the site: links that work on GitHub work here, too.

A page of ``docs/project`` holds one line, ``<!-- page: README.md -->``, and shows that file of the repository.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
_PAGE = re.compile(r"^<!-- page: (\S+) -->\n$")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")


def shown_pages() -> dict[Path, Path]:
    """Return the files of the repository that the site shows, each with its page."""
    stubs = {page: _PAGE.match(page.read_text("utf-8")) for page in (DOCS / "project").glob("*.md")}
    return {ROOT / found[1]: page for page, found in stubs.items() if found}


def adapt(text: str, written: Path, page: Path) -> str:
    """Return a file's text with its links as the page needs them that shows it."""
    shown = shown_pages()

    def target(link: re.Match[str]) -> str:
        there = Path(os.path.normpath(written.parent / link[1]))
        return os.path.relpath(shown.get(there, there), page.parent)

    # code stays as it is: a bracket before a parenthesis is no link there, and a # is no heading
    title, parts = text.partition("\n")[0], _CODE.split(text.partition("\n")[2])
    parts[::2] = [_LINK.sub(target, part) for part in parts[::2]]
    if any(re.search(r"^# ", part, re.MULTILINE) for part in parts[::2]):
        # a list of pages would show each further title as a page of its own
        parts[::2] = [re.sub(r"^#", "##", part, flags=re.MULTILINE) for part in parts[::2]]
    return "\n".join([title, "".join(parts)])


def _read(_app: Sphinx, name: str, source: list[str]) -> None:
    page = DOCS / f"{name}.md"
    stub = _PAGE.match(source[0])
    written = ROOT / stub[1] if stub else page
    source[0] = adapt(written.read_text("utf-8") if stub else source[0], written, page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Adapt every page when it is read."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
