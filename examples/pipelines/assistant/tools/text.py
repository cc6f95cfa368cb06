"""Describe a text in numbers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from assistant.errors import ToolError
from assistant.tools.registry import Context, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TextStatistics:
    """What can be counted in a text."""

    characters: int
    words: int
    sentences: int
    longest: str
    most_common: str


def describe(text: str) -> TextStatistics:
    """Return the statistics of a text; between words of equal rank, the first of the alphabet counts.

    Raises:
        ToolError: there is no word in the text.
    """
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", text)]
    if not words:
        raise ToolError("there are no words in the text")
    counts = Counter(words)
    return TextStatistics(
        characters=len(text),
        words=len(words),
        sentences=len(re.findall(r"[.!?]+(?:\s|$)", text)) or 1,
        longest=min(words, key=lambda word: (-len(word), word)),
        most_common=min(counts, key=lambda word: (-counts[word], word)),
    )


def _run(arguments: Mapping[str, str], _: Context) -> str:
    found = describe(arguments["text"])
    return (
        f"{found.words} words, {found.sentences} sentences, {found.characters} characters; "
        f"the longest word is {found.longest}, the most common one {found.most_common}"
    )


TOOL: Final = Tool("text", "describe a text in numbers", ("text",), _run)
