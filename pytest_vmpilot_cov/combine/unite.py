"""Parts -> Combined: a pure union, cut down to the project's files as they are now."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial

from pytest_vmpilot_cov.combine.path_map import PathMap, is_of_windows
from pytest_vmpilot_cov.model import Combined, LeftOut, Mapped
from server_hook.arcs import Arcs
from server_hook.config.settings import Settings
from server_hook.store import publication, segment
from server_hook.store.fingerprint import UNVERIFIED, fingerprint
from server_hook.store.segment import ByLabel, Label, Part, Source

NOT_UTF8 = "its name is no UTF-8, which coverage.py's data files cannot hold; rename it"


def unite(
    parts: Iterable[Part],
    *,
    project_files: Mapping[str, str],
    is_project_file: Callable[[str], bool],
    keep_stale: bool = False,
) -> Combined:
    """Unite parts; leave out stale files and those without a source, and set aside what isn't the project's.

    Args:
        parts: what was collected, in any order; the result does not depend on it.
        project_files: the project's source files, those that never ran included -> the coverage plugin of each.
        is_project_file: whether the configuration asks for the file at a path.
        keep_stale: whether files that have changed since count all the same.
    """
    doubts = cache(partial(_doubts_of, ours=cache(is_project_file), now=cache(fingerprint)))  # one look a source
    counted: ByLabel = {}
    stale: dict[tuple[str, str], segment.Lines] = {}
    left: dict[str, set[str]] = {"foreign": set(), "no source": set(), "unverified": set()}
    oldest: dict[str, float] = {}
    for part, source, measured in _each(share_startup(list(parts))):
        origin, doubt = part.label.origin, doubts(source)
        if doubt == "stale":
            stale[source.path, origin] = stale.get((source.path, origin), 0) | segment.to_lines(measured)
        elif doubt:
            left[doubt].add(source.path)  # listed, even if it counts
        if doubt in ("", "unverified") or (doubt == "stale" and keep_stale):
            segment.unite(counted.setdefault(part.label._replace(startup=False), {}), source, measured)
            oldest[origin] = min(oldest.get(origin, part.begun), part.begun)
    reached, outside = {source.path for files in counted.values() for source in files}, _add_totals(counted)
    return Combined(
        counted=counted,
        outside=outside,
        untouched={path: plugin for path, plugin in project_files.items() if path not in reached},
        stale=_left_out(stale, keep=keep_stale),
        foreign=tuple(sorted(left["foreign"])),
        no_source=tuple(sorted(left["no source"])),
        unverified=tuple(sorted(left["unverified"])),
        oldest=oldest,
    )


def _add_totals(counted: ByLabel) -> ByLabel:
    """Add to each origin what its tests ran; return what it ran outside them."""
    told_apart = any(label.context for label in counted)
    outside = {label: dict(files) for label, files in counted.items() if told_apart and not label.context}
    segment.add_totals(counted)
    return outside


def usable_files(files: Mapping[str, str], refused: dict[str, str]) -> dict[str, str]:
    """Choose the project's files that reports can show; note in *refused* why the others can't."""
    for path, plugin in files.items():
        if not publication.is_utf8(path):
            refused[path] = NOT_UTF8
        elif not plugin and os.path.exists(path) and not os.path.isfile(path):
            refused[path] = "it is no regular file, and who reads it may wait for ever"
    return {path: plugin for path, plugin in files.items() if path not in refused}


def usable_parts(parts: Iterable[Part], tracers: Container[str], refused: dict[str, str]) -> Iterator[Part]:
    """Choose the sources in parts that reports can show; note in *refused* why the others can't.

    Args:
        parts: what was collected.
        tracers: the coverage plugins that are there to tell what lines a file has.
        refused: path -> why it does not count.
    """
    for part in parts:
        wrong = {source: why for source in part.files if (why := _why_unusable(source, tracers))}
        refused.update({source.path: why for source, why in wrong.items()})
        files = {source: each for source, each in part.files.items() if source not in wrong} if wrong else part.files
        yield Part(part.label, part.begun, part.ended, files, part.epoch)


def _why_unusable(source: Source, tracers: Container[str]) -> str:
    if not publication.is_utf8(source.path):
        return NOT_UTF8
    if source.tracer and source.tracer not in tracers:
        return f"it was measured by the coverage plugin {source.tracer}, which [run] plugins does not name here"
    return ""


def _doubts_of(source: Source, ours: Callable[[str], bool], now: Callable[[str], str]) -> str:
    """Say what speaks against a file: ``foreign``, ``no source``, ``stale``; ``unverified`` counts, and nothing."""
    if not ours(source.path):
        return "foreign"
    if not (source.tracer or now(source.path)):  # generated or gone; what a plugin measures need not be a file
        return "no source"
    if source.fingerprint == UNVERIFIED:
        return "unverified" if now(source.path) else ""
    return "stale" if source.fingerprint not in ("", now(source.path)) else ""


def _left_out(stale: Mapping[tuple[str, str], segment.Lines], *, keep: bool) -> tuple[LeftOut, ...]:
    return tuple(LeftOut(path, origin, lines.bit_count(), kept=keep) for (path, origin), lines in sorted(stale.items()))


def _each(parts: Iterable[Part]) -> Iterator[tuple[Part, Source, segment.Measured]]:
    yield from ((part, source, measured) for part in parts for source, measured in part.files.items())


def without_branches(parts: Iterable[Part], counted: ByLabel) -> tuple[str, ...]:
    """Name the origins of which some data that counts has lines only, where other data has branches."""
    sources = {source for files in counted.values() for source in files}
    kinds: set[tuple[str, bool]] = set()
    by_tests: dict[tuple[str, Source], segment.Lines] = {}
    for part, source, measured in _each(parts):
        if measured and source in sources:
            if part.label.context and isinstance(measured, int):
                key = part.label.origin, source
                by_tests[key] = by_tests.get(key, 0) | measured
            else:
                kinds.add((part.label.origin, isinstance(measured, Arcs)))
    if not any(are_arcs for _, are_arcs in kinds):
        return ()
    # a server with branches may tell its tests apart by lines alone: these say nothing new
    lacking = {
        origin for (origin, source), lines in by_tests.items() if lines & ~_branching(counted[Label(origin)][source])
    }
    return tuple(sorted({origin for origin, are_arcs in kinds if not are_arcs} | lacking))


def _branching(measured: segment.Measured) -> segment.Lines:
    """Return the lines of arcs, without those that were lines before."""
    return 0 if isinstance(measured, int) else segment.to_lines(Arcs(arc for arc in measured if arc[0] != arc[1]))


def relocate(
    parts: Iterable[Part], path_map: PathMap, ours: Callable[[str], bool], settings: Settings
) -> tuple[list[Part], tuple[Mapped, ...]]:
    """Give each file that was measured in another place its path here, if that can be told.

    Args:
        parts: what was collected.
        path_map: finds the project's file.
        ours: whether the configuration asks for the file at a path.
        settings: whose folder is the project's; a file below it is itself, whatever it looks like, except in a copy.
    """
    parts, ours = list(parts), cache(ours)
    sources = {source for part in parts for source in part.files}
    places: dict[Source, Mapped] = {}
    for source in sources:
        mapped = _place(source, path_map, ours, settings)
        if mapped is not None:
            places[source] = mapped
    # most parts have nothing to move, and stay as they are
    moved = [_move(part, places) if places.keys() & part.files.keys() else part for part in parts]
    return moved, tuple(sorted(set(places.values()), key=lambda each: (each.measured, each.path)))


def _place(source: Source, path_map: PathMap, ours: Callable[[str], bool], settings: Settings) -> Mapped | None:
    """Return where a misplaced file belongs; None if it lies in its place, or if nothing tells where it belongs."""
    is_here = os.path.isfile(source.path)
    is_ours = is_here and ours(source.path)
    if _is_away(source.path, settings) and not is_ours:
        mapped = path_map.find(source, is_here=is_here)
        if mapped is not None and is_of_windows(source.path):
            return replace(mapped, measured=source.path.removeprefix(f"{settings.folder}{os.sep}"))
        return mapped
    if is_here and (copied := path_map.find_copied(source)) is not None:
        return copied
    path = path_map.by_setting(source.path)  # such as an installed copy that ``include`` also covers
    return Mapped(source.path, path, "[paths]") if path != source.path and os.path.isfile(path) and ours(path) else None


def _is_away(path: str, settings: Settings) -> bool:
    """Tell whether a path is outside the project, or in a copy; any other file is itself, whatever it looks like."""
    is_copy = any(_is_inside(path, copy) for copy in settings.copies)
    return is_copy or not _is_inside(path, settings.folder) or is_of_windows(path)


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _move(part: Part, places: Mapping[Source, Mapped]) -> Part:
    moved = Part(part.label, part.begun, part.ended, epoch=part.epoch)
    for source, measured in part.files.items():
        moved.add(source._replace(path=places[source].path) if source in places else source, measured)
    return moved


def share_startup(parts: list[Part]) -> list[Part]:
    """Count what ran while test files were imported for each origin whose tests run code of the same file.

    A module is imported once, by whichever test file comes first; without this the order of the tests would decide
    to which origin its ``def`` lines belong.
    """
    used: dict[str, set[Source]] = {}
    for part in parts:
        if not part.label.startup:
            used.setdefault(part.label.origin, set()).update(part.files)
    shared = [
        Part(Label(origin), part.begun, part.ended, files)
        for part in parts
        if part.label.startup and part.label.origin != "pipeline"  # a server imports for itself
        for origin in used.keys() - {part.label.origin, "pipeline"}
        if (files := {source: measured for source, measured in part.files.items() if source in used[origin]})
    ]
    return parts + shared
