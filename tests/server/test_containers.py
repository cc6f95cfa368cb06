"""Containers and users: servers in another namespace or of another user, and records that tell stories."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server_hook.store import records
from server_hook.store.records import Record
from tests.conftest import Project, Server, lines_in, numbered, wait_for
from tests.server.processes import SERVE, folders, lines_of, only_folder, record_in, serve, write_app
from tests.server.programs import STANDARD

CONTAINER = ("unshare", "-pf", "--kill-child", "--mount-proc")
NOBODY = 65534
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
START, ALWAYS, DRIVEN, LAST = (set(numbered(STANDARD, mark)) for mark in ("start", "always", "driven", "last"))
ELSEWHERE = "runs on another host or in another pid namespace and cannot be asked"


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a server of one process."""
    write_app(project)
    return project


@pytest.fixture
def contained(app: Project) -> Server:
    """Give a server in a pid namespace of its own, as in a container, that has answered one page."""
    if app.run(*CONTAINER, "true").returncode:
        pytest.skip("this user may not make a pid namespace")
    server = serve(app, command=(*CONTAINER, sys.executable, *SERVE[1:]))
    server.get("/driven")
    folder = only_folder(app.path)
    wait_for(lambda: lines_of(folder) >= START | DRIVEN, server.log.read_text)
    return server


def pipeline_lines(app: Project) -> set[int]:
    """Read what the last verdict counted of the server."""
    return set(lines_in(app.path / ".coverage", "pipeline")["main.py"])


def remote_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a report says of the process that cannot be asked; fail where the command did."""
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if ELSEWHERE in line)
    return line


def files_below(folder: Path) -> set[Path]:
    """List the files below a folder."""
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_contained_server_counts_and_is_said_not_to_be_asked(app: Project, contained: Server) -> None:
    """What a server in a container has written counts; its line says that it cannot be asked, and how old that is."""
    record = record_in(only_folder(app.path))
    assert (record.pid, contained.pid == record.pid) == (1, False)
    line = remote_line(app.run("vmpilot-cov", "combine"))
    assert line.startswith(f"Pipeline: pid 1 on {socket.gethostname()} {ELSEWHERE}; last segment ")
    assert line.endswith(" s ago")
    assert pipeline_lines(app) >= START | DRIVEN
    status = app.run("vmpilot-cov", "status").stdout
    assert " recording " in status
    assert "pid 1: it runs on another host" in status


def test_nothing_of_a_contained_server_is_removed(app: Project, contained: Server) -> None:
    """While its heart beats, neither ``erase`` nor a new session removes what a contained server has written."""
    folder = only_folder(app.path)
    before = files_below(folder)
    app.write("tests/test_one.py", "def test_one():\n    assert True\n")
    done = app.run("vmpilot-cov", "erase")
    assert "process 1 (" in done.stdout
    assert done.stdout.rstrip().endswith("(still-recording)")
    remote_line(app.pytest("-p", "vmpilot_cov", "--vmpilot-cov", env=ALONE))
    assert files_below(folder) >= before
    assert pipeline_lines(app) >= START | DRIVEN
    assert contained.get("/last")


def test_a_contained_server_is_named_as_not_reset(app: Project, contained: Server) -> None:
    """A reset names the server that it cannot reach, and takes nothing of it away."""
    done = app.run("vmpilot-cov", "dump", "--reset")
    assert (done.returncode, done.stdout) == (1, "")
    assert "process 1 (" in done.stderr
    assert f"could not be reset: it {ELSEWHERE}; what it reached before may count, too (not-reset)" in done.stderr
    contained.get("/last")
    wait_for(lambda: lines_of(only_folder(app.path)) >= LAST)
    remote_line(app.run("vmpilot-cov", "combine"))
    assert pipeline_lines(app) >= START | DRIVEN | LAST


def test_a_killed_contained_server_counts(app: Project, contained: Server) -> None:
    """After its heart has stopped, a contained server is killed, its data counts, and ``erase`` removes it."""
    contained.stop(signal.SIGKILL)
    remote_line(app.run("vmpilot-cov", "combine"))  # nobody can tell yet
    an_hour_ago = time.time() - 3600
    os.utime(only_folder(app.path) / records.RECORD, (an_hour_ago, an_hour_ago))
    done = app.run("vmpilot-cov", "combine")
    assert "Pipeline: 1 killed process (pid 1), last segment " in done.stdout
    assert pipeline_lines(app) >= START | DRIVEN
    app.run("vmpilot-cov", "erase")
    assert not (app.path / ".vmpilot-cov").exists()


RESTING = (
    """
    from server_hook.record import recorder  # start
    from server_hook.store import records  # start

    recorder.REST_FACTOR, records.SILENCE_S = 10**9, 0.3  # start
