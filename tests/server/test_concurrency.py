"""Many at once: servers, sessions and commands that share a data folder take nothing from each other."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.conftest import PATIENCE_S, Project, Server, lines_in, numbered, wait_for
from tests.server.processes import folders, serve, write_app

SERVERS = 20
COMBINES = 3
"""How many commands run at the same time."""
ROUNDS = 2

MAIN = """
    import sys  # start
    from http.server import BaseHTTPRequestHandler, HTTPServer  # start


{pages}
    class Page(BaseHTTPRequestHandler):  # start
        def do_GET(self):  # start
            body = str(globals().get(self.path[1:], str)()).encode()  # asked
            self.send_response(200)  # asked
            self.send_header("Content-Length", str(len(body)))  # asked
            self.end_headers()  # asked
            self.wfile.write(body)  # asked


    if __name__ == "__main__":  # start
        HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()  # start
"""
PAGES = "".join(f"    def page_{n}():  # start\n        return {n}  # page_{n}\n\n\n" for n in range(1, SERVERS + 1))
SOURCE = MAIN.format(pages=PAGES.rstrip("\n") + "\n\n")
ALL = numbered(SOURCE, "start", "asked", *(f"page_{n}" for n in range(1, SERVERS + 1)))

TEST = """
    import pathlib, time, urllib.request
    from app import work

    def test_{name}():
        assert work.{name}() == "{name}"
        page = urllib.request.urlopen("{url}/{page}", timeout=60).read()
        assert page == b"{number}"
        pathlib.Path(r"{meeting}", "{name}").touch()
        until = time.monotonic() + 60
        while len(list(pathlib.Path(r"{meeting}").iterdir())) < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
"""
WORK = """
    def one():  # start
        return "one"  # one


    def two():  # start
        return "two"  # two
"""
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SESSION = ("-p", "vmpilot_cov", "--vmpilot-cov")


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project whose servers have twenty pages."""
    write_app(project, SOURCE)
    project.write("app/work.py", WORK)
    return project


def serve_many(app: Project, number: int) -> list[Server]:
    """Start servers all at once, and wait until each answers and is recorded."""
    command = ("python", "-m", "app.main", "PORT")
    servers = [app.serve(*command, env={"VMPILOT_COV": "."}, wait=False) for _ in range(number)]
    for server in servers:
        wait_for(lambda server=server: _answers(server), server.log.read_text)  # type: ignore[misc]
    wait_for(lambda: len(folders(app.path)) == number)
    return servers


