"""Programs to measure: packages of a given size, in which every line can run."""

from __future__ import annotations

from pathlib import Path

FUNCTION = """def f{number}(x):
    if x > 1:
        y = x + {number}
    else:
        y = x - {number}
    y += 1
    y += 2
    y += 3
    y += 4
    return y
"""
LINES = FUNCTION.count("\n")
"""Lines of one function."""


def write_package(folder: Path, files: int, lines: int, name: str = "app") -> None:
    """Write a package of *files* modules with *lines* lines each, and a configuration that measures it.

    Each module has its functions in ``CALLS``, and ``run()``, which runs all their lines.
    """
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    functions = max(1, lines // LINES - 1)
    body = "".join(FUNCTION.format(number=number) for number in range(functions))
    calls = ", ".join(f"f{number}" for number in range(functions))
    runs = f"CALLS = [{calls}]\ndef run():\n    for call in CALLS:\n        call(1), call(2)\n"
    for number in range(files):
        # no two alike: what is parsed of one isn't looked up for another
        (package / f"m{number}.py").write_text(f"{body}{runs}NUMBER = {number}\n")
    (folder / ".coveragerc").write_text(f"[run]\nsource = {name}\n")


def modules(files: int, name: str = "app") -> str:
    """Return a line of Python that imports all modules of a package as ``ALL``."""
    return f"import importlib\nALL = [importlib.import_module(f'{name}.m{{n}}') for n in range({files})]\n"
