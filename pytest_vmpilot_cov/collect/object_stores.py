"""Object stores -> the data in them, copied below a folder; fsspec knows the stores and their credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pytest_vmpilot_cov.collect.intake import CHUNK_BYTES, Intake, Member, is_wanted
from pytest_vmpilot_cov.messages import UsageError, say

URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
AT_ONCE = 8
"""How many objects are copied at the same time."""


def is_url(word: str) -> bool:
    """Tell a URL from a path."""
    return URL.match(word) is not None


def fetch(url: str, folder: Path, intake: Intake) -> Path | None:
    """Copy the data below a URL, or the one object that it names, below *folder*.

    Args:
        url: an object, a prefix or a pattern, as fsspec understands it.
        folder: where the copies go.
        intake: takes them, and notes what cannot be read.

    Returns:
        The copy of the object that the URL names; None for a prefix or a pattern.

    Raises:
        UsageError: when the library that knows this kind of store is not installed.
    """
    try:
        from fsspec.core import url_to_fs  # an optional dependency

        store, path = url_to_fs(url)
        name = path.rstrip("/").rpartition("/")[2]
        if not url.endswith("/") and store.isfile(path):
            member = Member(name, _written(store.info(path)), partial(store.open, path, "rb", block_size=CHUNK_BYTES))
            return _copy(member, folder, url, intake)
        members = list(_members(store, path))  # all of them here, where their errors are caught
    except ImportError as error:
        raise UsageError(say("store-needs", url=url, why=error)) from None
    except Exception as error:  # noqa: BLE001 - each store raises its own
        intake.refuse(url, _why(error))
        return None
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        # list() waits for all of them, and raises what a thread raised
        list(pool.map(lambda each: _copy(each, folder, f"{url.rstrip('/')}/{each.name}", intake), members))
    return None


def _members(store: Any, path: str) -> Iterator[Member]:  # noqa: ANN401 - fsspec has no types
    """Yield the objects below a prefix, or those that match a pattern and everything below them."""
    has_pattern = any(sign in path for sign in "*?[")
    tops = store.glob(path) if has_pattern else [path]
    # names stay relative to the last folder before the pattern
    root = re.split(r"[*?\[]", path, maxsplit=1)[0].rpartition("/")[0] if has_pattern else path.rstrip("/")
    for top in tops:
        for name, facts in sorted(store.find(top, detail=True).items()):
            inside = name.removeprefix(root).lstrip("/")
            if is_wanted(inside):
                yield Member(inside, _written(facts), partial(store.open, name, "rb", block_size=CHUNK_BYTES))


def _copy(member: Member, folder: Path, label: str, intake: Intake) -> Path | None:
    try:
        return intake.copy(member, folder, label)
    except Exception as error:  # noqa: BLE001 - each store raises its own
        intake.refuse(label, _why(error))
        return None


def _written(facts: dict[str, Any]) -> float:
    """Return when an object was written; each store has another key for that."""
    moment = next((facts[word] for word in ("LastModified", "mtime", "last_modified", "created") if word in facts), 0.0)
    return moment.timestamp() if isinstance(moment, datetime) else float(moment or 0.0)


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
