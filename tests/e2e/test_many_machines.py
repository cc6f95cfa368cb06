"""Shards of tests on several machines, and servers on several hosts: one command, one verdict, the same figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from coverage import CoverageData

from pytest_vmpilot_cov.cli.main import main
from server_hook.coverage_private import close_data
from server_hook.store import records, segment, working_folder
from server_hook.store.fingerprint import fingerprint
from server_hook.store.segment import Label, Part, Source, bitmap
from tests.conftest import PATIENCE_S, Project, free_port, lines_in, numbered, wait_for
from tests.e2e.conftest import said, session, vmpilot

ORIGINS = ("unit", "e2e", "pipeline")
APP = """
    import sys  # start


    def one():  # start
        return 1  # one


    def two():  # start
        return 2  # two


    def three():  # start
        return 3  # three


    if __name__ == "__main__":  # start
        [one, two, three][int(sys.argv[1])]()  # main
"""
TEST = "from app import code\n\n\ndef test_{0}():\n    assert code.{0}()\n"
BOTH = numbered(APP, "start", "one", "two")
SHARDS = {"tests/test_one.py": "one", "tests/test_two.py": "two", "tests/e2e/test_three.py": "three"}


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with two unit tests and an E2E test, each for a function of its own."""
    project.package("app", code=APP, more="def never():\n    return 0\n")
    for name, function in SHARDS.items():
        project.write(name, TEST.format(function))
    return project


@pytest.fixture
def machines(app: Project) -> dict[str, Project]:
    """Give a checkout of the project for each shard, in a folder of its own, in which the shard has run."""
    found = {}
    for number, name in enumerate(SHARDS, 1):
        machine = Project(app.path.parent / f"machine-{number}/checkout")
        shutil.copytree(app.path, machine.path)
        done = session(machine, name)
        assert done.returncode == 0, done.stdout
        found[f"shard-{number}"] = machine
    return found


