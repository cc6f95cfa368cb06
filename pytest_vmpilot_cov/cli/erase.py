"""Delete what this project has written, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_vmpilot_cov.collect.processes import folder_of
from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.report.words import command_of
from server_hook.store import compaction, publication, publish, records, working_folder


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
            if path.exists() and publication.read_fingerprints(path) is not None:
                path.unlink(missing_ok=True)
                yield f"erased {path}"
            elif path.exists():
                yield f"kept {path}: it was not written by vmpilot-cov"
        if (folder / working_folder.WORKING_FOLDER).exists():
            with working_folder.lock(str(folder)):  # nobody may be about to fold what goes
                yield from _erase_segments(folder)


def _erase_segments(folder: Path) -> Iterator[str]:
    gone = 0
    for left in (folder / working_folder.WORKING_FOLDER).glob(f"{compaction.ASIDE}*"):
        shutil.rmtree(left, ignore_errors=True)
    for process in working_folder.process_folders(folder):
        record = records.read_record(process)
        if record is not None and records.life_of(record, records.heartbeat_age_s(process)) != "dead":
            yield say("still-recording", pid=record.pid, command=command_of(record))
        elif process.name.startswith("kept-"):
            yield f"kept {process}: data that vmpilot-cov did not write; delete the folder if nobody needs it"
        else:
            shutil.rmtree(process, ignore_errors=True)
            gone += 1
    working = folder / working_folder.WORKING_FOLDER
    if working.exists() and not any(working_folder.process_folders(folder)):
        shutil.rmtree(working, ignore_errors=True)
    if gone:
        yield f"erased the segments of {gone} {'process' if gone == 1 else 'processes'} in {working}"
