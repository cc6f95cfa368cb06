"""Count lines, words and characters of the standard input: ``python -m assistant.tools.wordcount``."""

from __future__ import annotations

import sys


def count(text: str) -> str:
    """Return the three numbers in words."""
    lines = text.count("\n") + (not text.endswith("\n"))
    return f"{lines} lines, {len(text.split())} words, {len(text)} characters"


def main() -> int:
    """Read, count and print; without any input, complain."""
    text = sys.stdin.read()
    if not text:
        print("there is nothing to count", file=sys.stderr)
        return 1
    print(count(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
