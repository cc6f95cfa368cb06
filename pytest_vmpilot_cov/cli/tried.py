"""What this version was tried with: another interpreter, coverage.py or pytest is no error, but unknown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final

from pytest_vmpilot_cov.messages import say
from server_hook.problems import one_line

TRIED: Final = {"Python": ((3, 11), (3, 15)), "coverage": ((7, 10), (7, 17)), "pytest": ((8, 0), (9, 2))}
"""The first and the last release of each that the tests were run with."""

_SO = ": the next lines say whether it records"


def untried(probe: Mapping[str, object]) -> Iterator[str]:
    """Say of what an interpreter has that it is unknown here, and what that means.

    Args:
        probe: its versions, its system, whether its threads run freely, and what kind of Python it is.
    """
    for name, (first, last) in TRIED.items():
        text = str(probe.get(name.lower(), ""))
        number = _release(text)
        if number and not first <= number <= last:
            age = "older" if number < first else "newer"
            span = f"{_shown(first)} to {_shown(last)}"
            yield f"{name} {text} is {age} than what this version was tried with ({span}){_SO}"
    kind = str(probe.get("kind", "cpython"))
    if kind != "cpython":
        yield f"Python of the kind {kind} was tried in part{_SO}"
    if probe.get("system") == "win32":
        yield f"Windows is experimental{_SO}"
    if probe.get("free"):
        yield f"a Python without the global lock was never tried{_SO}"


def lacks(error: ImportError | AttributeError | TypeError) -> str:
    """Say that this coverage.py lacks what is needed, or takes other arguments; empty where something else does."""
    if isinstance(error, ImportError):
        owners = [error.name or ""]
    elif isinstance(error, AttributeError):
        owners = [getattr(error.obj, "__name__", ""), *(each.__module__ for each in type(error.obj).__mro__)]
    else:  # "Coverage.__init__() got an unexpected keyword argument"
        name = str(error).partition("(")[0].partition(".")[0]
        owners = [getattr(getattr(module, name, None), "__module__", "") for module in _modules_of_coverage()]
    if not any(each.partition(".")[0] == "coverage" for each in owners):
        return ""
    first, last = map(_shown, TRIED["coverage"])
    version = getattr(sys.modules.get("coverage"), "__version__", "(unknown)")
    return say("coverage-unsupported", version=version, why=one_line(error), first=first, last=last)


def _modules_of_coverage() -> list[ModuleType]:
    return [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "coverage"]


def _release(text: str) -> tuple[int, ...]:
    """Read major and minor; empty for what is no version."""
    try:
        major, minor = map(int, text.split(".")[:2])
    except ValueError:
        return ()
    return major, minor


def _shown(release: tuple[int, int]) -> str:
    return ".".join(map(str, release))
