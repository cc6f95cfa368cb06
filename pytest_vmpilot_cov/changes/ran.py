"""Parts -> which tests ran which lines of each file, in each of its states."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from server_hook.store import segment
from server_hook.store.blocks import ByContent
from server_hook.store.segment import Lines, Part

_PHASES = ("|setup", "|run", "|teardown")


@dataclass
class State:
    """What was measured of a file with one content."""

    tests: dict[str, Lines] = field(default_factory=lambda: defaultdict(int))
    whole: Lines = 0
    """What ran for any test or for none."""

    def running(self, lines: Lines) -> set[str]:
        """Name the tests that ran any of these lines."""
        return {test for test, ran in self.tests.items() if ran & lines}

    def for_no_test(self, lines: Lines) -> bool:
        """Tell whether any of these lines ran, and no test ran it."""
        left = self.whole & lines
        for ran in self.tests.values():
            left &= ~ran
        return bool(left)


@dataclass
class Ran:
    """What all tests ran."""

    files: dict[str, dict[str, State]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(State)))
    """Real path -> fingerprint of the content -> what was measured."""
    tests: set[str] = field(default_factory=set)
    blocks: ByContent = field(default_factory=dict)
    """Those of files that are neither as they were nor as they are, where they were written down."""

    def of_file(self, path: str, root: Path) -> set[str]:
        """Name the tests that a test's file, or a ``conftest.py``, is for."""
        if os.path.basename(path) == "conftest.py":
            folder = os.path.dirname(path) + os.sep
            return {test for test in self.tests if _file_of(test, root).startswith(folder)}
        return {test for test in self.tests if _file_of(test, root) == path}


def read(parts: Iterable[Part], blocks: ByContent) -> Ran:
    """Sort what was measured by file and by test; the phases of a test are one."""
    ran = Ran(blocks=blocks)
    for part in parts:
        test = _without_phase(part.label.context)
        ran.tests |= {test} - {""}
        for source, measured in part.files.items():
            state, lines = ran.files[os.path.realpath(source.path)][source.fingerprint], segment.to_lines(measured)
            state.whole |= lines
            if test:
                state.tests[test] |= lines
    return ran


def _without_phase(context: str) -> str:
    return context.rpartition("|")[0] if context.endswith(_PHASES) else context


def _file_of(test: str, root: Path) -> str:
    return os.path.realpath(root / test.partition("::")[0])