"""
    + STANDARD
)


def test_a_process_that_rests_goes_on_beating(app: Project) -> None:
    """A process whose last segment was so costly that it rests for long still says that it lives."""
    app.write("app/main.py", RESTING)
    serve(app)
    folder = only_folder(app.path)
    wait_for(lambda: bool(lines_of(folder)))
    for _ in range(3):
        beaten = records.sign_of_life(folder)
        wait_for(lambda beaten=beaten: records.sign_of_life(folder) > beaten)  # type: ignore[misc]


def another_host(record: Record) -> Record:
    """Say that the process runs on another host."""
    return record._replace(host="elsewhere")


def another_boot(record: Record) -> Record:
    """Say that the process ran before the machine was booted."""
    return record._replace(boot="00000000-0000-0000-0000-000000000000")


@pytest.mark.parametrize("forge", [another_host, another_boot])
def test_a_forged_record_is_judged_by_its_heart_alone(app: Project, forge: Callable[[Record], Record]) -> None:
    """A record of another host or boot has nobody asked or ended here; it is gone when its heart has stopped."""
    server = serve(app)
    folder = only_folder(app.path)
    wait_for(lambda: lines_of(folder) >= START)
    server.stop(signal.SIGKILL)
    forged = forge(record_in(folder)._replace(pid=os.getpid(), socket=f"{app.path}/bait"))
    with socket.socket(socket.AF_UNIX) as bait:
        os.symlink(app.path, link := f"/tmp/vc{os.getpid()}")
        try:
            bait.bind(f"{link}/bait")
        finally:
            os.unlink(link)
        bait.listen()
        bait.settimeout(0)
        (folder / records.RECORD).write_text(json.dumps(forged._asdict()))
        line = remote_line(app.run("vmpilot-cov", "combine"))
        assert line.startswith(f"Pipeline: pid {os.getpid()} on {forged.host} ")
        os.utime(folder / records.RECORD, (1e9, 1e9))
        assert "Pipeline: 1 killed process" in app.run("vmpilot-cov", "combine").stdout
        with pytest.raises(BlockingIOError):
            bait.accept()
    assert pipeline_lines(app) >= START


SERVE_AS = """
    import os, runpy, sys
    import coverage, encodings.idna, http.server, server_hook.record.lifecycle, server_hook.startup

    cov = coverage.Coverage(data_file=None)
    cov.start(), cov.stop()  # all is imported: another user may not read this Python's library
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    os.environ["VMPILOT_COV"] = "."
    server_hook.startup.start_from_environment()
    runpy.run_module("app.main", run_name="__main__")
