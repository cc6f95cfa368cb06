"""Notice when a module is loaded again in a live process: from then on its lines are those of another source.

``importlib.reload`` and servers that reload a file in process (Open WebUI Pipelines) all ask the file's loader for the
file's state before they read it; nothing else tells an old line 7 from a new one. A wrapper around ``get_code`` would
do as well, but its frame would stand in the tracebacks of syntax errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from importlib.machinery import SourceFileLoader
from typing import Any


def watch_loads(loaded: Callable[[str], None]) -> None:
    """Call *loaded* with the path of every source file whose code is about to run; it must not raise."""
    original = SourceFileLoader.path_stats

    @wraps(original)
    def path_stats(self: SourceFileLoader, path: str) -> Mapping[str, Any]:
        loaded(path)
        return original(self, path)

    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]
