from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import pytest_vmpilot_cov
import server_hook

PLUGIN, HOOK = (Path(str(package.__file__)).parent for package in (pytest_vmpilot_cov, server_hook))
FILES = [path for folder in (PLUGIN, HOOK) for path in sorted(folder.rglob("*.py")) if "example" not in path.parts]
MAX_FILE, MAX_FUNCTION, USUAL_FUNCTION = 300, 40, 25
VAGUE = ("Manager", "Helper", "Util", "Utils", "Handler", "Info", "Data")
FLOORS = {
    "pytest_vmpilot_cov": (
        ("plugin", "__main__"),
        ("session", "cli", "fixtures"),
        ("integrations",),
        ("verdict",),
        ("hooks",),
        ("report",),
        ("changes", "collect", "combine", "judge", "publish", "baseline", "options"),
        ("servers",),
        ("model", "messages", "coverage_private", "stash", "chdir"),
    ),
    "server_hook": (
        ("sitecustomize",),
        ("startup",),
        ("record",),
        ("attribution",),
        ("control", "store"),
        ("config",),
        ("coverage_private", "coverage_tables"),
        ("arcs", "problems", "clock", "environment", "command_line", "packages", "rows"),
        ("systems",),
    ),
}
"""The floors of each package, the top one first: a module imports from its own wing and from the floors below."""

MOST_AT_THE_TOP = {"pytest_vmpilot_cov": 22, "server_hook": 17}
"""How many modules and wings a package may have at its top: what a stranger takes in at one look."""

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
            names = [f"{node.module}.{each.name}" for each in node.names]
            if not all(is_module(name) for name in names):  # else the package only leads there
                yield str(node.module)
            yield from names


def is_module(name: str) -> bool:
    """Tell whether a full name is that of a module of ours."""
    path = PLUGIN.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without what only type checkers see."""
    yield node
    checked = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if not checked:
        for child in ast.iter_child_nodes(node):
            yield from run_time_nodes(child)


def module_of(path: Path) -> str:
    """Return the full name of the module in a file."""
    return ".".join(path.relative_to(PLUGIN.parent).with_suffix("").parts).removesuffix(".__init__")


def wing_of(module: str) -> str:
    """Name the wing of a module: the first name below its package."""
    return module.split(".")[1] if "." in module else ""


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


@each_file
def test_every_module_has_its_floor(path: Path) -> None:
    """No module or wing stands outside the table of floors."""
    package, _, rest = module_of(path).partition(".")
    assert not rest or wing_of(module_of(path)) in {wing for floor in FLOORS[package] for wing in floor}


@each_file
def test_a_module_imports_only_from_floors_below(path: Path) -> None:
    """Every arrow runs down: a module imports from its own wing and from the floors below, in functions too."""
    module = module_of(path)
    package, wing = module.partition(".")[0], wing_of(module)
    floors = FLOORS[package]
    level = next((place for place, floor in enumerate(floors) if wing in floor), 0)
    below = {name for floor in floors[level + 1 :] for name in floor}
    used = {wing_of(name) for name in imports(path) if name.startswith(f"{package}.")}
    assert used <= {wing, *below}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions included, no chain of imports leads back to where it began."""
    modules = {module_of(path): path for path in FILES}
    TopologicalSorter({name: modules.keys() & {*imports(path)} - {name} for name, path in modules.items()}).prepare()


@pytest.mark.parametrize("package", [PLUGIN, HOOK], ids=lambda path: path.name)
def test_the_top_of_a_package_is_small(package: Path) -> None:
    """A package has few modules and wings at its top."""
    top = {wing_of(module_of(path)) for path in FILES if path.is_relative_to(package)} - {""}
    assert len(top) <= MOST_AT_THE_TOP[package.name]


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=module_of)
def test_a_wing_is_one_sentence(path: Path) -> None:
    """The file that makes a folder a wing says what the wing does, and holds no code; only the model re-exports."""
    module = module_of(path)
    if "." in module and wing_of(module) != "model":
        assert [type(node) for node in ast.parse(path.read_text("utf-8")).body] == [ast.Expr]


def test_what_is_partial_is_decided_by_values_alone() -> None:
    """The rule on partial runs knows the frozen values, and neither pytest nor coverage.py."""
    used = {
        name for name in imports(PLUGIN / "session/partial.py") if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert {".".join(name.split(".")[:2]) for name in used} == {"pytest_vmpilot_cov.model"}


def test_the_package_itself_imports_nothing() -> None:
    """Importing the package, as the start of every pytest does, costs nothing."""
    assert not set(imports(PLUGIN / "__init__.py")) - {"__future__", "__future__.annotations"}
