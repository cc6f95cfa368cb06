"""Configuration drift: settings that mean something else in a process than in the judgement.

Two configurations may name the same files in different words: one absolute and one relative, one in a container and one
in a checkout, one with an ``omit`` that matches nothing. We compare which of the project's files each asks for, and
compare the words only if the project has no files.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from pytest_vmpilot_cov import coverage_private
from pytest_vmpilot_cov.combine.path_map import is_of_windows, prefixes
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Delivery, Mapped
from server_hook.config.settings import Settings, apply_settings, open_coverage
from server_hook.store.records import Record

PLAIN = ("branch", "concurrency")
"""Settings whose difference changes the figures. The core differs with the Python, and changes none of them."""
OF_FILES = ("source", "include", "omit")
"""Those that choose files."""


def differences(deliveries: Iterable[Delivery], here: Settings, mapped: Iterable[Mapped] = ()) -> Iterator[str]:
    """Name each setting with which servers, or the last session, measured otherwise than is judged here.

    Args:
        deliveries: whose processes are compared.
        here: the settings that are judged with.
        mapped: where files were measured that count for files of this project.
    """
    drift = Drift(here, mapped)
    records: dict[tuple[str, str, str, str], list[Record]] = {}
    for each in deliveries:
        record = each.record
        # a process that executed no line changes no figure, whatever its settings
        if each.executed and record.settings and (record.origin == "pipeline" or is_of_session(record)):
            kind, compare = ("", drift.of_server) if record.origin == "pipeline" else ("session", drift.of_session)
            for difference in compare(record.settings):
                records.setdefault((kind, *difference), []).append(record)
    # one sentence for all that differ alike: the workers of a server read one configuration
    for (session, name, theirs, ours), several in records.items():
        number, pid = sum(record.folded for record in several), several[0].pid
        who = f"process {pid}" if number == 1 else f"{number} processes (pid {pid}, ...)"
        if not session:
            yield say("settings-differ", who=who, name=name, theirs=theirs, ours=ours)
        else:
            why = why_otherwise(several[0], here) or "write into the configuration what its command line said"
            yield say("session-differs", name=name, theirs=theirs, ours=ours, why=why)


def is_of_session(record: Record) -> bool:
    """Tell whether a process measured with a session's settings, as workers and children do; inner ones have theirs."""
    return record.origin in ("unit", "e2e") and bool(record.session) and "." not in record.session


def why_otherwise(session: Record, here: Settings) -> str:
    """Say why the settings of a session are not those that are judged with, and the cure; empty if they could be.

    Args:
        session: the record of a process of it.
        here: the settings that are judged with.
    """
    config = str(session.settings.get("config_file") or "")
    if not config and here.config_file:
        return "it found no configuration"
    try:
        changed = bool(config) and os.stat(config).st_mtime > session.started
    except OSError:
        return f"it read {config}, which is gone; run the tests again"
    if config != here.config_file:
        return f"it read {config}; use --config {config}"
    return f"{os.path.basename(config)} has changed since; run the tests again" if changed else ""


class Drift:
    """Compare settings with those that are judged with."""

    def __init__(self, here: Settings, mapped: Iterable[Mapped] = ()) -> None:
        """Prepare to compare with the settings *here*; *mapped* says which files elsewhere are files of the project."""
        self._here = here
        self._folders = [(elsewhere, own) for elsewhere, own in prefixes(mapped)]

    def of_session(self, theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Yield name and both values of each setting that a session of this project measured with differently."""
        # compare the words: the session's verdict was about exactly these settings
        for name in (*PLAIN, *OF_FILES):
            one, other = self._shown(theirs, name)
            if one != other:
                yield name, one, other

    def of_server(self, theirs: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Yield name and both values of each setting of a server that changes what it measures of this project."""
        for name in PLAIN:
            one, other = self._shown(theirs, name)
            if one != other:
                yield name, one, other
        for name in OF_FILES:
            one, other = self._shown(theirs, name)
            if self._means_another(theirs, name, differ=one != other):
                # the same words about different folders: only absolute paths show the difference
                yield (name, one, other) if one != other else (name, *self._shown(theirs, name, absolute=True))
        reason = str(theirs.get("core_reason") or "")
        # only if one of the two was configured: the default core differs with the Python
        if "from " in reason + self._here.core_reason and theirs.get("core") != self._here.core:
            yield "core", f"{theirs.get('core')} ({reason})", f"{self._here.core} ({self._here.core_reason})"

    def _means_another(self, theirs: Mapping[str, Any], name: str, *, differ: bool) -> bool:
        """Tell whether a setting chooses other files of this project there than here."""
        if self._same_words(theirs, name):
            return False
        # nothing to match the patterns against: only the words are left
        if not self._files:
            return differ
        if name == "source":  # that it measures more changes nothing here
            return any(self._seen_from(theirs, path) is None for path in self._files if not self._omits(path))
        matches, own = _matcher(_names(theirs.get(name))), _matcher(getattr(self._here, name))
        places = {path: self._seen_from(theirs, path) for path in self._files}
        return any(matches(place) != own(path) for path, place in places.items() if place is not None)

    def _same_words(self, theirs: Mapping[str, Any], name: str) -> bool:
        # with another source, the same omit or include may choose other files
        return all(sorted(_names(theirs.get(each))) == sorted(getattr(self._here, each)) for each in {name, "source"})

    def _seen_from(self, theirs: Mapping[str, Any], path: str) -> str | None:
        """Return where a process has a file of this project, if its source holds it: here, or where its tree lies."""
        source, folder = _names(theirs.get("source")), str(theirs.get("folder") or "")
        source += [os.path.realpath(name) for name in source if os.path.isabs(name)]  # as coverage.py reads it
        places = [path]
        for elsewhere, own in ((folder, self._here.folder), *self._folders):
            if path.startswith(own + os.sep):
                places.append(elsewhere + path.removeprefix(own))
        return next((place for place in places if not source or any(_holds(name, place) for name in source)), None)

    @cached_property
    def _omits(self) -> Callable[[str], bool]:
        return _matcher(self._here.omit)

    @cached_property
    def _files(self) -> set[str]:
        """The files of this project's source, omitted ones included."""
        cov = open_coverage(self._here.config_file)
        apply_settings(cov, self._here._replace(omit=(), include=()))
        return set(coverage_private.project_files(cov))

    def _shown(self, theirs: Mapping[str, Any], name: str, *, absolute: bool = False) -> tuple[str, str]:
        """Show a setting there and here so that the same one looks the same wherever its project lies."""
        folders = ("", "") if absolute else (str(theirs.get("folder") or ""), self._here.folder)
        values = (theirs.get(name), getattr(self._here, name))
        one, other = (_shown(value, folder) for value, folder in zip(values, folders, strict=True))
        return one, other


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    matchers = [coverage_private.file_matcher(coverage_private.absolute_pattern(each, "")) for each in patterns]
    return lambda path: any(matches(path) for matches in matchers)


def _holds(source: str, path: str) -> bool:
    """Tell whether a folder, or a package by its name, holds a file."""
    if os.path.isabs(source):
        return path.startswith(source.rstrip(os.sep) + os.sep)
    return coverage_private.is_of_module(path, source)


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, (list, tuple)) else []


def _shown(value: object, folder: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    there = ntpath if is_of_windows(folder) else posixpath

    def shown(name: str) -> str:
        return there.relpath(name, folder).replace(there.sep, "/") if folder and there.isabs(name) else name

    return ", ".join(sorted(map(shown, _names(value)))) or "none"
