"""A large source that is parsed piece by piece gives what coverage.py's parser gives of the whole."""

from __future__ import annotations

import functools
import sysconfig
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage.parser import PythonParser
from coverage.python import get_python_source
from hypothesis import given
from hypothesis import strategies as st

from pytest_vmpilot_cov.judge import coverage_pieces
from tests.unit.judge.test_parsed import EXCLUDED, bodies

pytestmark = pytest.mark.skipif(not coverage_pieces._can(), reason="this coverage.py's parser holds the whole")
PARSED = ("statements", "excluded", "multiline_map", "raw_statements", "_all_arcs", "_with_jump_fixers")
LIBRARY = Path(sysconfig.get_path("stdlib"))
WORST = ("typing", "enum", "ast", "contextlib", "dataclasses", "argparse", "test/test_grammar", "test/test_with")


@pytest.fixture(autouse=True, scope="module")
def everything_is_large() -> Iterator[None]:
    """Parse every source in pieces as small as can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coverage_pieces, "LARGE", 1)
        patch.setattr(coverage_pieces, "PIECE", 1)
        yield


def parsed(text: str, *, branch: bool, in_pieces: bool) -> Any:
    """Parse a source; return all that its parser has made, or how it failed."""
    made = PythonParser(text=text, filename="app.py", exclude="# pragma: no cover|TYPE_CHECKING")
    try:
        if in_pieces:
            made = coverage_pieces.parse(made, branch=branch)
        else:
            made.parse_source()
            if branch:
                made.arcs()
    except Exception as error:  # noqa: BLE001 - NotPython, or a source that only the compiler refuses
        return type(error), str(error)
    return {name: getattr(made, name) for name in PARSED}


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("name", WORST)
def test_real_sources_have_the_same_statements_and_arcs(name: str, *, branch: bool) -> None:
    """Modules of the standard library are parsed in pieces as they are as a whole."""
    path = LIBRARY / f"{name}.py"
    if not path.exists():
        pytest.skip("this Python comes without its tests")
    text = get_python_source(str(path))
    assert parsed(text, branch=branch, in_pieces=True) == parsed(text, branch=branch, in_pieces=False)


JUMPS = {"return 1": "raise A", "break": "pass", "continue": "pass"}
HEADS = ("def outer():", "async def outer():", f"def outer():  {EXCLUDED}")


def outside(body: list[str]) -> list[str]:
    """Replace what only a function or a loop may hold."""
    return [functools.reduce(lambda text, jump: text.replace(*jump), JUMPS.items(), line) for line in body]


inside = st.builds(lambda head, body: [head, *(f"    {line}" for line in body)], st.sampled_from(HEADS), bodies)
pieces = st.lists(st.one_of(inside, bodies.map(outside)), min_size=1, max_size=5)


@given(pieces, st.booleans())
def test_generated_sources_have_the_same_statements_and_arcs(parts: list[list[str]], branch: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Of generated modules, pieces give all that the whole gives, or the same error."""
    text = "\n".join(line for part in parts for line in part) + "\n"
    assert parsed(text, branch=branch, in_pieces=True) == parsed(text, branch=branch, in_pieces=False)


def test_memory_is_that_of_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that needs many pieces takes less than half of the memory that it takes as a whole."""
    monkeypatch.setattr(coverage_pieces, "PIECE", 30)
    text = "".join(f"def f{number}(x):\n    'Add.'\n    return x + {number} * 2\n" for number in range(1200))
    peaks = []
    for in_pieces in (True, False):
        tracemalloc.start()
        parsed(text, branch=False, in_pieces=in_pieces)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < peaks[1] / 2