def _answers(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return bool(server.get() or True)
    except OSError:
        return False


def total_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the total that a command printed; fail where it failed or complained."""
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "WARNING" not in done.stdout, done.stdout
    (total,) = [line for line in done.stdout.splitlines() if line.startswith("TOTAL")]
    return total


def test_twenty_servers_in_one_folder(app: Project) -> None:
    """All of twenty servers deliver, while they live and when they end at the same time, and no line is lost."""
    servers = serve_many(app, SERVERS)
    for number, server in enumerate(servers, 1):
        assert server.get(f"/page_{number}") == str(number)
    done = app.run("vmpilot-cov", "combine")
    assert f"Pipeline: {SERVERS} of {SERVERS} live processes delivered" in done.stdout
    for name in (".coverage", ".coverage.pipeline"):
        assert lines_in(app.path / name, "pipeline")["main.py"] == ALL
    (app.path / ".coverage.pipeline").unlink()
    for server in servers:
        server.process.send_signal(signal.SIGTERM)
    for server in servers:
        server.process.wait(PATIENCE_S)
    assert lines_in(app.path / ".coverage.pipeline", "pipeline")["main.py"] == ALL
    assert f"Pipeline: {SERVERS} ended processes" in app.run("vmpilot-cov", "report").stdout


def two_sessions(one: Path, two: Path, server: Server, meeting: Path, env: dict[str, str]) -> None:
    """Run two sessions at the same time, whose tests wait for each other; both get all of the server."""
    meeting.mkdir()
    for number, (folder, name) in enumerate(((one, "one"), (two, "two")), 1):
        values = {"name": name, "url": server.url, "page": f"page_{number}", "number": number, "meeting": meeting}
        Project(folder).write(f"tests/test_{name}.py", TEST.format(**values))
    with ThreadPoolExecutor(2) as pool:
        running = [
            pool.submit(Project(folder).pytest, *SESSION, f"tests/test_{name}.py", env={**ALONE, **env})
            for folder, name in ((one, "one"), (two, "two"))
        ]
    for each in (each.result() for each in running):
        assert each.returncode == 0, each.stdout + each.stderr
        assert "Pipeline: 1 of 1 live process delivered" in each.stdout
        assert "WARNING" not in each.stdout


def test_two_sessions_in_one_folder(app: Project, tmp_path: Path) -> None:
    """Two sessions at the same time both get all of the server, and neither loses what its tests reached."""
    server = serve(app)
    two_sessions(app.path, app.path, server, tmp_path / "meeting", {})
    reached = set(numbered(SOURCE, "start", "asked", "page_1", "page_2"))
    assert set(lines_in(app.path / ".coverage", "pipeline")["main.py"]) == reached
    total_of(app.run("vmpilot-cov", "combine"))
    assert lines_in(app.path / ".coverage.tests", "unit")["work.py"] == numbered(WORK, "start", "one", "two")
    assert set(lines_in(app.path / ".coverage.pipeline")["main.py"]) == reached


def test_two_sessions_in_two_copies_of_a_project(app: Project, tmp_path: Path) -> None:
    """Two copies of a project that share a server's data folder both get all of it, and each keeps its own tests."""
    copy, shared = tmp_path / "copy", tmp_path / "shared"
    shutil.copytree(app.path, copy)
    shared.mkdir()
    env = {"VMPILOT_COV_DATA_DIR": str(shared)}
    server = serve(app, env=env)
    two_sessions(app.path, copy, server, tmp_path / "meeting", env)
    reached = set(numbered(SOURCE, "start", "asked", "page_1", "page_2"))
    for folder, name in ((app.path, "one"), (copy, "two")):
        assert set(lines_in(folder / ".coverage", "pipeline")["main.py"]) == reached
        assert lines_in(folder / ".coverage.tests")["work.py"] == numbered(WORK, "start", name)
    server.stop()
    assert set(lines_in(shared / ".coverage.pipeline")["main.py"]) == reached


@contextmanager
def repeating(app: Project, *commands: tuple[str, ...]) -> Iterator[list[subprocess.CompletedProcess[str]]]:
    """Run each command again and again, all at the same time, while a block runs; give what they said."""
    over = Event()
    done: list[subprocess.CompletedProcess[str]] = []

    def repeat(words: tuple[str, ...]) -> None:
        while not over.is_set():
            done.append(app.run(*words))

    with ThreadPoolExecutor(len(commands)) as pool:
        running = [pool.submit(repeat, words) for words in commands]
        try:
            yield done
        finally:
            over.set()
    for each in running:
        each.result()


def combine_at_once(app: Project) -> set[str]:
    """Combine in several processes at once, a few times; return the totals that they print."""
    with ThreadPoolExecutor(COMBINES) as pool:
        done = list(pool.map(lambda _: app.run("vmpilot-cov", "combine"), range(COMBINES * ROUNDS)))
    return {total_of(each) for each in done}


@pytest.fixture
def reached(app: Project) -> dict[str, dict[str, list[int]]]:
    """Reach lines by a session and by two servers; return what is in each data file then, by origin."""
    for number, server in enumerate(serve_many(app, 2), 1):
        server.get(f"/page_{number}")
    app.write("tests/test_work.py", "from app import work\n\n\ndef test_one():\n    work.one()\n")
    assert app.pytest(*SESSION, env=ALONE).returncode == 0
    return data_files(app)


def data_files(app: Project) -> dict[str, dict[str, list[int]]]:
    """Read all three data files, origin by origin."""
    wanted = {".coverage": ("unit", "pipeline"), ".coverage.tests": ("unit",), ".coverage.pipeline": ("pipeline",)}
    return {
        f"{name} {origin}": lines_in(app.path / name, origin) for name, origins in wanted.items() for origin in origins
    }


def leftovers(app: Project) -> list[str]:
    """List what nobody should leave in the project's folder or in the working folder."""
    names = [path.name for path in (*app.path.glob(".coverage*"), *app.path.glob(".vmpilot-cov/*"))]
    return [name for name in names if "kept" in name or "tmp" in name or name.count(".") > 2]


def test_combines_while_servers_are_dumped(app: Project, reached: dict[str, dict[str, list[int]]]) -> None:
    """Commands that combine at once while others dump all print one total, and leave three exact data files."""
    with repeating(app, ("vmpilot-cov", "dump")) as dumps:
        totals = combine_at_once(app)
    assert len(totals) == 1
    assert [each.stderr for each in dumps if each.returncode] == []
    assert (data_files(app), leftovers(app)) == (reached, [])
    for server in app.started:
        server.stop()
    assert (data_files(app), leftovers(app)) == (reached, [])


def test_coverage_py_swallows_what_was_published(app: Project, reached: dict[str, dict[str, list[int]]]) -> None:
    """coverage.py's own commands, which delete our publications at any moment, do no harm to ours."""
    coverage = (sys.executable, "-m", "coverage")
    with repeating(app, (*coverage, "combine"), (*coverage, "report")) as bare:
        totals = combine_at_once(app)
    assert len(totals) == 1
    assert len(bare) >= 2
    assert {total_of(app.run("vmpilot-cov", "combine"))} == totals
    assert (data_files(app), leftovers(app)) == (reached, [])


def test_a_session_starts_while_others_combine(app: Project, reached: dict[str, dict[str, list[int]]]) -> None:
    """A session that replaces the last one's data under the eyes of others fails nobody, and its own data is exact."""
    with repeating(app, ("vmpilot-cov", "combine"), ("vmpilot-cov", "report")) as others:
        wait_for(lambda: bool(others))
        done = app.pytest(*SESSION, env=ALONE)
    assert (done.returncode, "WARNING" in done.stdout) == (0, False), done.stdout
    assert [each.stderr for each in others if "Traceback" in each.stderr or each.returncode] == []
    total_of(app.run("vmpilot-cov", "combine"))
    assert (data_files(app), leftovers(app)) == (reached, [])
