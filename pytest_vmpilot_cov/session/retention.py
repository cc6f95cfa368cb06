"""How long recorded data is kept: a session replaces the data of the last one; data of servers has no age limit.

Only ``vmpilot-cov erase`` deletes the data of servers. Folders of ended processes are compacted into one
(``server_hook/store/compaction.py``), which deletes nothing.
"""

from __future__ import annotations

from pytest_vmpilot_cov.collect.processes import is_of_run
from pytest_vmpilot_cov.model import Options
from server_hook.control import client
from server_hook.store import clean_up, publication, records


def forget_earlier_sessions(options: Options) -> None:
    """Remove what sessions that are over have measured with the same ``COVERAGE_FILE``.

    Data of sessions that still run stays, and so does all data of servers.
    """
    client.remove_all_dead()
    data_folder = options.data_folder
    recorded = list(records.recorded(data_folder))
    living = {each.session for folder, each in recorded if each.session and records.is_alive(folder, each)}
    for folder, record in recorded:
        # a child or an inner session may be over, but its data counts for the session that still runs
        is_living = any(records.is_of(record.session, each) for each in living) or records.is_alive(folder, record)
        if record.origin in ("unit", "e2e") and is_of_run(record, options) and not is_living:
            clean_up.remove_process(folder)
    published = data_folder / options.tests_file
    # without fingerprints it is not ours: somebody else's file of that name stays
    if published.exists() and publication.read_fingerprints(published) is not None:
        published.unlink(missing_ok=True)
