"""Which origin reached what, line by line."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project, lines_in
from tests.plugin.conftest import CORES, expected, without_inits


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branches"])
def test_each_origin_has_its_own_lines(app: Project, core: str, branch: bool) -> None:  # noqa: FBT001
    """Unit and E2E tests in mixed order, and their children, are told apart line by line on every core."""
    options = ["--cov-branch"] if branch else []
    done = app.pytest("--vmpilot-cov", "-q", *options, env={"COVERAGE_CORE": core})
    assert done.returncode == 0, done.stdout + done.stderr
    tests = app.path / ".coverage.tests"
    assert without_inits(lines_in(tests, "unit")) == expected("unit")
    assert without_inits(lines_in(tests, "e2e")) == expected("e2e")
    assert without_inits(lines_in(app.path / ".coverage")) == expected("unit", "e2e")


@pytest.mark.skipif(len(CORES) == 1, reason="sysmon needs Python 3.12")
def test_totals_are_the_same_on_every_core(app: Project) -> None:
    """The report has the same totals, for all together and for each origin, whichever core has measured."""
    app.write("pytest.ini", "[pytest]\n")
    found = {}
    for core in CORES:
        done = app.pytest("--vmpilot-cov", "--cov-report=json", env={"COVERAGE_CORE": core})
        assert f"core {core} " in done.stdout, done.stdout + done.stderr
        report = json.loads((app.path / "coverage.json").read_text())
        found[core] = (report["totals"], report["vmpilot_cov"]["origins"])
    assert found["ctrace"] == found["sysmon"]


@pytest.mark.parametrize("core", CORES)
def test_order_of_the_tests_does_not_matter(app: Project, core: str) -> None:
    """A module that an E2E test file imports first is still reached by the unit tests that run it."""
    app.write(
        "tests/e2e/test_a.py", "from app import shared\n\ndef test_e2e():\n    assert shared.for_e2e(True) == 4\n"
    )
    app.write(
        "tests/z_unit/test_z.py", "from app import shared\n\ndef test_unit():\n    assert shared.for_unit() == 2\n"
    )
    (app.path / "tests/test_mixed.py").unlink()
    done = app.pytest("--vmpilot-cov", "-q", env={"COVERAGE_CORE": core})
    assert done.returncode == 0, done.stdout + done.stderr
    tests = app.path / ".coverage.tests"
    assert lines_in(tests, "unit")["shared.py"] == expected("unit")["shared.py"]
    assert lines_in(tests, "e2e")["shared.py"] == expected("e2e")["shared.py"]


def test_e2e_paths_can_be_configured(app: Project) -> None:
    """Tests below the folders of ``[vmpilot_cov] e2e`` count as E2E, those in other folders named e2e do not."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ne2e = tests/browser\n")
    app.write("tests/browser/test_b.py", "from app import shared\n\ndef test_b():\n    shared.for_e2e(True)\n")
    app.write("tests/e2e/test_u.py", "from app import shared\n\ndef test_u():\n    shared.for_unit()\n")
    (app.path / "tests/test_mixed.py").unlink()
    app.pytest("--vmpilot-cov", "-q")
    tests = app.path / ".coverage.tests"
    assert lines_in(tests, "e2e")["shared.py"] == expected("e2e")["shared.py"]
    assert lines_in(tests, "unit")["shared.py"] == expected("unit")["shared.py"]


def test_a_child_started_outside_any_test_is_e2e(app: Project) -> None:
    """What a conftest starts counts as E2E, the way servers of E2E set-ups are started."""
    app.write(
        "conftest.py",
        """
        import subprocess, sys
        subprocess.run([sys.executable, "-m", "app.child", "e2e"], check=True)
        """,
    )
    app.pytest("--vmpilot-cov", "-q", "-k", "test_1_unit")
    assert lines_in(app.path / ".coverage.tests", "e2e")["child.py"] == expected("e2e")["child.py"]


def test_measurement_starts_before_any_conftest(app: Project) -> None:
    """A source module that the first conftest imports is measured from its first line."""
    app.write("conftest.py", "import app.lazy\n")
    app.pytest("--vmpilot-cov", "-q", "-k", "test_1_unit")
    assert lines_in(app.path / ".coverage")["lazy.py"] == [1]


def test_a_session_replaces_the_last_one(app: Project) -> None:
    """What only an earlier session reached is gone, unless ``--cov-append`` keeps it."""
    app.pytest("--vmpilot-cov", "-q", "-k", "e2e")
    app.pytest("--vmpilot-cov", "-q", "-k", "test_1_unit")
    unit_alone = expected("unit")["shared.py"]
    assert lines_in(app.path / ".coverage", "unit")["shared.py"] == unit_alone
    assert lines_in(app.path / ".coverage").keys() == {"__init__.py", "shared.py"}
    app.pytest("--vmpilot-cov", "-q", "-k", "e2e", "--cov-append")
    assert without_inits(lines_in(app.path / ".coverage")) == {
        "shared.py": expected("unit", "e2e")["shared.py"],
        "child.py": expected("e2e")["child.py"],
    }


def test_nothing_happens_without_the_flag(app: Project) -> None:
    """Without ``--vmpilot-cov`` nothing is measured, written or said."""
    before = sorted(path.name for path in app.path.iterdir())
    done = app.pytest("-q", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in app.path.iterdir()) == before
    assert "vmpilot" not in done.stdout
