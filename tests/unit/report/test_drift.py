from __future__ import annotations

from pathlib import Path

import pytest

from pytest_vmpilot_cov.model import Delivery
from pytest_vmpilot_cov.report.drift import differences, differing
from server_hook.store.records import Record
from tests.unit.conftest import some_settings

HERE = some_settings(Path("/me/project"), source=("/me/project/app",), omit=("/me/project/app/gen.py",))
THERE = HERE._replace(folder="/app", source=("/app/app",), omit=("/app/app/gen.py",), data_file="/app/.coverage")


def test_the_same_configuration_in_another_place_is_in_step() -> None:
    """Paths are compared below the configuration's own folder, so that a container is no difference."""
    assert list(differing(THERE._asdict(), HERE)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"branch": True}, ("branch", "on", "off")),
        ({"omit": ()}, ("omit", "none", "app/gen.py")),
        ({"source": ("/app/app", "/app/lib")}, ("source", "app, lib", "app")),
        ({"concurrency": ("gevent",)}, ("concurrency", "gevent", "none")),
        (
            {"core": "sysmon", "core_reason": "from COVERAGE_CORE"},
            ("core", "sysmon (from COVERAGE_CORE)", "ctrace (a test asked for it)"),
        ),
    ],
)
def test_each_setting_that_differs_is_named(changes: dict[str, object], expected: tuple[str, str, str]) -> None:
    """A setting that matters is named with both values."""
    assert list(differing(THERE._replace(**changes)._asdict(), HERE)) == [expected]  # type: ignore[arg-type]


def test_a_core_that_follows_from_the_python_is_no_difference() -> None:
    """Where nobody has chosen a core, another Python has another one, and the figures are the same."""
    assert list(differing(THERE._replace(core="sysmon", core_reason="the fastest")._asdict(), HERE)) == []


def test_processes_that_differ_alike_are_one_line() -> None:
    """Workers of one server are named together; tests and processes without data are not compared."""
    branch = THERE._replace(branch=True)._asdict()
    records = [Record(f"{pid}-a", pid, "pipeline", settings=branch) for pid in (11, 12, 13)]
    found = [Delivery(record, "live", Path("/x"), executed=record.pid != 13) for record in records]
    tests = Delivery(records[0]._replace(origin="unit"), "dead", Path("/x"), executed=True)
    (line,) = differences([*found, tests], HERE)
    assert line.startswith("2 processes (pid 11, ...) measured with branch = on, here it is off; ")
