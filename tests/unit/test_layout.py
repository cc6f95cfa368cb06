from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_vmpilot_cov
import server_hook

PLUGIN, HOOK = (Path(str(package.__file__)).parent for package in (pytest_vmpilot_cov, server_hook))
FILES = [path for folder in (PLUGIN, HOOK) for path in sorted(folder.rglob("*.py")) if "example" not in path.parts]
MAX_FILE, MAX_FUNCTION, USUAL_FUNCTION = 300, 40, 25
VAGUE = ("Manager", "Helper", "Util", "Utils", "Handler", "Info", "Data")
WAY = ("asked_reports", "options", "collect", "combine", "figures", "judge", "report")
"""The way from options to report; a module on it imports only from those to its left."""

BESIDE = ("model", "messages", "ports", "mapping", "in_step", "data_file", "fold", "coverage_private", "hookspecs")
"""What any of them may import."""

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGIN.parent)))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Walk the functions of a file, methods and inner ones included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function, its head and docstring included."""
    return (function.end_lineno or 0) - function.lineno + 1


def imports(path: Path) -> Iterator[str]:
    """Walk the full names of the modules that a file imports at run time."""
    for node in run_time_nodes(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports by a relative name"
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without what only type checkers see."""
    yield node
    checked = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if not checked:
        for child in ast.iter_child_nodes(node):
            yield from run_time_nodes(child)


def stage(path: Path) -> str:
    """Name a module of the plugin as the way does: the first name below the package."""
    return path.relative_to(PLUGIN).parts[0].removesuffix(".py")


@each_file
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    """No file is longer than 300 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_FILE


@each_file
def test_a_function_can_be_seen_at_once(path: Path) -> None:
    """No function is longer than 40 lines."""
    assert not [function.name for function in functions(path) if length(function) > MAX_FUNCTION]


def test_most_functions_are_short() -> None:
    """Nine in ten functions have at most 25 lines."""
    lengths = sorted(length(function) for path in FILES for function in functions(path))
    assert lengths[len(lengths) * 9 // 10] <= USUAL_FUNCTION


@each_file
def test_a_file_says_in_one_line_what_it_is(path: Path) -> None:
    """Every module begins with a docstring whose first line is a sentence."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    assert docstring.partition("\n\n")[0].endswith(".")


@each_file
def test_classes_are_called_what_they_are(path: Path) -> None:
    """No class has a name that says nothing."""
    classes = [node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]
    assert not [name for name in classes if name.endswith(VAGUE)]


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(HOOK)], ids=lambda path: path.name)
def test_the_hook_imports_next_to_nothing(path: Path) -> None:
    """The hook lives in somebody's server: it imports the standard library, coverage.py and itself."""
    allowed = sys.stdlib_module_names | {"coverage", "server_hook"}
    assert {name.partition(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.is_relative_to(PLUGIN) and stage(path) in WAY], ids=lambda path: path.name
)
def test_the_way_is_walked_in_one_direction(path: Path) -> None:
    """A module on the way from options to report imports, of those on it, only from its left or its own."""
    used = {name.split(".")[1] for name in imports(path) if name.startswith("pytest_vmpilot_cov.")}
    here = WAY.index(stage(path))
    assert used <= {*WAY[: here + 1], *BESIDE}


@pytest.mark.parametrize("name", ["model", "messages", "ports"])
def test_values_and_messages_import_nothing_of_the_way(name: str) -> None:
    """What travels along the way, and what is said on it, knows none of its stages."""
    used = {each for each in imports(PLUGIN / f"{name}.py") if each.startswith("pytest_vmpilot_cov")}
    assert not used


def test_what_is_partial_is_decided_by_values_alone() -> None:
    """The rule on partial runs knows the frozen values, and neither pytest nor coverage.py."""
    used = {name for name in imports(PLUGIN / "partial.py") if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {".".join(name.split(".")[:2]) for name in used} == {"pytest_vmpilot_cov.model"}


def test_the_package_itself_imports_nothing() -> None:
    """Importing the package, as the start of every pytest does, costs nothing."""
    assert not set(imports(PLUGIN / "__init__.py")) - {"__future__", "__future__.annotations"}
