"""What only the leading process of a session does."""

from __future__ import annotations

from pathlib import Path

from pytest_vmpilot_cov.model import TESTS_FILE
from server_hook.store import clean_up, publication, records


def forget_earlier_sessions(data_folder: Path) -> None:
    """Remove what sessions that are over have measured: a session replaces the last one's data."""
    recorded = list(records.recorded(data_folder))
    living = {record.session for folder, record in recorded if records.is_alive(folder, record)}
    for folder, record in recorded:
        is_over = record.origin in ("unit", "e2e") and record.session not in living - {""}
        if is_over and not records.is_alive(folder, record):
            clean_up.remove_process(folder)
    published = data_folder / TESTS_FILE
    if published.exists() and publication.read_fingerprints(published) is not None:
        published.unlink(missing_ok=True)