def figures(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the table of origins and the verdict of a section."""
    lines = done.stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("Origin "))
    table = [line for line in lines[begin:] if line.startswith((*ORIGINS, "combined", "Reached by"))]
    return [*table, *(line for line in lines if "Required test coverage" in line)]


def counted(app: Project) -> dict[str, list[int]]:
    """Read which lines of the program the last verdict counted, by origin."""
    return {origin: lines_in(app.path / ".coverage", origin).get("code.py", []) for origin in ORIGINS}


def packed(machine: Project, target: Path, *names: str) -> Path:
    """Pack what a machine has measured."""
    with tarfile.open(target, "w:gz") as archive:
        for name in names:
            archive.add(machine.path / name, arcname=name)
    return target


def test_shards_give_the_figures_of_one_run(app: Project, machines: Mapping[str, Project]) -> None:
    """Tests that three machines shared give origin by origin what one whole run gives, in whichever way they come."""
    whole = session(app, "--cov-fail-under=75")
    expected = figures(whole), counted(app)
    assert expected[1]["unit"] == numbered(APP, "start", "one", "two")
    assert vmpilot(app, "erase").returncode == 0
    for name, machine in machines.items():
        packed(machine, app.path / f"{name}.tar.gz", ".coverage.tests")
        packed(machine, app.path / f"{name}.tgz", ".vmpilot-cov")
        (app.path / "artifacts" / name).mkdir(parents=True)
        shutil.copy(machine.path / ".coverage.tests", app.path / "artifacts" / name / "renamed-coverage")
        shutil.rmtree(machine.path)
    with zipfile.ZipFile(app.path / "all.zip", "w") as archive:
        for name in machines:
            archive.write(app.path / f"{name}.tar.gz", f"{name}/{name}.tar.gz")
    for words in (["shard-*.tar.gz"], ["shard-*.tgz"], ["artifacts"], ["artifacts/*"], ["all.zip"]):
        done = vmpilot(app, "combine", "-f", "75", *words)
        assert (figures(done), counted(app)) == expected, (words, done.stdout, done.stderr)
        assert done.returncode == whole.returncode


def test_a_thousand_processes_are_combined(app: Project) -> None:
    """Ten artifacts with the data of a hundred processes each, as segments and as data files, miss no line of any."""
    path = str(app.write("app/long.py", "x = 0\n" * 1010))
    source = Source(path, fingerprint(path))
    for number in range(1000):
        artifact = app.path / f"artifacts/{number // 100}"
        lines = {number + 1, 1001}
        if number % 2:
            artifact.mkdir(parents=True, exist_ok=True)
            data = CoverageData(basename=str(artifact / f".coverage.host.{number}"))
            data.add_lines({path: lines})
            data.write()
            close_data(data)
        else:
            folder = working_folder.make_folder(str(artifact), f"{number}-a")
            records.write_record(folder, records.Record(f"{number}-a", number + 1, "pipeline", ended=1.0))
            segment.write(folder, 1, [Part(Label("pipeline"), 1.0, 2.0, {source: bitmap(lines)})])
    for number in range(10):
        shutil.make_archive(str(app.path / f"{number}"), "zip", app.path / f"artifacts/{number}")
    done = vmpilot(app, "combine", "-f", "98", *(f"{number}.zip" for number in range(10)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "500 ended processes" in done.stdout
    assert lines_in(app.path / ".coverage", "pipeline")["long.py"] == list(range(1, 1002))


def test_a_shard_that_is_damaged_is_named(app: Project) -> None:
    """What cannot be read is named, the other shards count, and the verdict says whether they are enough."""
    for name, number in (("one", "0"), ("two", "1")):
        app.run("python", "-m", "app.code", number, env={"VMPILOT_COV": "."})
        packed(app, app.path / f"{name}.tar.gz", ".vmpilot-cov")
        vmpilot(app, "erase")
    path = app.path / "two.tar.gz"
    octets = path.read_bytes()
    path.write_bytes(octets[:100])
    done = vmpilot(app, "combine", "-f", "50", "*.tar.gz")
    warning = f"WARNING: {path} cannot be read as coverage data and does not count: "
    assert warning in done.stdout
    assert (done.returncode, counted(app)["pipeline"]) == (0, numbered(APP, "start", "one", "main"))
    assert vmpilot(app, "combine", "-f", "99", "*.tar.gz").returncode == 1
    path.write_bytes(octets[:-30])  # all but the end of its last file
    done = vmpilot(app, "combine", "-f", "50", "*.tar.gz")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(warning)]
    assert line.endswith("; the files in it before that count (data-unreadable)")
    assert counted(app)["pipeline"] == numbered(APP, "start", "one", "two", "main")


def test_plain_data_of_shards_is_told_whose_it_is(app: Project) -> None:
    """Data files of coverage.py itself count for the origin that stands before their name."""
    for number, function in enumerate(("one", "two", "three")):
        name = f"artifacts/{function}/.coverage.host.{number}"
        (app.path / name).parent.mkdir(parents=True)
        app.run("python", "-m", "coverage", "run", f"--data-file={name}", "-m", "app.code", str(number))
    done = vmpilot(app, "combine", "unit=artifacts/one", "e2e=artifacts/two/.cov*", "artifacts/three")
    shards = dict(zip(ORIGINS, ("one", "two", "three"), strict=True))
    expected = {origin: numbered(APP, "start", function, "main") for origin, function in shards.items()}
    assert counted(app) == expected, done.stdout


def test_pods_that_share_a_volume_give_one_verdict(app: Project) -> None:
    """Servers of several hosts that write into one folder are combined by one command, the killed and the live."""
    volume = app.path.parent / "volume"
    for number in range(3):
        env = {"VMPILOT_COV": str(app.path), "VMPILOT_COV_DATA_DIR": str(volume)}
        assert app.run("python", "-m", "app.code", str(number), env=env).returncode == 0
    folders = list(working_folder.process_folders(volume))
    for number, folder in enumerate(folders):
        record = records.read_record(folder)
        assert record is not None
        forged = record._replace(host=f"pod-{number}", namespace=f"pid:[{number}]", ended=float(number == 0))
        (folder / records.RECORD).write_text(json.dumps(forged._asdict()))
    os.utime(folders[1] / records.RECORD, (1e9, 1e9))
    (volume / ".coverage.pipeline").unlink()
    done = vmpilot(app, "combine", str(volume))
    assert counted(app)["pipeline"] == numbered(APP, "start", "one", "two", "three", "main")
    lines = [line for line in done.stdout.splitlines() if line.startswith("Pipeline: ")]
    assert [" on pod-2 runs on another host" in lines[0], "1 ended process" in lines[1]] == [True, True]
    assert "1 killed process" in lines[2]
    assert done.returncode == 0


def test_a_store_in_memory_is_read(app: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that fsspec knows is read below its prefix, by a pattern, as one object, and what fails is named."""
    fsspec = pytest.importorskip("fsspec")
    env = {"VMPILOT_COV": str(app.path)}
    app.run("python", "-m", "app.code", "1", env=env)
    store = fsspec.filesystem("memory")
    store.put(str(app.path / ".coverage.pipeline"), "/bucket/run-7/pod/.coverage.pipeline")
    store.put(str(app.path / ".vmpilot-cov"), "/bucket/run-8/.vmpilot-cov", recursive=True)
    vmpilot(app, "erase")
    monkeypatch.chdir(app.path)
    words = ["run-7/", "run-8", "run-*", "run-7/pod/.coverage.pipeline"]
    for word in words:
        assert main(["combine", f"memory://bucket/{word}"]) == 0
        assert counted(app)["pipeline"] == numbered(APP, "start", "two", "main"), word
        (app.path / ".coverage").unlink()
    store.rm("/bucket", recursive=True)


def test_a_url_that_fails_is_named(app: Project) -> None:
    """A store that is not there is named with the URL and what went wrong, and the rest counts."""
    pytest.importorskip("fsspec")
    app.run("python", "-m", "app.code", "1", env={"VMPILOT_COV": "."})
    done = vmpilot(app, "combine", "unknown://bucket/x", ".")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("WARNING"))
    assert line.startswith("WARNING: unknown://bucket/x cannot be read as coverage data and does not count: ValueError")
    assert done.returncode == 0


