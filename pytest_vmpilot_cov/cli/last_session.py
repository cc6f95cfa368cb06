"""What the last session judged: its command line may have named another source than the configuration does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_vmpilot_cov.collect.processes import is_of_run
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.report.drift import OF_FILES, PLAIN, is_of_session, why_otherwise
from server_hook.store import records
from server_hook.store.records import Record
from server_hook.store.working_folder import WORKING_FOLDER

_ADOPTED = (*PLAIN, *OF_FILES, "source_folders", "copies")
"""The settings that decide what is counted."""


def as_last_session(options: Options, read: Callable[[str], Options] | None = None) -> Options:
    """Take over what the last session measured, unless its configuration has changed since, or another was chosen.

    Without a configuration, the session's data may lie above this folder.

    Args:
        options: those of the configuration here.
        read: makes the options of another configuration; None if this one was typed.
    """
    if read is not None and not options.settings.config_file:
        places = (place for place in _at_and_above(options.data_folder) if (place / WORKING_FOLDER).is_dir())
        options = next((read(str(place)) for place in places), options)
    sessions = [each for _, each in records.recorded(options.data_folder) if _is_here(each, options)]
    if not sessions:
        return options
    last = max(sessions, key=lambda each: each.started)
    config = str(last.settings.get("config_file"))
    if read is not None and config != options.settings.config_file and os.path.isfile(config):
        options = read(config)
    if why_otherwise(last, options.settings):
        return options
    theirs = {name: _as_setting(last.settings.get(name)) for name in _ADOPTED}
    if any(type(value) is not type(getattr(options.settings, name)) for name, value in theirs.items()):
        return options  # an earlier version of ours wrote it, or nobody of ours
    same = theirs["source"] == options.settings.source
    source_from = options.source_from if same else "the last session"
    return replace(options, settings=options.settings._replace(**theirs), source_from=source_from)


def _at_and_above(folder: Path) -> Iterator[Path]:
    """Walk folders up to the top of the repository, or to the home, whose own data is of no project."""
    for place in (folder, *folder.parents):
        if place == Path("~").expanduser():
            return
        yield place
        if (place / ".git").exists():
            return


def _is_here(record: Record, options: Options) -> bool:
    is_here = record.settings.get("folder") == options.settings.folder
    return is_here and is_of_session(record) and is_of_run(record, options)


def _as_setting(value: Any) -> Any:  # noqa: ANN401 - what JSON gives
    return tuple(value) if isinstance(value, list) else value