"""
COMBINE_AS = """
    import contextlib, io, os
    from pytest_vmpilot_cov.cli.main import main

    with contextlib.redirect_stdout(io.StringIO()):
        main(["report"])  # another user may not read this Python's library
    os.setgroups([]), os.setgid(65533), os.setuid(65533)
    raise SystemExit(main(["combine"]))
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """Give a folder that every user may enter and write to."""
    with tempfile.TemporaryDirectory(prefix="vc", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def nobodys(app: Project, shared: Path) -> Iterator[Server]:
    """Give a server of another user, in a project that everybody may read, with a data folder of its own."""
    if os.getuid():
        pytest.skip("only root can start a server of another user")
    app.write("serve_as.py", SERVE_AS)
    app.write("combine_as.py", COMBINE_AS)
    data, place = shared / "data", Project(shared / "project")
    shutil.copytree(app.path, place.path)
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    env = {"VMPILOT_COV_DATA_DIR": str(data), "PYTHONDONTWRITEBYTECODE": "1"}
    server = place.serve("python", "serve_as.py", "PORT", env=env)
    wait_for(lambda: bool(folders(data)), server.log.read_text)
    yield server
    server.stop(signal.SIGKILL)


def test_a_server_of_another_user_delivers_to_root(nobodys: Server, shared: Path) -> None:
    """What a server of another user has reached counts; a dump by root does not keep it from publishing at its end."""
    app = Project(shared / "project")
    env = {"VMPILOT_COV_DATA_DIR": str(shared / "data")}
    assert record_in(only_folder(shared / "data")).uid == NOBODY
    nobodys.get("/driven")
    dumped = app.run("vmpilot-cov", "dump", env=env)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    done = app.run("vmpilot-cov", "combine", env=env)
    assert "Pipeline: 1 of 1 live process delivered" in done.stdout
    assert pipeline_lines(app) >= START | DRIVEN
    nobodys.get("/last")
    nobodys.stop()
    assert set(lines_in(shared / "data/.coverage.pipeline")["main.py"]) >= START | DRIVEN | LAST
    assert "vmpilot" not in nobodys.log.read_text()


def test_a_third_user_is_told_why_a_server_cannot_be_asked(nobodys: Server, shared: Path) -> None:
    """Who is not the server's user reads what it has written, and is told in one line why it cannot be asked."""
    app = Project(shared / "project")
    app.path.chmod(0o777)
    nobodys.get("/driven")
    wait_for(lambda: lines_of(only_folder(shared / "data")) >= DRIVEN)
    done = app.run("python", "combine_as.py", env={"VMPILOT_COV_DATA_DIR": str(shared / "data")})
    assert done.returncode == 0, done.stdout + done.stderr
    (warning,) = (line for line in done.stdout.splitlines() if line.startswith("WARNING") and "silent" in line)
    assert "did not deliver its data: its control channel failed (Permission denied); using what it wrote " in warning
    assert pipeline_lines(app) >= START | DRIVEN


TRAP = """
    import os, sys

    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    os.chdir(sys.argv[1])
    os.mkdir(".vmpilot-cov"), os.chmod(".vmpilot-cov", 0o777)
    for name in ("identity", "resets", ".gitignore", "lock", "publish-1.tmp"):
        os.symlink(f"{sys.argv[1]}/../{name}", f".vmpilot-cov/{name}")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_trap_in_a_shared_folder_is_named(app: Project, shared: Path) -> None:
    """What another user has put where all may write is not read, not followed and not written to, and each says so."""
    (shared / "identity").write_text("a secret")
    (shared / "resets").write_text("a configuration")
    (data := shared / "data").mkdir()
    data.chmod(0o1777)
    app.write("trap.py", TRAP)
    assert app.run("python", "trap.py", str(data)).returncode == 0
    env = {"VMPILOT_COV_DATA_DIR": str(data)}
    why = f"it belongs to user {NOBODY}, and everybody may write to its folder; delete it, or "
    ended = app.run("python", "-c", "import app.main", env={**env, "VMPILOT_COV": "."})
    assert f"{data}/.vmpilot-cov cannot be written ({why}" in ended.stderr
    for verb in (["dump", "--reset"], ["combine"], ["erase", str(data)]):
        done = app.run("vmpilot-cov", *verb, env=env)
        assert f"{data}/.vmpilot-cov" in done.stdout + done.stderr
        assert why in done.stdout + done.stderr
    assert sorted(path.name for path in shared.iterdir()) == ["data", "identity", "resets"]
    assert sorted(path.name for path in data.iterdir()) == [".vmpilot-cov"]
    assert (shared / "resets").read_text() == "a configuration"


ANOTHER_ROOT = """
    mkdir root && mount --rbind / root && mount --bind . root/mnt || exit
    PATH=$PATH:/usr/sbin:/sbin exec chroot root sh -c 'cd /mnt && exec "$0" "$@"' "$@"
"""


def test_a_server_in_another_root_is_asked_and_its_files_are_ours(app: Project) -> None:
    """A server that sees the project at another path, as in a container, delivers, and its files are mapped."""
    app.write("root.sh", ANOTHER_ROOT)
    if app.run("unshare", "-m", "sh", "-c", "mount --bind . .").returncode:
        pytest.skip("this user may not mount anything")
    serve(app, command=("unshare", "-m", "sh", "root.sh", sys.executable, *SERVE[1:])).get("/driven")
    said = app.run("vmpilot-cov", "combine").stdout
    assert "Pipeline: 1 of 1 live process delivered" in said
    assert " measured below /mnt to . (" in said
    assert pipeline_lines(app) >= START | DRIVEN


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], ids=oct)
def test_files_follow_the_umask(app: Project, umask: int) -> None:
    """Published files have the mode that coverage.py gives its own; segments and record have that of any file."""
    app.write("test_one.py", "from app import main\n\n\ndef test_one():\n    main.answer('/')\n")
    script = f"""
        umask {umask:o}
        python -m coverage run --data-file=own.data test_one.py || exit
        VMPILOT_COV=. python -c 'from app import main; main.answer("/driven")' || exit
        PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider -p vmpilot_cov --vmpilot-cov
        """
    app.write("run.sh", script)
    done = app.run("sh", "run.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    own = mode_of(app.path / "own.data")
    published = [app.path / name for name in (".coverage", ".coverage.tests", ".coverage.pipeline")]
    assert {mode_of(path) for path in published} == {own}
    written = [path for path in app.path.glob(".vmpilot-cov/*/*") if path.is_file()]
    assert {path.suffix for path in written} == {".json", ".seg"}
    assert {mode_of(path) for path in written} == {0o666 & ~umask}


def mode_of(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)
