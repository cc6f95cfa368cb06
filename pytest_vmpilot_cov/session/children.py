"""Python processes that tests start in an environment without the variable that makes them record.

A client of an MCP server, for one, hands few variables on. The process stays as the test wants it; the report names it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_vmpilot_cov.messages import first_of, say
from pytest_vmpilot_cov.report.words import count
from server_hook.command_line import is_python
from server_hook.environment import VARIABLE

_ENV = 10
"""The place of the environment among the arguments of ``Popen``."""


class Children:
    """Sees what this process starts by ``subprocess``, on which asyncio and others build."""

    def __init__(self, root: Path) -> None:
        """Watch nothing yet.

        Args:
            root: the folder of the project; a process that runs nothing of it is nothing to report.
        """
        self._root = root.resolve()
        self._unrecorded: dict[str, int] = {}
        self._original: Any = None
        self._watching: Any = None

    def watch(self) -> None:
        """Look at each process that starts from now on."""
        self._original = original = subprocess.Popen.__init__

        @wraps(original)
        def init(process: subprocess.Popen[Any], *args: object, **kwargs: object) -> None:
            __tracebackhide__ = True
            self._original(process, *args, **kwargs)
            with suppress(Exception):  # a test may give what we do not understand
                environment = kwargs.get("env", args[_ENV] if len(args) > _ENV else None)
                self._look_at(process.args, environment, str(kwargs.get("cwd") or ""))

        self._watching = init
        subprocess.Popen.__init__ = self._watching  # type: ignore[method-assign]

    def stop(self) -> None:
        """Look at no more."""
        if subprocess.Popen.__init__ is self._watching:  # else a test has replaced it, for good
            subprocess.Popen.__init__ = self._original  # type: ignore[method-assign]

    def unrecorded(self) -> str:
        """Say which processes of the project recorded nothing because of their environment; empty for none."""
        if not self._unrecorded:
            return ""
        number = sum(self._unrecorded.values())
        return say(
            "child-unrecorded", number=count(number, "process", "processes"), commands=first_of([*self._unrecorded])
        )

    def _look_at(self, args: object, environment: object, folder: str) -> None:
        if VARIABLE not in os.environ or not isinstance(environment, Mapping) or not isinstance(args, Sequence):
            return
        if isinstance(args, str | bytes) or not {VARIABLE, os.fsencode(VARIABLE)}.isdisjoint(environment):
            return
        words = [os.fsdecode(word) for word in args]
        if is_python(words[0]) and any(map(self._is_ours, _programs(words[1:], folder))):
            command = " ".join([os.path.basename(words[0]), *words[1:]])[:60]
            self._unrecorded[command] = self._unrecorded.get(command, 0) + 1

    def _is_ours(self, path: str) -> bool:
        place = Path(path).resolve()
        return place.is_relative_to(self._root) and "site-packages" not in place.parts


def _programs(words: list[str], folder: str) -> Iterator[str]:
    """Yield where the module or the script lies that a Python with these arguments runs."""
    if "-m" in words[:-1]:
        package = words[words.index("-m") + 1].partition(".")[0]
        spec = find_spec(package)
        yield from (spec.submodule_search_locations or [spec.origin or ""]) if spec else ()
    else:
        yield from (os.path.join(folder, word) for word in words if word.endswith(".py"))
