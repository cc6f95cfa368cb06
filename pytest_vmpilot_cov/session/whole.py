"""What a run without typed files and tests would collect, and what of it was left out.

pytest collects each folder on the way to a typed file, and each file of a typed test as a whole, before it chooses.
Files in other folders are looked for by the same hooks, without importing any.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_vmpilot_cov.stash import SCRIPTS


class Whole:
    """Know what collectors offered, and what was taken of it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._offered: set[str] = set()
        self._collected: set[str] = set()
        self._files: set[Path] = set()

    def note(self, collector: pytest.Collector, offered: Sequence[pytest.Item | pytest.Collector]) -> None:
        """Note what a collector offered; of folders, files are looked for in their place."""
        self._collected.add(collector.nodeid)
        if isinstance(collector, pytest.File):
            self._files.add(collector.path)
        if not isinstance(collector, pytest.Directory):
            self._offered.update(node.nodeid for node in offered)

    def left_out(self, session: pytest.Session, items: Sequence[pytest.Item], args: Sequence[str]) -> bool:
        """Tell whether a run without *args* would have collected more than *items*."""
        folder = session.config.invocation_params.dir
        chosen = [folder / arg.partition("::")[0] for arg in args if not (folder / arg).is_dir()]
        if not chosen:
            return False
        of_files = self._offered - self._collected - {item.nodeid for item in items}
        return bool(of_files) or any(path not in self._files for path in _files_of_all(session, chosen))


def _files_of_all(session: pytest.Session, chosen: Sequence[Path]) -> Iterator[Path]:
    config = session.config
    places = [
        path for each in config.getini("testpaths") for path in glob.iglob(str(config.rootpath / each), recursive=True)
    ]
    if places:
        scripts = config.stash.get(SCRIPTS, None)
        places += map(str, scripts.paths()) if scripts else ()
    elif config.inipath:
        places = [str(config.rootpath)]
    else:
        # the rootdir may be no more than the folder above all that was named, such as a home
        places = [str(config.invocation_params.dir), *(str(path.parent) for path in chosen)]
    for place in map(Path, places):
        for path in _walk(place, config):
            if _is_collected(path, session):
                yield path


def _walk(place: Path, config: pytest.Config) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, names, files in os.walk(place):
        here = Path(folder)
        names[:] = [name for name in names if not _is_ignored(here / name, config)]
        yield from (here / name for name in files if not _is_ignored(here / name, config))


def _is_collected(path: Path, session: pytest.Session) -> bool:
    try:
        return bool(session.gethookproxy(path.parent).pytest_collect_file(file_path=path, parent=session))
    except Exception:  # noqa: BLE001 - a plugin's, of a file that nobody typed
        return True


def _is_ignored(path: Path, config: pytest.Config) -> bool:
    return bool(config.hook.pytest_ignore_collect(collection_path=path, config=config))