def test_without_fsspec_it_is_said_what_to_install(app: Project) -> None:
    """Without the library a URL is refused in one line that says what to install."""
    app.write("missing/fsspec/__init__.py", "raise ImportError('No module named fsspec')\n")
    done = app.run("vmpilot-cov", "combine", "s3://bucket/x", env={"PYTHONPATH": str(app.path / "missing")})
    expected = (
        "vmpilot-cov: s3://bucket/x cannot be read without a library that knows this kind of store (No module named "
        "fsspec); install it with: pip install 'pytest-vmpilot-cov[remote]' (store-needs)"
    )
    assert said(done) == (2, expected)


@pytest.fixture
def s3(app: Project) -> dict[str, str]:
    """Give the environment in which a real S3 server of this machine is used."""
    for name in ("moto.server", "s3fs"):
        pytest.importorskip(name, reason="pip install pytest-vmpilot-cov[stores]", exc_type=ImportError)
    server = app.serve("python", "-m", "moto.server", "-H", "127.0.0.1", "-p", "PORT", port=free_port(), wait=False)
    wait_for(lambda: _answers(server.url), server.log.read_text)
    return {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _answers(url: str) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S):
            return True
    except OSError:
        return False


def test_a_bucket_of_shards_gives_one_verdict(
    app: Project, s3: dict[str, str], machines: Mapping[str, Project]
) -> None:
    """Shards in a bucket, as files, segments and archives, give the figures of one run; a missing bucket is named."""
    import s3fs  # type: ignore[import-untyped]

    whole = session(app)
    expected = figures(whole), counted(app)
    vmpilot(app, "erase")
    store = s3fs.S3FileSystem(key="x", secret="x", endpoint_url=s3["AWS_ENDPOINT_URL"])
    store.mkdir("shards")
    for name, machine in machines.items():
        archive = packed(machine, machine.path / "x.tar.gz", ".coverage.tests")
        if name == "shard-1":
            store.put(str(archive), f"shards/run/{name}.tar.gz")
        elif name == "shard-2":
            store.put(str(machine.path / ".coverage.tests"), f"shards/run/{name}/.coverage.tests")
        else:
            store.put(f"{machine.path}/.vmpilot-cov/", f"shards/run/{name}/.vmpilot-cov", recursive=True)
    done = vmpilot(app, "combine", "s3://shards/run/", "s3://none/x", env=s3)
    assert (figures(done), counted(app)) == expected, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("WARNING"))
    assert line.startswith("WARNING: s3://none/x cannot be read as coverage data and does not count: ")


@pytest.fixture
def environments(app: Project) -> Project:
    """Give a project in which two environments have run a test each, told apart by COVERAGE_FILE in one folder."""
    app.write(".coveragerc", "[run]\nsource = app\nomit = app/more.py\n")
    for name in ("one", "two"):
        session(app, f"tests/test_{name}.py", env={"COVERAGE_FILE": f"cov/.coverage.{name}"})
    return app


def test_a_folder_of_environments_is_read_whole(environments: Project) -> None:
    """``combine FOLDER`` unites all runs that COVERAGE_FILE told apart, and a file that coverage.py has put there."""
    shutil.copytree(environments.path / "cov", environments.path / "copy")
    environments.run("coverage", "combine", "--data-file=copy/.coverage", "copy")
    ran = lines_in(environments.path / "copy" / ".coverage")
    vmpilot(environments, "combine", "cov")
    assert lines_in(environments.path / ".coverage") == ran == {"__init__.py": ran["__init__.py"], "code.py": BOTH}
    own = ["-m", "coverage", "run", "--data-file=cov/.coverage.py313", "-m", "app.code", "2"]
    environments.run("python", *own)
    vmpilot(environments, "combine", "cov")
    assert lines_in(environments.path / ".coverage")["code.py"] == numbered(APP, "start", "one", "two", "three", "main")


def test_a_run_with_its_own_data_file_stays_alone(environments: Project) -> None:
    """What one environment runs again replaces its own data and no other's, and its report is about itself."""
    session(environments, "tests/e2e/test_three.py", env={"COVERAGE_FILE": "cov/.coverage.two"})
    two = numbered(APP, "start", "three")
    assert lines_in(environments.path / "cov" / ".coverage.two")["code.py"] == two
    assert lines_in(environments.path / "cov" / ".coverage.tests.two")["code.py"] == two
    vmpilot(environments, "combine", env={"COVERAGE_FILE": "cov/.coverage.one"})
    assert lines_in(environments.path / "cov" / ".coverage.one")["code.py"] == numbered(APP, "start", "one")
    vmpilot(environments, "combine", "cov")
    assert lines_in(environments.path / ".coverage")["code.py"] == numbered(APP, "start", "one", "three")
    vmpilot(environments, "erase", env={"COVERAGE_FILE": "cov/.coverage.one"})
    assert not [path.name for path in (environments.path / "cov").iterdir()]
