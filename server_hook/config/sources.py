"""Where the source lies: as folders and packages, in copies of them, and what of it does not exist."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path

import coverage

from server_hook import clock
from server_hook.command_line import program_of

MOST_COMPARED = 50
"""How many files of a tree are compared before it is no copy."""


def find_package(name: str, folder: str) -> str:
    """Find a package's own folder without importing it, in *folder* and its ``src`` too; else leave the name."""
    return _find(name, [*_own_places(folder), *sys.path]) or name


def missing_sources(source: Iterable[str], folder: str) -> Iterator[tuple[str, str]]:
    """Yield each folder of a source that does not exist, with what to do about it.

    The longest end of its path that exists below the configuration's folder is suggested, as when a configuration was
    copied from another machine; where there is none, how much of the path exists.
    """
    for name in source:
        whole = os.path.join(folder, name)
        if os.sep not in name or os.path.exists(whole):
            continue
        parts = os.path.relpath(whole, "/").split(os.sep)
        tails = (os.path.join(*parts[start:]) for start in range(1, len(parts)))
        tail = next((each for each in tails if os.path.isdir(os.path.join(folder, each))), "")
        if tail:
            yield name, f"did you mean {tail}, which is one below {folder}?"
        else:
            above = next(each for each in Path(whole).parents if os.path.isdir(each))
            yield name, f"correct the path, of which {above} exists"


def find_copies(names: Iterable[str], source: Iterable[str], folder: str) -> tuple[str, ...]:
    """Find the copies of the source that this process may import in its place; it may be either, so both are measured.

    They are installed, as by tox, or were copied to where the process starts. A copy within the project, as below
    ``.tox``, is one all the same.

    Args:
        names: what the configuration calls its source; a package that it names has its copies wherever it is found.
        source: folders of the source; a tree that holds one of their files, unchanged, in the same place is a copy.
        folder: the configuration's folder.
    """
    installed = ((_find(name, _own_places(folder)), _find(name, sys.path)) for name in names)
    copies = [copy for own, copy in installed if own and copy and not _is_same(own, copy)]
    for own in (each for each in source if os.path.isdir(each)):
        with contextlib.suppress(OSError):  # what cannot be read is not imported either
            trees = _trees(own, folder)
            copies += (copy for tree, copy in trees if not _is_same(tree, copy) and _is_copy(tree, copy))
    return tuple(dict.fromkeys(each for copy in copies for each in (copy, _linked(copy))))


def apart_from(source: Iterable[str]) -> Callable[[str], bool] | None:
    """Return what tells a file of Python's library, coverage.py or this package by its name; None where some may count.

    Nothing is measured of these, as a rule. coverage.py finds that out for each of their files, at each start.

    Args:
        source: what is measured. A name in it that was not found as a folder may be of any file.
    """
    origins = (str(module.__file__) for module in (os, coverage, clock))
    # each file can be a link, and coverage.py measures what it leads to
    places = {os.path.dirname(each) + os.sep: os.path.dirname(os.path.realpath(each)) + os.sep for each in origins}
    for each in source:
        whole = os.path.realpath(each) + os.sep
        if os.sep not in each or any(whole.startswith(real) or real.startswith(whole) for real in places.values()):
            return None
    library, *others = places
    apart = tuple(others)
    # what is installed below the library can be links to the source
    return lambda name: name.startswith(apart) or (name.startswith(library) and f"-packages{os.sep}" not in name)


def _linked(package: str) -> str:
    """Return where a package's files lie: uv can make a link for each, and coverage.py measures what it leads to."""
    return os.path.dirname(os.path.realpath(os.path.join(package, "__init__.py")))


def _trees(own: str, folder: str) -> Iterator[tuple[str, str]]:
    """Yield a folder of the source, and each package in it, with the folders that may be copies of it."""
    starts, inside = _starts(), os.path.relpath(own, folder)
    if not inside.startswith(".."):  # a source outside the project has no place below another start
        yield from ((own, os.path.join(start, inside)) for start in starts)
    for name, package in _packages(own):
        yield from ((package, other) for places in (starts, sys.path) if (other := _find(name, places)))


def _starts() -> list[str]:
    """Return the folders that this process will import from, and that are not on its path yet."""
    words = sys.orig_argv[1:] if program_of(sys.orig_argv) else []
    scripts = [word for word in words if word.endswith(".py") and os.path.isfile(word)]
    scripts += [main for word in words if os.path.isfile(main := os.path.join(word, "__main__.py"))]  # python FOLDER
    try:
        return [os.getcwd(), *(os.path.dirname(os.path.abspath(script)) for script in scripts)]
    except OSError:  # the working folder is gone
        return []


def _packages(folder: str) -> Iterator[tuple[str, str]]:
    """List the packages that a folder of the source is or holds, by the names that they are imported by."""
    if not os.path.isfile(os.path.join(folder, "__init__.py")):
        for name in sorted(os.listdir(folder)):
            if os.path.isfile(os.path.join(folder, name, "__init__.py")):
                yield name, os.path.join(folder, name)
        return
    parts, above = [os.path.basename(folder)], os.path.dirname(folder)
    while os.path.isfile(os.path.join(above, "__init__.py")):
        parts, above = [os.path.basename(above), *parts], os.path.dirname(above)
    yield ".".join(parts), folder


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _is_copy(tree: str, other: str) -> bool:
    """Tell whether a tree holds one of the files of another, unchanged, in the same place."""
    compared = 0
    for here, folders, files in os.walk(tree) if os.path.isdir(other) else ():
        # in place, so that os.walk leaves out what the other tree does not have
        folders[:] = [name for name in folders if os.path.isdir(os.path.join(other, os.path.relpath(here, tree), name))]
        for name in (each for each in files if each.endswith(".py")):
            own, copy = os.path.join(here, name), os.path.join(other, os.path.relpath(here, tree), name)
            # empty files are alike in any two packages
            if os.path.isfile(copy) and os.path.getsize(own) and Path(own).read_bytes() == Path(copy).read_bytes():
                return True
            compared += 1
            if compared == MOST_COMPARED:
                return False
    return False


def _own_places(folder: str) -> list[str]:
    return [folder, os.path.join(folder, "src")]


def _find(name: str, places: list[str]) -> str:
    """Find the one folder of a package; empty where there is none, or several."""
    top, *rest = name.split(".")
    if not all(part.isidentifier() for part in (top, *rest)):
        return ""
    spec = PathFinder.find_spec(top, places)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    package = os.path.join(os.path.abspath(folders[0]), *rest) if len(folders) == 1 else ""
    return package if os.path.isdir(package) else ""
