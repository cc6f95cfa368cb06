"""Whatever lies in a data folder is named or counted, in bounded time and memory: what the tests of that share.

How many examples are tried: TEST_FUZZ; the nox session ``fuzz`` tries many more than the suite.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from pytest_vmpilot_cov.cli.status import status_lines
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.combine.combine import combine
from pytest_vmpilot_cov.model import Collected
from pytest_vmpilot_cov.publish import only
from pytest_vmpilot_cov.report.drift import differences
from server_hook.problems import printable
from server_hook.store import publication, publish
from tests.unit.conftest import some_options

fuzzed = hypothesis.settings(
    max_examples=int(os.environ.get("TEST_FUZZ", "40")),
    derandomize="TEST_FUZZ" not in os.environ,
    suppress_health_check=list(hypothesis.HealthCheck),
)
PATIENCE_S = 60.0
MOST_MEMORY_BYTES = 2 << 30


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Fail where a block takes long, or much memory."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < PATIENCE_S
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_MEMORY_BYTES


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    """Give a project of one file, for one example."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "mod.py").write_text("def f():\n    return 1\n\n\nf()\n")
        yield folder


def whole_way(folder: Path) -> Collected:
    """Go the whole way from a data folder to what is published; everything in it is named or counted."""
    options = some_options(folder)
    with bounded():
        collected = collect(options, Scope(ask=False))
        combined = combine(options, collected)
        publication.write_or_remove(str(folder / ".coverage"), combined.counted)
        publication.write_or_remove(str(folder / ".coverage.tests"), only(combined.counted, pipeline=False))
        publish.publish_pipeline(str(folder))
        lines = [*collected.problems, *combined.problems, *status_lines(options, [])]
        lines += differences(collected.deliveries, options.settings)
    assert all(printable(line) == line for line in (*collected.problems, *combined.problems))
    assert lines
    return collected
