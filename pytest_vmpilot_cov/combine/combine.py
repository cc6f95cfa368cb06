"""Combine: what was collected, cut down to the project's files as they are now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from pytest_vmpilot_cov import coverage_private
from pytest_vmpilot_cov.combine.path_map import PathMap
from pytest_vmpilot_cov.combine.unite import relocate, unite, usable_files, usable_parts, without_branches
from pytest_vmpilot_cov.messages import UsageError, say, shown_path
from pytest_vmpilot_cov.model import Collected, Combined, Options
from server_hook.config.settings import apply_settings, open_coverage
from server_hook.coverage_private import REFUSALS
from server_hook.problems import one_line
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Part

if TYPE_CHECKING:
    from coverage import Coverage


def combine(options: Options, collected: Collected) -> Combined:
    """Combine what was collected, by the rules of the configuration.

    Raises:
        UsageError: when the configuration cannot be used.
    """
    cov = open_coverage(options.settings.config_file)
    contexts = [*unused_contexts(options, cov)]
    try:
        apply_settings(cov, options.settings)
        refused: dict[str, str] = {}
        files = usable_files(coverage_private.project_files(cov), refused)
        ours = coverage_private.is_project_file(cov)
        path_map = PathMap(files, fingerprint, coverage_private.path_setting(cov, options.settings.folder))
        usable = usable_parts(collected.parts, coverage_private.file_tracers(cov), refused)
        # before unite, which judges each file by its path here; this also reads *usable*, and so fills *refused*
        parts, mapped = relocate(usable, path_map, ours, options.settings)
        keep_stale = options.stale == "keep"
        combined = unite(parts, project_files=files, is_project_file=ours, keep_stale=keep_stale)
        lines_only = without_branches(parts, combined.counted)
        reached = {source.path for each in combined.counted.values() for source in each}
        if reached:  # without any data, another warning says that nothing was reached
            coverage_private.warn_of_modules(cov, reached)
        copies, omitted = _differing_copies(combined, options), frozenset(_omitted(parts, combined, options))
        problems = (*contexts, *_refused_sources(refused, options), *copies, *cov.warnings())
        return replace(combined, mapped=mapped, lines_only=lines_only, omitted=omitted, problems=problems)
    except REFUSALS as error:
        raise UsageError(say("cannot-count", why=one_line(error))) from None


def located(options: Options, collected: Collected) -> list[Part]:
    """Return what was collected, each file by its path here, whether it counts, has changed, or is gone.

    Raises:
        UsageError: when the configuration cannot be used.
    """
    cov = open_coverage(options.settings.config_file)
    try:
        apply_settings(cov, options.settings)
        files = usable_files(coverage_private.project_files(cov), {})
        path_map = PathMap(files, fingerprint, coverage_private.path_setting(cov, options.settings.folder))
        return relocate(collected.parts, path_map, coverage_private.is_project_file(cov), options.settings)[0]
    except REFUSALS as error:
        raise UsageError(say("cannot-count", why=one_line(error))) from None


def _refused_sources(refused: Mapping[str, str], options: Options) -> Iterator[str]:
    """Name each source that does not count, and why."""
    for path, why in sorted(refused.items()):
        yield say("source-refused", path=shown_path(path, options.root), why=why)


def unused_contexts(options: Options, cov: Coverage) -> Iterator[str]:
    """Name each context of the configuration: the contexts of our data are the origins, or the tests on request.

    Args:
        options: which say whether tests are told apart.
        cov: a Coverage that has read the configuration, and has not been given our settings.
    """
    for name in () if options.context else ("dynamic_context", "context"):
        if value := cov.get_option(f"run:{name}"):
            text = say("context-unused", name=name, value=value, config=options.settings.config_file)
            # scripts look for the class of pytest-cov's warning
            yield f"CentralCovContextWarning: {text}" if value == "test_function" else text


def _omitted(parts: Iterable[Part], combined: Combined, options: Options) -> Iterator[str]:
    """Choose, of the measured files that do not count, those that ``omit`` leaves out, here or in a copy."""
    if not (combined.foreign and options.settings.omit):
        return
    settings, foreign = options.settings, set(combined.foreign)
    # what ``omit`` leaves out is in no list of ours, so a second Coverage lists the files without it
    with_omit, without = open_coverage(settings.config_file), open_coverage(settings.config_file)
    apply_settings(with_omit, settings)
    apply_settings(without, settings._replace(omit=()))
    omits = coverage_private.omits(with_omit)
    files = filter(omits, coverage_private.project_files(without))
    path_map = PathMap(files, fingerprint, coverage_private.path_setting(without, settings.folder))
    for source in {source for part in parts for source in part.files if source.path in foreign}:
        if omits(source.path) or path_map.find(source, is_here=os.path.isfile(source.path)):
            yield source.path


def _differing_copies(combined: Combined, options: Options) -> Iterator[str]:
    """Name each package of which nothing was reached, if this Python imports another state of it from elsewhere.

    A copy is measured if its package was named, or at least one of its files has the same content as in the project;
    what differs in it is foreign, or stale where it is like a file of the project.
    """
    reached = {os.path.dirname(source.path) for files in combined.counted.values() for source in files}
    differing = {*combined.foreign, *(each.measured for each in combined.mapped if each.how == "likeness")}
    folders = {os.path.dirname(path) for path in combined.untouched if os.path.basename(path) == "__init__.py"}
    for folder in sorted(folders):
        if os.path.dirname(folder) in folders or any(_is_at_or_below(each, folder) for each in reached):
            continue  # the package around it is named in its place, or something in it was reached
        name = os.path.basename(folder)
        # finds what an import would find, without importing anything
        spec = PathFinder.find_spec(name) if name.isidentifier() else None
        copy = os.path.dirname(spec.origin) if spec and spec.origin else folder
        is_equal = copy in options.settings.copies and not any(_is_at_or_below(each, copy) for each in differing)
        if os.path.realpath(copy) != os.path.realpath(folder) and not is_equal:
            yield say("installed-copy", package=shown_path(folder, options.root), name=name, copy=copy)


def _is_at_or_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
