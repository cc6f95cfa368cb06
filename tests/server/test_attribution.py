"""Which test ran which line, in programs made at random, with all tests at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import coverage
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server_hook.store import segment, working_folder
from tests.server import odd_driver
from tests.server.odd_programs import TESTS, Program, programs, source_of

EXAMPLES = int(os.environ.get("TEST_ATTRIBUTION", "2"))
"""How many batches of programs each interpreter runs."""
BATCH = 12
PATIENCE_S = 300.0
_ROOT = Path(__file__).parents[2]
_NOTE = re.compile(r"\b[nm]\([^()]*, (\d+)\)")


class Interpreter(NamedTuple):
    """One that the programs run on."""

    name: str
    executable: str
    branch: bool = False
    borrows: bool = False
    """Whether it has no coverage.py, and takes ours, which measures by ``sys.monitoring`` without its part in C."""


class Outcome(NamedTuple):
    """What one batch has shown."""

    core: str
    expected: dict[tuple[str, str], set[int]]
    """By module and test, the lines that it has noted."""
    possible: dict[tuple[str, str], set[int]]
    measured: dict[tuple[str, str], set[int]]
    """By module and test, the lines that were recorded, of those that note something; all tests' by the empty one."""


def interpreters() -> Iterator[Interpreter]:
    """List this one, and those of later versions on this machine."""
    version = ".".join(map(str, sys.version_info[:2]))
    yield Interpreter(version, sys.executable)
    yield Interpreter(f"{version} with branches", sys.executable, branch=True)
    for other in ("3.12", "3.13", "3.14"):
        places = [shutil.which(f"python{other}"), *Path.home().glob(f".pyenv/versions/{other}.*/bin/python{other}")]
        executable = next((str(place) for place in places if place and _runs(str(place))), "")
        if other != version and executable:
            yield Interpreter(other, executable, borrows=True)


def _runs(executable: str) -> bool:
    return subprocess.run([executable, "-c", "pass"], capture_output=True, check=False).returncode == 0


INTERPRETERS = list(interpreters())


def run_batch(batch: list[Program], interpreter: Interpreter, folder: Path, **env: str) -> Outcome:
    """Run programs in a recorded process, and compare what was noted with what was recorded."""
    package = folder / "odd"
    package.mkdir()
    (package / "__init__.py").touch()
    for number, program in enumerate(batch):
        (package / f"p{number}.py").write_text(source_of(program))
    (folder / ".coveragerc").write_text(f"[run]\nsource = odd\nbranch = {interpreter.branch}\n")
    (folder / "sitecustomize.py").write_text("import server_hook\nserver_hook.start()\n")
    path = [str(folder), str(_ROOT)]
    if interpreter.borrows:
        site = folder / "site"  # coverage.py alone: what else is installed is of another Python
        site.mkdir()
        (site / "coverage").symlink_to(Path(coverage.__file__).parent)
        path.append(str(site))
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "VMPILOT_COV": str(folder),
        "VMPILOT_COV_DATA_DIR": str(folder),
        **env,
    }
    command = [interpreter.executable, odd_driver.__file__, str(len(batch))]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert not said["reason"], said["reason"]
    assert "vmpilot-cov:" not in done.stderr, done.stderr
    return Outcome(said["core"], _grouped(said["noted"]), _grouped(said["may_be"]), _measured(folder))


def _grouped(notes: list[tuple[str, str, int]]) -> dict[tuple[str, str], set[int]]:
    grouped: dict[tuple[str, str], set[int]] = defaultdict(set)
    for module, test, line in notes:
        grouped[module, test].add(line)
        grouped[module, "all"].add(line)
    return grouped


def _measured(folder: Path) -> dict[tuple[str, str], set[int]]:
    measured: dict[tuple[str, str], set[int]] = defaultdict(set)
    for each in working_folder.process_folders(folder):
        for _, parts in segment.read_folder(each):
            assert isinstance(parts, list), parts
            for part in parts:
                for source, lines in part.files.items():
                    module = f"odd.{Path(source.path).stem}"
                    noting = {int(number) for number in _NOTE.findall(Path(source.path).read_text())}
                    ran = noting.intersection(segment.line_numbers(segment.to_lines(lines)))
                    for test in {part.label.context or "all", "all"}:  # whoever judges adds a test's lines to the total
                        measured[module, test] |= ran
    return measured


def wrong(outcome: Outcome) -> list[str]:
    """List the lines that were recorded for a test that did not run them, or not for one that did."""
    found = []
    for module in sorted({module for module, _ in outcome.expected}):
        for test in (*TESTS, "all"):
            key = module, test
            ran, expected = outcome.measured.get(key, set()), outcome.expected.get(key, set())
            if more := ran - expected - outcome.possible.get(key, set()):
                found.append(f"{module}: {test} never ran {sorted(more)}")
            if less := expected - ran:
                found.append(f"{module}: {test} also ran {sorted(less)}")
    return found


@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda each: each.name)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
@given(batch=st.lists(programs(), min_size=BATCH, max_size=BATCH))
def test_each_line_is_named_for_the_tests_that_ran_it(interpreter: Interpreter, batch: list[Program]) -> None:
    """Whatever a program hands on, and however, each test has exactly the lines that its work has run."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_batch(batch, interpreter, Path(folder))
    assert not wrong(outcome)
