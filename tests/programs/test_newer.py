"""What newer Pythons have brought: it runs recorded as alone, and its lines are those that coverage.py counts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from server_hook.coverage_private import close_data
from tests.conftest import Project
from tests.plugin.conftest import CORES
from tests.programs.newer import PROGRAMS
from tests.programs.test_programs import check

TEMPLATES = '''
from string.templatelib import Template


def template(x):
    return t"""{x
        if x else
        1} {[i for i in range(2)]!r:>{3 if x else 4}} {
        x and
        template(x - 1)
    }"""


print(template(0).values, template(1).strings)
match template(2):
    case str():
        print("text")
    case other if not other.strings:
        print("empty")
    case Template():
        print("template")


def leave():
    for number in (1, 2):
        try:
            if number == 2:
                raise ValueError
        except ValueError, TypeError:
            continue
        finally:
            print(number)


leave()
'''
ANNOTATIONS = """
import annotationlib


class Later:
    a: Undefined = 1
    b: list[
        Undefined
    ]
    if 1 > 2:
        c: Other
    else:
        d: int

    def method(self, one: Later, two: str = 3) -> Nowhere[
        One,
    ]:
        value: Unknown = one
        return value


def generic[T: (
    int,
    str,
) = int](x: T) -> T:
    return x


type Alias[K] = dict[
    K,
    Missing,
]
print(annotationlib.get_annotations(Later, format=annotationlib.Format.FORWARDREF))
print(annotationlib.get_annotations(Later.method, format=annotationlib.Format.STRING))
for lazy in (lambda: Later.__annotations__, lambda: Alias.__value__):
    try:
        lazy()
    except NameError as error:
        print(error)
print(generic.__type_params__[0].__constraints__, generic.__annotations__)
"""
LAZY = """
import sys
lazy import late
lazy from collections import (
    OrderedDict,
    Counter,
)


def use(n):
    if n:
        return Counter("aab"), late.later(n)
    return OrderedDict()


print([*[1, 2][0:n] for n in (1, 2)], {**m for m in ({1: 2}, {3: 4})}, frozendict(a=1), "late" in sys.modules)
print(use(0), use(1), "late" in sys.modules)
"""
LATE = """
def later(n):
    if n:
        return 1
    return 2
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_newer_program_runs_recorded_as_alone(project: Project, name: str) -> None:
    """A program ends, prints and leaves files as without us, with any core."""
    check(project, PROGRAMS[name])


@pytest.mark.skipif(sys.version_info < (3, 14), reason="this Python does not know these statements")
@pytest.mark.parametrize("core", CORES)
def test_newer_statements_are_measured_as_by_coverage_py(project: Project, core: str) -> None:
    """Lines and branches of what a Python brought are those that ``coverage run`` counts, and no others."""
    texts = {"templates": TEMPLATES, "annotations": ANNOTATIONS}
    if sys.version_info >= (3, 15):
        texts |= {"lazily": LAZY, "late": LATE}
    for name, text in texts.items():
        project.write(f"{name}.py", text)
    project.write("main.py", f"import {', '.join(texts)}\n")
    project.write(".coveragerc", "[run]\nsource = .\nbranch = true\n")
    env = {"COVERAGE_CORE": core}
    alone = project.run("python", "-m", "coverage", "run", "main.py", env=env)
    recorded = project.run("python", "main.py", env={**env, "VMPILOT_COV": "."})
    assert (recorded.returncode, recorded.stdout, recorded.stderr) == (0, alone.stdout, alone.stderr)
    project.run("vmpilot-cov", "combine", env=env)
    counted = arcs_in(project.path / ".coverage")
    assert {f"{name}.py" for name in texts} < counted.keys()
    assert arcs_in(project.path / ".coverage.pipeline") == counted


def arcs_in(path: Path) -> dict[str, set[tuple[int, int]]]:
    """Return the arcs of each file that has any, by its name."""
    data = CoverageData(str(path))
    data.read()
    arcs = {Path(file).name: set(data.arcs(file) or ()) for file in data.measured_files()}
    close_data(data)
    return {name: pairs for name, pairs in arcs.items() if pairs}
