"""Notice when a module is loaded again in a live process: from then on its lines are those of another source.

``importlib.reload`` and servers that reload a file in process (Open WebUI Pipelines) all ask the file's loader for its
code; nothing else tells an old line 7 from a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.machinery import SourceFileLoader
from types import CodeType


def watch_loads(loaded: Callable[[str], None]) -> None:
    """Call *loaded* with the path of every source file whose code is about to run; it must not raise."""
    original = SourceFileLoader.get_code

    @wraps(original)
    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        code = original(self, fullname)
        loaded(self.path)
        return code

    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]
