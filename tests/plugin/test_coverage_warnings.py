"""coverage.py's own warnings, and what a source that was not measured is told."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from tests.conftest import Project, lines_in


@pytest.fixture
def plain(project: Project) -> Project:
    """Give a project in a ``src`` layout, whose tests import what ``PYTHONPATH`` or ``pythonpath`` gives them."""
    project.write("pytest.ini", "[pytest]\n")
    project.write("src/ledger/__init__.py", "def add():\n    return 1\n")
    project.write("src/ledger/sub/__init__.py", "X = 1\n")
    project.write("test_it.py", "import ledger\n\ndef test_it():\n    assert ledger.add() == 1\n")
    return project


def warnings_in(project: Project, *options: str, path: str = "src") -> list[str]:
    """Return the warnings of a session; it finds the package in *path*."""
    done = project.pytest("--vmpilot-cov", *options, env={"PYTHONPATH": str(project.path / path)})
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.removeprefix("WARNING: ") for line in done.stdout.splitlines() if line.startswith("WARNING: ")]


@pytest.mark.parametrize("options", [(), ("--cov-report=html", "--cov-report=json", "--cov-report=xml"), ("-n", "2")])
def test_a_misspelt_setting_is_named_once(plain: Project, options: Sequence[str]) -> None:
    """A setting that coverage.py does not know is one warning in its words, whoever reads the configuration."""
    file = plain.write(".coveragerc", "[run]\nsource = src\nbrunch = true\n[report]\nskip_coverd = true\n")
    assert sorted(warnings_in(plain, *options)) == [
        f"coverage.py: Unrecognized option '[report] skip_coverd=' in config file {file} (coverage-warning)",
        f"coverage.py: Unrecognized option '[run] brunch=' in config file {file} (coverage-warning)",
    ]


def test_doctor_names_a_misspelt_setting(plain: Project) -> None:
    """``vmpilot-cov doctor`` takes a setting that coverage.py does not know for something wrong."""
    plain.write(".coveragerc", "[run]\nsource = src\nbrunch = true\n")
    done = plain.run("vmpilot-cov", "doctor")
    assert done.returncode == 1
    assert "WRONG coverage.py: Unrecognized option '[run] brunch='" in done.stdout


def test_disabled_warnings_are_not_shown(plain: Project) -> None:
    """A warning comes with coverage.py's name for it, and ``disable_warnings`` turns it off by that name."""
    plain.write("src/ledger/broken.py", "def :\n")
    plain.write(".coveragerc", "[run]\nsource = src\n")
    expected = f"coverage.py: Couldn't parse Python file '{plain.path}/src/ledger/broken.py' (couldnt-parse)"
    assert warnings_in(plain, "--cov-report=html", "--cov-report=term") == [expected]
    plain.write(".coveragerc", "[run]\nsource = src\ndisable_warnings = couldnt-parse\n")
    assert warnings_in(plain, "--cov-report=html", "--cov-report=term") == []


def test_a_module_that_was_never_imported_is_named(plain: Project) -> None:
    """A source that names no module here is warned of in coverage.py's words; one that is there and ran is not."""
    never = "coverage.py: Module nosuch was never imported. (module-not-imported)"
    assert warnings_in(plain, "--cov=ledger", "--cov=nosuch") == [never]
    plain.write(".coveragerc", "[run]\ndisable_warnings = module-not-imported\n")
    assert warnings_in(plain, "--cov=ledger", "--cov=nosuch") == []


def test_a_module_may_be_called_as_the_folder_of_libraries(plain: Project) -> None:
    """A source called ``lib`` does not make the standard library, below ``lib/python3``, a part of the source."""
    plain.write("src/lib.py", "X = 1\n")
    plain.write("test_it.py", "import lib\n\ndef test_it():\n    assert lib.X == 1\n")
    assert warnings_in(plain, "--cov=lib") == []
    assert list(lines_in(plain.path / ".coverage")) == ["lib.py"]


@pytest.mark.parametrize("same", ["no", "one"])
@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_an_installed_copy_that_differs_is_named(plain: Project, options: Sequence[str], same: str) -> None:
    """Where tests import an older copy of the source, the session says so, with the cure; one that is equal counts."""
    shutil.copytree(plain.path / "src", plain.path / "site")
    plain.write(".coveragerc", "[run]\nsource = src\n")
    assert warnings_in(plain, *options, path="site") == []
    counted = lines_in(plain.path / ".coverage")
    plain.write("site/ledger/__init__.py", "def add():\n    return 1\n\nOLD = 1\n")
    if same == "no":
        plain.write("site/ledger/sub/__init__.py", "OLD = 1\n")
    first, nothing = warnings_in(plain, *options, path="site")
    assert first == (
        f"nothing of src/ledger was reached: this Python imports ledger from {plain.path}/site/ledger, an installed "
        "copy that differs; install the project again, or with pip install -e (installed-copy)"
    )
    assert nothing.endswith("(nothing-measured)")
    assert warnings_in(plain, *options) == []
    assert lines_in(plain.path / ".coverage") == counted


