"""Who waits for a task: what the task takes out of a queue is for them.

``asyncio.wait`` needs a task to wait for, and below Python 3.12 ``asyncio.wait_for`` makes one. Each task has a context
of its own, and nothing flows back from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from typing import Any


def those_waiting_for(task: Any) -> Iterator[tuple[int, Context]]:  # noqa: ANN401 - a Task, or None
    """Walk the tasks that wait for a task, and those that wait for them: the number of each, and its context."""
    futures = [task]
    for future in futures:  # it grows meanwhile
        for callback, context in getattr(future, "_callbacks", None) or ():
            if getattr(callback, "__name__", "").endswith("wakeup"):
                # the context that goes with it is the task's own, and not a copy
                yield id(callback.__self__), context
            futures += [each for each in _futures_behind(callback) if each not in futures]


def _futures_behind(callback: Any) -> list[Any]:  # noqa: ANN401 - any callback of a future
    """List what a callback will finish: asyncio has it as an argument, or around a function of its own."""
    function = getattr(callback, "func", callback)
    if getattr(function, "__module__", "") != "asyncio.tasks" and not hasattr(callback, "__self__"):
        return []
    try:
        cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    except ValueError:  # one is not filled yet
        return []
    behind = [getattr(callback, "__self__", None), *getattr(callback, "args", ()), *cells]
    return [each for each in behind if hasattr(each, "_callbacks")]
