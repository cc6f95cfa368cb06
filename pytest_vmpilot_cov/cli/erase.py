"""Delete what this project has written, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_vmpilot_cov.collect.processes import folder_of
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.report.words import command_of
from server_hook.store import clean_up, publication, publish, records, working_folder


def erase(options: Options, paths: Sequence[Path]) -> Iterator[str]:
    """Erase the data of the given places, or of the project; yield what was done.

    A process that is still recording keeps its segments: it would never write them again.
    """
    folders = [folder_of(path) for path in paths] or [options.data_folder, Path(options.settings.folder)]
    for folder in dict.fromkeys(path.resolve() for path in folders):
        names = [folder / options.tests_file, folder / publish.PIPELINE_FILE]
        if folder == options.data_folder.resolve():
            names.append(Path(options.settings.data_file))
        others = (path for path in folder.glob(".coverage.*") if publication.is_published_here(str(path), str(folder)))
        for path in dict.fromkeys((*names, *sorted(others))):
            # only our publications have fingerprints; the same name may be a file of coverage.py
            if path.exists() and publication.read_fingerprints(path) is not None:
                path.unlink(missing_ok=True)
                yield f"erased {path}"
            elif path.exists():
                yield f"kept {path}: it was not written by vmpilot-cov"
        try:
            # the lock makes the folder where there is none
            if os.path.lexists(folder / working_folder.WORKING_FOLDER):
                with working_folder.lock(str(folder)):  # no other process may fold what is being erased
                    yield from _erase_segments(folder)
        except OSError as error:
            yield _refused(error)
    if not paths:
        yield from _named_places(options, folders)


def _named_places(options: Options, erased: Sequence[Path]) -> Iterator[str]:
    """Name the data of other places that the next report will read: it may be another project's."""
    done = {folder.resolve() for folder in erased}
    for place in dict.fromkeys(place.value for place in options.data_places):
        folder = folder_of(place).resolve()
        names = (working_folder.WORKING_FOLDER, publish.PIPELINE_FILE)
        if folder not in done and any(os.path.lexists(folder / name) for name in names):
            yield f"kept {folder}: it is a place of pipeline data outside this folder; vmpilot-cov erase {folder}"


def _erase_segments(folder: Path) -> Iterator[str]:
    working, gone = folder / working_folder.WORKING_FOLDER, 0
    refused: list[OSError] = []
    for process in working_folder.process_folders(folder, refused.append):
        said = _erase_process(process)
        gone += not said
        yield from filter(None, [said])
    clean_up.remove_left_over(working, rest_s=0.0)
    clean_up.remove_working_folder(folder)
    yield from map(_refused, refused)
    if gone:
        yield f"erased the segments of {gone} {'process' if gone == 1 else 'processes'} in {working}"


def _erase_process(folder: Path) -> str:
    """Erase what one process has recorded; say why not, or nothing."""
    record = records.read_record(folder)
    # before all else: a live process never writes again what it has written
    if record is not None and records.is_alive(folder, record):
        return say("still-recording", pid=record.pid, command=command_of(record))
    # publishing moved a file there that lay in its way and was not ours
    if folder.name.startswith("kept-"):
        return f"kept {folder}: data that vmpilot-cov did not write; delete the folder if nobody needs it"
    if (record is None and any(folder.iterdir())) or not clean_up.remove_process(folder):
        return f"kept {folder}: not all in it was written by vmpilot-cov; delete the folder if nobody needs it"
    return ""


def _refused(error: OSError) -> str:
    return f"kept {error.filename}: {error.strerror}"
