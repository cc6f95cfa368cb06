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
STEP = """
def {name}(value):
    if value % 3:
        value = 3 * value + 1
    else:
        value = value // 3
    value += 1
    value ^= 5
    value &= 0xFFFF
    value += {number}
    return value
"""
APPLICATION = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
async def trivial():
    return {"answer": 42}

@app.get("/work/{rounds}")
async def work(rounds: int):
    value = rounds
    for _ in range(rounds):
        value = own0(value)
    return {"answer": value}

@app.get("/shared")
async def shared():
    value = 7
    for call in SHARED:
        value = call(value)
    return {"answer": value}

@app.get("/own/{test}")
async def own(test: int):
    value = 7
    for _ in range(100):
        value = OWN[test](value)
    return {"answer": value}

@app.get("/hot/{test}")
async def hot(test: int):
    return {"answer": hot_loop(test)}

def hot_loop(test):
    value = 7
    for number in range(40):
        value += number
"""
OWN = 32
"""How many tests have a function, and a branch, that only they run."""


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


def write_application(folder: Path, settings: str = "", *, branch: bool = False) -> None:
    """Write a FastAPI application, ``app.main:app``, and its configuration.

    ``/work/N`` runs ten times N lines, ``/shared`` 1,000 lines once each; ``/own/T`` and ``/hot/T`` run lines that no
    other T runs.
    """
    text = APPLICATION
    for test in range(OWN):
        text += f"        if test == {test}:\n            value += {test}\n            value ^= {test}\n"
    text += "    return value\n"
    for name, count in (("shared", 100), ("own", OWN)):
        text += "".join(STEP.format(name=f"{name}{number}", number=number) for number in range(count))
        text += f"{name.upper()} = [{', '.join(f'{name}{number}' for number in range(count))}]\n"
    (folder / "app").mkdir(parents=True)
    (folder / "app/__init__.py").touch()
    (folder / "app/main.py").write_text(text)
    (folder / ".coveragerc").write_text(f"[run]\nsource = app\nbranch = {branch}\n{settings}")


def modules(files: int, name: str = "app") -> str:
    """Return a line of Python that imports all modules of a package as ``ALL``."""
    return f"import importlib\nALL = [importlib.import_module(f'{name}.m{{n}}') for n in range({files})]\n"
