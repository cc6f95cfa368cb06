"""The tag: the name of the test that a task, a thread or a request works for, and how a request carries it.

A test is named as pytest-cov names it, ``tests/test_chat.py::test_answer|run``. Inside a process the tag is a context
variable, which awaits and tasks inherit. Between processes it is a member of the standard header ``baggage`` (W3C
Baggage), which instrumented services of any language pass on.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

TEST: ContextVar[str] = ContextVar("vmpilot_cov_test", default="")
"""The test whose work runs now; empty for nobody's."""
REQUEST: ContextVar[Request | None] = ContextVar("vmpilot_cov_request", default=None)
"""The request that this context answers, or comes from; None where a queue has lent it the test."""
HEADER = "baggage"
MOST_OCTETS = 1024
"""How long the value of a header may be; servers and proxies limit all headers together to about 8 KiB."""
_MEMBER = "vmpilot-cov"


def to_header(test: str) -> str:
    """Return the value of the header that names a test; empty if it would be too long.

    Args:
        test: its name and phase.
    """
    value = f"{_MEMBER}={quote(test, safe='/:|.')}"
    return value if len(value) <= MOST_OCTETS else ""


def from_headers(values: Iterable[str]) -> str:
    """Return the test that ``baggage`` headers name; empty for none.

    Args:
        values: one for each such header, with any members of others.
    """
    joined = ",".join(values)
    return _test_in(joined) if _MEMBER in joined else ""


@lru_cache(256)  # a test sends the same header with each of its requests
def _test_in(baggage: str) -> str:
    for member in baggage.split(","):
        key, _, value = member.partition("=")
        if key.strip() == _MEMBER:
            name = unquote(value.partition(";")[0].strip())  # after the semicolon are properties
            return name if name.isprintable() and len(name) <= MOST_OCTETS else ""
    return ""


class Request:
    """A request that is being answered, from its begin in the context that answers it."""

    __slots__ = ("_request_before", "_test_before", "is_open", "owner", "test")

    def __init__(self, test: str) -> None:
        """Begin it.

        Args:
            test: whose it is; empty for nobody's.
        """
        self.test = test
        self.is_open = True  # tasks that it has started may outlive it, and still come from it
        self.owner = doer()
        self._test_before, self._request_before = TEST.set(test), REQUEST.set(self)

    def end(self) -> None:
        """End it; in another context there is nothing to undo."""
        if self.is_open:
            self.is_open = False
            try:
                REQUEST.reset(self._request_before)
                TEST.reset(self._test_before)
            except ValueError:
                return


def doer() -> int:
    """Return a number of the task that runs, or else of the thread."""
    task = task_now()
    return get_ident() if task is None else id(task)


def task_now() -> Any:  # noqa: ANN401 - a Task
    """Return the task that runs; None outside of a loop."""
    tasks = sys.modules.get("asyncio.tasks")
    try:
        return tasks.current_task() if tasks is not None else None
    except RuntimeError:  # no loop runs in this thread
        return None