def test_an_installed_copy_of_a_package_that_was_named_is_named(plain: Project) -> None:
    """Where the source is a package by its name, its older copy is told from a source that has changed since."""
    module = (plain.path / "src/ledger/__init__.py").rename(plain.path / "src/ledger/book.py")
    plain.write("src/ledger/__init__.py", "from ledger.book import *\n")
    shutil.copytree(plain.path / "src", plain.path / "site")
    module.write_text(f"{module.read_text()}NEW = 1\n")
    plain.write("src/ledger/__init__.py", "from ledger.book import *\n\nNEW = 2\n")
    slugs = [each.rpartition(" (")[2] for each in warnings_in(plain, "--cov=ledger", path="site")]
    assert slugs == ["installed-copy)", "stale-source)", "nothing-measured)"]


@pytest.mark.parametrize("stale", ["drop", "fail", "keep"])
def test_files_without_a_source_are_not_stale(plain: Project, stale: str) -> None:
    """Generated and deleted modules are one line, count for nothing, and never fail ``stale = fail``."""
    plain.write(".coveragerc", "[run]\nsource = src\n")
    plain.write("src/ledger/gone.py", "X = 1\n")
    plain.write(
        "test_gone.py",
        """
        import os

        import ledger.gone

        def test_gone():
            os.unlink(ledger.gone.__file__)
            folder = os.path.dirname(ledger.gone.__file__)
            exec(compile("x = 1", os.path.join(folder, "made.py"), "exec"))
        """,
    )
    (said,) = warnings_in(plain, f"--vmpilot-cov-stale={stale}")
    assert said == (
        "2 measured files left out, without a source here (src/ledger/gone.py, src/ledger/made.py): "
        "generated, deleted or unreadable (no-source)"
    )


@pytest.mark.parametrize("options", [("-n", "2"), ("-n2", "--dist=loadfile"), ("--tx=2*popen", "--dist=load")])
def test_a_dynamic_context_is_refused_with_workers(plain: Project, options: Sequence[str]) -> None:
    """``dynamic_context = test_function`` with pytest-xdist is a usage error, as it is an error with pytest-cov."""
    file = plain.write(".coveragerc", "[run]\nsource = src\ndynamic_context = test_function\n")
    done = plain.pytest("--vmpilot-cov", *options, env={"PYTHONPATH": str(plain.path / "src")})
    assert done.returncode == 4
    assert done.stderr.strip() == (
        "ERROR: refused, as by pytest-cov:\n"
        f"pytest_cov.DistCovError: Detected dynamic_context=test_function in {file}, which does not work with "
        "pytest-xdist; use --cov-context=test instead (context-refused)"
    )
    assert warnings_in(plain, *options, "--cov-context=test") == []


def test_a_context_of_the_configuration_is_named(plain: Project) -> None:
    """A context of the configuration that the data won't have is one warning, and said before the tests run."""
    file = plain.write(".coveragerc", "[run]\nsource = src\ndynamic_context = test_function\n")
    (said,) = warnings_in(plain)
    assert said == (
        f"CentralCovContextWarning: Detected dynamic_context=test_function in {file}, which isn't used; "
        "--cov-context=test records which test ran each line (context-unused)"
    )
    assert f"\nvmpilot-cov: WARNING: {said}\n" in plain.pytest("--vmpilot-cov").stdout.partition("collected")[0]
    assert warnings_in(plain, "--cov-context=test") == []


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_an_origin_that_reached_nothing_has_its_row(plain: Project, options: Sequence[str]) -> None:
    """Tests that ran and reached nothing of the source have their origin's row, with 0; others have none."""
    plain.write(".coveragerc", "[run]\nsource = src\n")
    plain.write("e2e/test_browser.py", "def test_browser():\n    assert True\n")
    done = plain.pytest("--vmpilot-cov", *options, env={"PYTHONPATH": str(plain.path / "src")})
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("unit ", "e2e ", "pipeline "))]
    assert rows == [["unit", "1", "3", "2", "67%", "2"], ["e2e", "0", "3", "0", "0%", "0"]]
