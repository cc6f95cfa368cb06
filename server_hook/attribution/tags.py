"""The tag: the name of the test that a task, a thread or a request works for, and how a request carries it.

A test is named as pytest-cov names it, ``tests/test_chat.py::test_answer|run``. Inside a process the tag is a context
variable, which awaits and tasks inherit. Between processes it is a member of the standard header ``baggage`` (W3C
Baggage), which instrumented services of any language pass on.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from urllib.parse import quote, unquote

TEST: ContextVar[str] = ContextVar("vmpilot_cov_test", default="")
"""The test whose work runs now; empty for nobody's."""
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
    for member in ",".join(values).split(","):
        key, _, value = member.partition("=")
        if key.strip() == _MEMBER:
            name = unquote(value.partition(";")[0].strip())  # after the semicolon are properties
            return name if name.isprintable() and len(name) <= MOST_OCTETS else ""
    return ""
