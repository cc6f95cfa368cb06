from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_vmpilot_cov
import server_hook
from pytest_vmpilot_cov import messages

PLUGIN, HOOK = (Path(str(package.__file__)).parent for package in (pytest_vmpilot_cov, server_hook))
DOCS = PLUGIN.parent / "docs" / "messages.md"
WITH_SLUG = re.compile(r"\(([a-z]+(?:-[a-z0-9]+)+)\)\s*$")


def trees(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Parse every module of a package."""
    for path in sorted(folder.rglob("*.py")):
        if "example" not in path.parts:
            yield path, ast.parse(path.read_text("utf-8"))


def said() -> dict[str, set[str]]:
    """Find every ``say("slug", ...)``: the slug and the names of its values."""
    found: dict[str, set[str]] = {}
    for _, tree in trees(PLUGIN):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                slug = ast.literal_eval(node.args[0])
                found.setdefault(slug, set()).update(str(each.arg) for each in node.keywords)
    return found


def written_out() -> set[str]:
    """Find the slugs of messages that stand where they are raised: ``... (slug)`` or ``report(slug, ...)``."""
    constants = (
        node.value
        for folder in (PLUGIN, HOOK)
        for path, tree in trees(folder)
        if path.name != "messages.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    reported = {
        ast.literal_eval(node.args[0])
        for _, tree in trees(HOOK)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "report"
    }
    return reported | {match[1] for text in constants if (match := WITH_SLUG.search(text))}


def test_what_is_said_has_a_message() -> None:
    """Every slug that is used has its message."""
    unknown = set(said()) - messages.SLUGS
    assert not unknown


def test_every_message_is_said() -> None:
    """Every message is used somewhere."""
    unsaid = messages.SLUGS - set(said())
    assert not unsaid


@pytest.mark.parametrize("slug", sorted(messages.SLUGS))
def test_a_message_gets_the_values_it_shows(slug: str) -> None:
    """Whoever says a message gives it the values that its text shows, no more and no fewer."""
    shown = {name for _, name, _, _ in string.Formatter().parse(messages._TEXTS[slug]) if name}
    assert shown == said().get(slug, shown)


def test_a_message_ends_with_its_slug() -> None:
    """A message shows its values and ends with the slug that leads to its explanation."""
    expected = "process 7 (uvicorn) is still recording; its data stays, stop it first (still-recording)"
    assert expected == messages.say("still-recording", pid=7, command="uvicorn")


def test_slugs_are_found_where_they_are_written_out() -> None:
    """The search for slugs in the hook finds those that are known to be there."""
    assert {"config-not-found", "config-broken", "start-failed", "setting-invalid"} <= written_out()


@pytest.mark.skipif(not DOCS.exists(), reason="docs/messages.md is not here")
def test_every_slug_is_explained() -> None:
    """Every slug of the plugin, the command and the hook has one heading in docs/messages.md, and no other slug has."""
    headings = re.findall(r"^#+ `?([a-z]+(?:-[a-z0-9]+)+)`?$", DOCS.read_text("utf-8"), re.MULTILINE)
    unexplained, unknown = (messages.SLUGS | written_out()) - set(headings), set(headings) - messages.SLUGS
    assert not unexplained
    assert not unknown - written_out()
    assert len(set(headings)) == len(headings)
