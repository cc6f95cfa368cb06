from __future__ import annotations

import pytest

from pytest_vmpilot_cov.collect.unrecorded import Process, _families

SUPERVISOR, WORKER, HELPER, OTHER = 10, 11, 12, 20


@pytest.mark.parametrize(
    ("young", "recorded", "expected"),
    [
        (set(), {WORKER}, {SUPERVISOR, WORKER, HELPER}),
        ({WORKER}, {WORKER}, {SUPERVISOR, WORKER, HELPER}),
        ({WORKER}, set(), {SUPERVISOR, WORKER, HELPER}),
        ({OTHER}, {WORKER}, {SUPERVISOR, WORKER, HELPER, OTHER}),
        (set(), set(), set()),
    ],
    ids=["serves for long", "reloaded just now", "reloads now", "another one starts", "records nothing"],
)
def test_a_supervisor_is_no_server_of_its_own(young: set[int], recorded: set[int], expected: set[int]) -> None:
    """A supervisor and its helpers belong to their worker, also in the moment in which a reload replaces it."""
    parents = {SUPERVISOR: 1, WORKER: SUPERVISOR, HELPER: SUPERVISOR, OTHER: 1}
    processes = {pid: Process(pid, ("python",), {}, parent, is_young=pid in young) for pid, parent in parents.items()}
    assert expected == _families(processes, recorded)
