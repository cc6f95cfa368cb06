"""Find packages, and where they are installed, without importing anything."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from types import ModuleType


def locate_package(package: str) -> tuple[str | None, list[str]]:
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


@cache
def sysconfig_that_remembers() -> ModuleType:
    """Return a stand-in for ``sysconfig`` that finds out once, and faster, where each scheme installs packages.

    coverage.py asks four times: three times at its start, and once more when a program's folder comes into
    ``sys.path``. Each time it took a fortieth of a start.
    """
    paths: dict[tuple[str, str], dict[str, str]] = {}

    def get_paths(scheme: str) -> dict[str, str]:
        key = scheme, sys.prefix  # a script that activates an environment changes this
        if key not in paths:
            paths[key] = install_paths(scheme)
        return paths[key]

    remembers = ModuleType(sysconfig.__name__)
    vars(remembers).update(vars(sysconfig), get_paths=get_paths)
    return remembers


def install_paths(scheme: str) -> dict[str, str]:
    """Return what ``sysconfig.get_paths`` does; that copies a thousand variables for each path of each scheme."""
    variables = sysconfig.get_config_vars()
    try:
        return {
            name: os.path.normpath(os.path.expanduser(path).format_map(variables))
            for name, path in sysconfig.get_paths(scheme, expand=False).items()
        }
    except KeyError:  # a distributor's scheme, with a variable of its own
        return sysconfig.get_paths(scheme)
