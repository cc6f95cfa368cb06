"""Notice that a source file is loaded again in a live process: from then on its lines are those of another source.

``importlib.reload`` and servers that reload a module in process (Open WebUI Pipelines) ask the file's loader for the
file's state before they read it; nothing else tells an old line 7 from a new one. A wrapper around ``get_code`` would
do as well, but its frame would stand in the tracebacks of syntax errors.

Others read and compile a source themselves: ``runpy.run_path``, ``exec``, a loader of their own (Streamlit). Only an
audit hook hears of that. It stays for the rest of the process and makes each audited call a little slower (``id`` by
0.1 us), so only a process that has once loaded a source in such a way gets one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache, wraps
from importlib.machinery import SourceFileLoader
from types import FrameType
from typing import Any

_IMPORT, _RUN = "<frozen importlib", "<frozen runpy>"
_NEVER_AGAIN = ("AssertionRewritingHook",)
"""Loaders that compile by themselves and load no module twice: pytest's."""


def watch_loads(loaded: Callable[[str], None]) -> None:
    """Call *loaded* with the path of every source file that is about to be imported or reloaded; it must not raise."""
    original = SourceFileLoader.path_stats

    @wraps(original)
    def path_stats(self: SourceFileLoader, path: str) -> Mapping[str, Any]:
        loaded(path)
        return original(self, path)

    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]


def stop_watching_loads() -> None:
    """Put back what ``watch_loads`` has replaced."""
    watched = SourceFileLoader.path_stats
    SourceFileLoader.path_stats = getattr(watched, "__wrapped__", watched)  # type: ignore[method-assign]


def watch_compiles_after(frame: FrameType, loaded: Callable[[str], None]) -> None:
    """Watch what is compiled from now on if a program has started a file's first frame by means of its own.

    Args:
        frame: that frame.
        loaded: called with a file's name; it must not raise.
    """
    if _is_of_own_means(frame):
        watch_compiles(loaded)


def _is_of_own_means(frame: FrameType) -> bool:
    """Tell whether the program itself runs a frame: by no import, and not as its main module."""
    caller = frame.f_back
    # multiprocessing's spawn runs the main module once more, under this name
    if frame.f_code.co_name != "<module>" or caller is None or frame.f_globals.get("__name__") == "__mp_main__":
        return False
    if caller.f_code.co_filename == _RUN:  # python -m: nothing is below runpy's own two frames
        return caller.f_back is not None and caller.f_back.f_back is not None
    loader = type(frame.f_globals.get("__loader__"))
    if caller.f_code.co_filename.startswith(_IMPORT):
        return loader is not SourceFileLoader  # watch_loads hears of that one
    return loader.__name__ not in _NEVER_AGAIN


@cache  # an audit hook cannot be taken away: one is enough
def watch_compiles(loaded: Callable[[str], None]) -> None:
    """Call *loaded* with the name of every file whose source is compiled from now on; it must not raise."""

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "compile" and isinstance(arguments[1], str):  # source, file name
            loaded(arguments[1])

    sys.addaudithook(hear)
