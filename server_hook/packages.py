"""Find a package that is named, without importing anything."""

from __future__ import annotations

from importlib.machinery import PathFinder
from importlib.util import find_spec


def find_package(package: str) -> tuple[str | None, list[str]]:
    """Find a package's file and its folders, where coverage.py's own function would import the packages around it.

    A trace function calls this each time that ``sys.path`` has changed: in any thread, and in the middle of imports.
    """
    name, *rest = package.split(".")
    try:
        spec = find_spec(name)
        for part in rest:
            name = f"{name}.{part}"
            spec = PathFinder.find_spec(name, (spec and spec.submodule_search_locations) or [])
    except Exception:  # noqa: BLE001 - finders are other people's
        spec = None
    return (spec.origin, list(spec.submodule_search_locations or ())) if spec else (None, [])
