"""What only the leading process of a session does."""

from __future__ import annotations

import shutil

from pytest_vmpilot_cov.collect.processes import is_of_run
from pytest_vmpilot_cov.model import Options
from server_hook.store import publication, records, working_folder


def forget_earlier_sessions(options: Options) -> None:
    """Remove what sessions that are over have measured: a session replaces the last one's data of its COVERAGE_FILE."""
    data_folder = options.data_folder
    living = {
        record.session
        for folder in working_folder.process_folders(data_folder)
        if (record := records.read_record(folder))
        and records.life_of(record, records.heartbeat_age_s(folder)) != "dead"
    }
    for folder in working_folder.process_folders(data_folder):
        record = records.read_record(folder)
        if not record or record.origin == "pipeline" or not is_of_run(record, options):
            continue
        if record.session not in living - {""}:
            alive = records.life_of(record, records.heartbeat_age_s(folder)) != "dead"
            if not alive:
                shutil.rmtree(folder, ignore_errors=True)
    published = data_folder / options.tests_file
    if published.exists() and publication.read_fingerprints(published) is not None:
        published.unlink(missing_ok=True)
