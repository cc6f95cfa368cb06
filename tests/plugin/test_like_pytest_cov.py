"""Every option of pytest-cov, and many sets of them: the same project, measured by pytest-cov alone and by us.

By default a quarter of the sets is compared, and all with files that aren't Python; with ``TEST_PARITY=all`` all are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.plugin.parity import ALL, BY_A_PLUGIN, FAILING, NOT_PYTHON, PROJECT, ZIPPED, Case, rc, rounded
from tests.plugin.two_environments import Both, Said, Sessions, make_environment_without_us, reports_in

CASES = (*(ALL if os.environ.get("TEST_PARITY") == "all" else ALL[::4]), *NOT_PYTHON, *BY_A_PLUGIN, *ZIPPED)
DOCS = Path(__file__).parents[2] / "docs" / "from-pytest-cov.md"


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Give the two environments: one that has pytest-cov and not us, and ours, in which pytest-cov is not loaded."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home")), "COLUMNS": "80"}
    python = make_environment_without_us(tmp_path_factory.mktemp("environment"))
    words = [word for name in ("cacheprovider", "unraisableexception") for word in ("-p", f"no:{name}")]
    alone = {**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # and fast: the plugins of our own tests take time
    plugins = ["-p", "pytest_vmpilot_cov.plugin", "-p", "xdist.plugin", "--vmpilot-cov"]
    made = Both(
        Sessions(python, environment, words),
        Sessions(sys.executable, alone, [*words, *plugins], ["pytest_vmpilot_cov.session.run"]),
    )
    yield made
    made.theirs.close()
    made.ours.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_say_the_same(both: Both, case: Case, tmp_path: Path) -> None:
    """Exit code, table, threshold, what was written and what stands in it are those of pytest-cov."""
    theirs, ours = both.run(case, tmp_path)
    assert ours.figures == theirs.figures, f"{theirs.output}\n\n{ours.output}"
    reports = reports_in(tmp_path / "theirs", case.reports)
    assert reports == reports_in(tmp_path / "ours", case.reports)
    assert bool(reports) == bool(case.reports)


@dataclass(frozen=True)
class Difference:
    """A session about which both are to say different things."""

    name: str
    """As the page of documentation has it."""
    options: str
    theirs: Callable[[Said], bool]
    ours: Callable[[Said], bool]
    files: Mapping[str, str] = field(default_factory=dict)
    project: Mapping[str, str] = field(default_factory=lambda: PROJECT)

    def __str__(self) -> str:
        """Name the test."""
        return self.name


DIFFERENCES = (
    Difference(
        "Everything",
        "--cov=",
        lambda said: "No data to report" in said.output,
        lambda said: any(line.startswith("pkg/unused.py") for line in said.table),
    ),
    Difference(
        "No source",
        "--cov",
        lambda said: not any(line.startswith("pkg/unused.py") for line in said.table),
        lambda said: any(line.startswith("pkg/unused.py") for line in said.table),
    ),
    Difference(
        "Collecting only",
        "--cov=pkg --collect-only",
        lambda said: bool(said.table),
        lambda said: "== vmpilot-cov ==" not in said.output,
    ),
    Difference(
        "An early end",
        "--cov=pkg -x",
        lambda said: (said.code, said.table) == (1, []),
        lambda said: said.code == 1 and bool(said.table),
        FAILING,
    ),
    Difference(
        "Rounding",
        "--cov=pkg --cov-fail-under=75",
        lambda said: said.code == 0 and said.required[0].startswith("FAIL "),
        lambda said: said.code == 0 and said.required[0].startswith("Required test coverage of 75% reached"),
        project=rounded(746),
    ),
    Difference(
        "A part of the tests",
        "--cov=pkg -k negative",
        lambda said: said.code == 1,
        lambda said: said.code == 0 and "Not enforced: fail_under 90 from .coveragerc" in said.output,
        rc("[report]\nfail_under = 90\n"),
    ),
    Difference(
        "Nothing measured",
        "--cov=nowhere --cov-fail-under=1",
        lambda said: said.code == 1 and "Failed to generate report: No data to report" in said.output,
        lambda said: said.code == 1 and "FAIL nothing was measured" in said.output,
    ),
    Difference(
        "The threshold's line",
        "--cov=pkg",
        lambda said: "ERROR: Coverage failure: total of " in said.output and "of 90.0% not" in said.output,
        lambda said: "Coverage failure" not in said.output and "of 90% not" in said.output,
        rc("[report]\nfail_under = 90\n"),
    ),
    Difference(
        "A threshold below 0",
        "--cov=pkg --cov-fail-under=-1",
        lambda said: said.code == 3 and "INTERNALERROR" in said.output,
        lambda said: said.code == 4 and "(fail-under-range)" in said.output,
    ),
    Difference(
        "Child processes",
        "--cov=pkg tests/test_child.py",
        lambda said: any(line.split()[:3] == ["pkg/full.py", "2", "2"] for line in said.table),
        lambda said: any(line.split()[:3] == ["pkg/full.py", "2", "0"] for line in said.table),
        {
            "tests/test_child.py": """
                import subprocess, sys
                import pkg

                def test_child():
                    subprocess.run([sys.executable, "-c", "from pkg import full; full.one()"], check=True)
            """
        },
    ),
    Difference(
        "Configuration that breaks",
        "--cov=pkg",
        lambda said: "Traceback" in said.output,
        lambda said: said.code == 4 and "(config-broken)" in said.output and "Traceback" not in said.output,
        rc("[run]\nbranch = maybe\n"),
    ),
)


@pytest.mark.parametrize("case", DIFFERENCES, ids=str)
def test_where_we_differ_it_is_meant(both: Both, case: Difference, tmp_path: Path) -> None:
    """Each difference is still one on either side, and the documentation names it."""
    theirs, ours = both.run(Case(case.name, case.options, case.files, case.project), tmp_path)
    assert case.theirs(theirs), theirs.output
    assert case.ours(ours), ours.output
    assert f"**{case.name}.**" in DOCS.read_text("utf-8")
