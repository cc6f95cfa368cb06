"""What has changed between two states of the page: all that a browser is sent while it looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_vmpilot_cov.report.page.data import Contents


def changes(before: Contents, after: Contents) -> dict[str, Any] | None:
    """Return what a page that shows one state needs to show another; None if it has to be loaded anew."""
    if _names(before) != _names(after):  # files are known by their number
        return None
    index = {name: value for name, value in after.index.items() if name != "files" and value != before.index.get(name)}
    rows = zip(before.index["files"], after.index["files"], strict=True)
    files = zip(before.files, after.files, strict=True)
    return {
        "index": index,
        "rows": [[number, new] for number, (old, new) in enumerate(rows) if old != new],
        "files": [
            [number, {name: value for name, value in new.items() if value != old.get(name)}]
            for number, (old, new) in enumerate(files)
            if old != new
        ],
    }


def shared(before: Contents, after: Contents) -> Contents:
    """Return the later state with the parts of the earlier one in it that are equal, so that both take little more."""
    earlier = {file["name"]: file for file in before.files}
    files = (earlier[file["name"]] if file == earlier.get(file["name"]) else file for file in after.files)
    return replace(after, files=tuple(files))


def _names(contents: Contents) -> list[str]:
    return [file["name"] for file in contents.files]
