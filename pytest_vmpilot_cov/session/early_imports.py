"""Which source modules were imported before measurement began, and by whom: what their import ran is not recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import FunctionType, ModuleType

from pytest_vmpilot_cov.messages import say

NOBODY_KNOWN = "something that started before pytest"
MAIN = "__main__"
A_PLUGIN = "pytest, as a plugin"


def early_imports(
    modules: Mapping[str, ModuleType], plugins: Iterable[object], is_source: Callable[[str], bool], root: str
) -> Iterator[str]:
    """Say for each importer which source modules it had imported before measurement began.

    Args:
        modules: what was loaded then, as ``sys.modules`` has it: in the order in which imports were done.
        plugins: pytest's plugins: it has imported those that are modules itself.
        is_source: whether the file at a path is one of the source.
        root: what paths are shown relative to.
    """
    # ``__mp_main__`` is ``__main__`` once more, in children of multiprocessing; sys.modules may hold any object
    loaded = {name: each for name, each in modules.items() if isinstance(each, ModuleType) and name != "__mp_main__"}
    early = {name: file for name, module in loaded.items() if (file := _file_of(module)) and is_source(file)}
    by_importer: dict[str, list[str]] = {}
    plugin_ids = {id(plugin) for plugin in plugins}
    for name, file in early.items():
        outside = _importer_outside(name, loaded, early)
        if outside:
            who = f"{outside} ({_file_of(loaded[outside]) or 'built in'})"
        else:
            who = A_PLUGIN if id(loaded[name]) in plugin_ids else NOBODY_KNOWN
        by_importer.setdefault(who, []).append(os.path.relpath(os.path.realpath(file), root))
    for who, files in by_importer.items():
        were = "was" if len(files) == 1 else "were"
        yield say("imported-early", files=", ".join(files), were=were, who=who)


def _importer_outside(name: str, loaded: Mapping[str, ModuleType], early: Mapping[str, str]) -> str:
    """Follow the chain of importers to the first that is no source itself; empty if there is none."""
    names = list(loaded)
    passed: set[str] = set()
    while name in early and name not in passed:  # imports may be circular
        passed.add(name)
        later = names[names.index(name) + 1 :]  # an import is done when all that it imports is done
        name = _importer(name, [*later, MAIN], loaded)  # ``__main__`` was entered first, but is done last
    return "" if name in early else name


def _importer(name: str, later: Sequence[str], loaded: Mapping[str, ModuleType]) -> str:
    """Return the next module that has one, or something of it, in its namespace.

    A package holds each of its modules, no matter who imported them. So it is taken only if there is no other, as with
    ``import package.module``. Importing one of its modules imports the package.
    """
    parent = name.rpartition(".")[0]
    having = [each for each in later if each in loaded and _has(loaded[each], name, loaded[name])]
    others = [each for each in having if each != parent]
    inside = [each for each in later if each.startswith(f"{name}.")]
    package = [parent] if parent in loaded else []
    return (others or package or inside or [""])[0]


def _has(module: ModuleType, name: str, wanted: ModuleType) -> bool:
    # ``from module import name`` leaves no module behind, only what comes from it
    return any(
        value is wanted or (isinstance(value, (type, FunctionType)) and value.__module__ == name)
        for value in list(vars(module).values())
    )


def _file_of(module: ModuleType) -> str:
    file = vars(module).get("__file__")  # getattr() would run the ``__getattr__`` of a lazy module
    return file if isinstance(file, str) else ""


def below(folders: Iterable[str], make_rules: Callable[[], Callable[[str], bool]]) -> Callable[[str], bool]:
    """Return a judge of paths that asks the rules of the configuration only about what lies in a source folder.

    Hundreds of modules are loaded when a session starts, and usually none of them belongs to the source.

    Args:
        folders: the source; if one is no folder but a module, the rules judge everything.
        make_rules: makes the rules, which takes a while.
    """
    rules = cache(make_rules)  # made for the first file in a source folder, if there is one
    absolute = [folder for folder in folders if os.path.isabs(folder)]
    has_modules = absolute != list(folders)
    # a module's ``__file__`` may be spelled with or without links
    starts = tuple({f"{path}{os.sep}" for folder in absolute for path in (folder, os.path.realpath(folder))})
    return lambda file: (has_modules or file.startswith(starts)) and rules()(os.path.realpath(file))
