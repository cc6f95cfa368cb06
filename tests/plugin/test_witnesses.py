"""``--cov-context=test``: each test is told apart in servers that it drives, with every kind of client."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from server_hook.store import records, segment
from tests.conftest import Project, free_port, lines_in, needs_proc, numbered, wait_for

SERVER = """
    import asyncio, os, urllib.request

    ICON = b'<link rel="icon" href="data:,">'  # or a browser asks for one, perhaps while it ends

    def of(path):
        return f"by_{path}"  # path

    def by_urllib():
        return 1  # urllib
    def by_requests():
        return 2  # requests
    def by_httpx():
        return 3  # httpx
    def by_aiohttp():
        return 4  # aiohttp
    def by_curl():
        return 5  # curl
    def by_wget():
        return 6  # wget
    def by_node():
        return 7  # node
    def by_child():
        return 8  # child
    def by_fixture():
        return 9  # fixture
    def by_script():
        return 10  # script
    def by_stranger():
        return 11  # stranger
    def by_chromium():
        return 12  # chromium
    def by_front():
        return urllib.request.urlopen(os.environ["BACK"] + "/back").status  # front
    def by_back():
        return 14  # back

    async def application(scope, receive, send):
        path = scope["path"].strip("/")  # all
        await asyncio.sleep(0.05)  # all
        text = globals()[of(path)]() if path else 0  # all
        await send({"type": "http.response.start", "status": 200, "headers": []})  # all
        await send({"type": "http.response.body", "body": ICON + b"%d" % text})  # all

    def wsgi(environ, start_response):
        start_response("200 OK", [])  # wsgi
        return [ICON + b"%d" % globals()[of(environ["PATH_INFO"].strip("/"))]()]  # wsgi
"""
TESTS = """
    import asyncio, os, subprocess, sys, threading, time, urllib.request
    import pytest

    def get(url):
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()

    @pytest.fixture(scope="session")
    def urls(pipeline_server):
        server = pipeline_server(os.environ["COMMAND"])
        return [os.environ["URL"], server.url]

    @pytest.fixture
    def get_in_fixture(urls):
        for url in urls:
            get(f"{url}/fixture")

    def test_urllib(urls):
        for url in urls:
            get(f"{url}/urllib")

    def test_requests(urls):
        requests = pytest.importorskip("requests")
        for url in urls:
            requests.get(f"{url}/requests", timeout=60)

    def test_httpx(urls):
        httpx = pytest.importorskip("httpx")
        for url in urls:
            httpx.get(f"{url}/httpx", timeout=60)

    def test_aiohttp(urls):
        aiohttp = pytest.importorskip("aiohttp")

        async def ask():
            async with aiohttp.ClientSession() as client:
                for answer in await asyncio.gather(*(client.get(f"{url}/aiohttp") for url in urls * 3)):
                    await answer.read()

        asyncio.run(ask())

    @pytest.mark.parametrize("tool", ["curl", "wget"])
    def test_tool(urls, tool):
        for url in urls:
            subprocess.check_output([tool, f"{url}/{tool}"], cwd=os.environ["SCRATCH"])

    def test_chromium(urls, tmp_path):
        for url in urls:
            options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
            subprocess.check_output(["chromium", *options, "--dump-dom", f"{url}/chromium"], timeout=60)

    def test_node(urls):
        for url in urls:
            subprocess.check_output(["node", "-e", f"fetch('{url}/node').then(answer => answer.text())"])

    def test_child(urls):
        for url in urls:
            code = f"import urllib.request; urllib.request.urlopen('{url}/child', timeout=60).read()"
            subprocess.check_output([sys.executable, "-c", code])

    def test_fixture(get_in_fixture):
        pass
"""
NEEDS_CURL = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
COMMAND = "python -m uvicorn app.server:application --lifespan off --log-level warning --port"
ASKED = {
    "test_urllib|run": "urllib",
    "test_requests|run": "requests",
    "test_httpx|run": "httpx",
    "test_aiohttp|run": "aiohttp",
    "test_tool[curl]|run": "curl",
    "test_tool[wget]|run": "wget",
    "test_chromium|run": "chromium",
    "test_node|run": "node",
    "test_child|run": "child",
    "test_fixture|setup": "fixture",
}
"""The phases of tests that ask a server, and what for."""
NEEDED: dict[str, Callable[[], bool]] = {
    **{module: lambda module=module: find_spec(module) is not None for module in ("requests", "httpx", "aiohttp")},
    **{tool: lambda tool=tool: shutil.which(tool) is not None for tool in ("curl", "wget", "node", "chromium")},
}
"""What may not be installed."""


@pytest.fixture
def driven(project: Project) -> Project:
    """Give a project whose tests drive two servers: one that runs before them, and one that they start."""
    project.package("app", "[vmpilot_cov]\ne2e_scripts = scripts/*.sh\n", server=SERVER)
    project.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    project.write("tests/test_all.py", TESTS)
    return project


def run(project: Project, *options: str, **environment: str) -> str:
    """Run the tests while a server runs that was there before; return what they printed."""
    server = project.serve(*COMMAND.split(), "PORT", env={"VMPILOT_COV": str(project.path), **environment})
    missing = [f"not {name}" for name, is_here in NEEDED.items() if not is_here()]
    scratch = project.path / "scratch"
    scratch.mkdir()
    done = project.pytest(
        *("--vmpilot-cov", "--cov-context=test", "-k", " and ".join(missing), *options),
        env={"URL": server.url, "COMMAND": f"{COMMAND} {{port}}", "SCRATCH": str(scratch), **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told_apart(data_folder: Path) -> list[dict[str, list[int]]]:
    """Read which lines of ``server.py`` each process of the pipeline ran for which test, the oldest process first."""
    processes = sorted(records.recorded(data_folder), key=lambda each: each[1].started)
    return [named_in(folder) for folder, record in processes if record.origin == "pipeline"]


def named_in(folder: Path) -> dict[str, list[int]]:
    """Read which lines of ``server.py`` one process ran for which test."""
    bits: dict[str, int] = {}
    for _, parts in segment.read_folder(folder):
        assert not isinstance(parts, segment.TornError)
        for part in parts:
            for source, measured in part.files.items():
                if Path(source.path).name == "server.py" and part.label.context:
                    test = part.label.context.removeprefix("tests/test_all.py::")
                    bits[test] = bits.get(test, 0) | segment.to_lines(measured)
    return {test: segment.line_numbers(lines) for test, lines in bits.items()}


def expected() -> dict[str, list[int]]:
    """Return what each test's requests run, of clients that are installed."""
    here = {test: mark for test, mark in ASKED.items() if NEEDED.get(mark, lambda: True)()}
    return {test: numbered(SERVER, "all", "path", mark) for test, mark in here.items()}


@needs_proc
@pytest.mark.parametrize("switch", ["on", "off"])
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_every_client_is_told_apart(driven: Project, workers: tuple[str, ...], switch: str) -> None:
    """Each test is named for exactly the lines that its requests ran, in each server, by header and by process."""
    driven.write(".coveragerc", f"[run]\nsource = app\n[vmpilot_cov]\ntag_requests = {switch}\n")
    printed = run(driven, *workers)
    before, *started = told_apart(driven.path)
    assert before == expected()
    asked_for: dict[str, list[int]] = {}
    for tests in started:  # one, or one for each worker
        # the fixture asks whether the server is up, in the set-up of its first test
        assert all(lines == numbered(SERVER, "all") for test, lines in tests.items() if test not in ASKED)
        asked_for.update({test: lines for test, lines in tests.items() if test in ASKED})
    assert asked_for == expected()
    (line,) = [line for line in printed.splitlines() if line.startswith("Tests told apart")]
    assert line == f"Tests told apart in {1 + len(started)} of {1 + len(started)} servers"


@needs_proc
@NEEDS_CURL
def test_a_script_is_told_apart(driven: Project) -> None:
    """What the commands of a shell script ask for is the script's."""
    driven.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ne2e_scripts = scripts/*.sh\n")
    driven.write("scripts/ask.sh", 'for i in 1 2; do curl -s "$URL/script" > /dev/null || exit 1; done\n')
    run(driven, "scripts/ask.sh")
    assert told_apart(driven.path) == [{"scripts/ask.sh::ask.sh|run": numbered(SERVER, "all", "path", "script")}]


@NEEDS_CURL
def test_a_stranger_is_nobody_while_a_test_runs(driven: Project) -> None:
    """A request that somebody else sends on this machine is nobody's, although exactly one test runs."""
    driven.write(
        "tests/test_all.py",
        """
        import os, time, urllib.request

        def test_waits():
            urllib.request.urlopen(os.environ["URL"] + "/urllib", timeout=60).close()
            open("waits", "w").close()
            until = time.monotonic() + 60
            while not os.path.exists("asked"):
                assert time.monotonic() < until
                time.sleep(0.01)
        """,
    )
    with ThreadPoolExecutor() as others:
        done = others.submit(run, driven)
        wait_for((driven.path / "waits").exists)
        subprocess.check_output(["curl", "-s", f"{driven.started[0].url}/stranger"])
        (driven.path / "asked").touch()
        printed = done.result()
    assert "Tests told apart in 1 of 1 server; 1 request was nobody's\n" in printed
    status = driven.run("vmpilot-cov", "status").stdout
    assert f"pid {driven.started[0].pid}: requests of tests: 1; nobody's: 1\n" in status
    assert told_apart(driven.path) == [{"test_waits|run": numbered(SERVER, "all", "path", "urllib")}]


def test_a_server_that_asks_another(driven: Project) -> None:
    """A test is told apart in the servers that its server asks on its behalf."""
    back = driven.serve(*COMMAND.split(), "PORT", env={"VMPILOT_COV": str(driven.path)})
    driven.write(
        "tests/test_all.py",
        """
        import os, urllib.request

        def test_hop():
            urllib.request.urlopen(os.environ["URL"] + "/front", timeout=60).close()
        """,
    )
    run(driven, BACK=back.url)
    assert told_apart(driven.path) == [
        {"test_hop|run": numbered(SERVER, "all", "path", "back")},
        {"test_hop|run": numbered(SERVER, "all", "path", "front")},
    ]


@needs_proc
@NEEDS_CURL
def test_a_server_at_a_unix_socket(driven: Project, tmp_path: Path) -> None:
    """A client that connects to a Unix socket is found by its process."""
    path = tmp_path / "s"  # short: the kernel allows about 100 letters
    words = ("python", "-m", "gunicorn", "app.server:wsgi", "--bind", f"unix:{path}")
    driven.serve(*words, env={"VMPILOT_COV": str(driven.path)}, wait=False)
    driven.write(
        "tests/test_all.py",
        """
        import os, subprocess

        def test_curl():
            subprocess.check_call(["curl", "-s", "--unix-socket", os.environ["SOCKET"], "http://localhost/curl"])
        """,
    )
    wait_for(path.exists)
    run(driven, SOCKET=str(path))
    found = [tests for tests in told_apart(driven.path) if tests]
    assert found == [{"test_curl|run": numbered(SERVER, "wsgi", "path", "curl")}]


@needs_proc
@NEEDS_CURL
def test_a_child_that_serves_many_tests(driven: Project) -> None:
    """A server that a test's set-up starts as an ordinary child works for whoever asks it, not for the set-up."""
    driven.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 600\n")  # one segment, at its end
    driven.write(
        "tests/test_all.py",
        """
        import http.client, os, subprocess, sys, time, urllib.request
        import pytest

        def get(url):
            with urllib.request.urlopen(url, timeout=60) as answer:
                answer.read()

        @pytest.fixture
        def url():
            port = os.environ["PORT"]
            with subprocess.Popen([sys.executable, *os.environ["COMMAND"].split()[1:-1], port]) as server:
                until = time.monotonic() + 60
                while True:
                    try:
                        get(f"http://127.0.0.1:{port}/")
                        break
                    except OSError:
                        assert time.monotonic() < until
                yield f"http://127.0.0.1:{port}"
                server.terminate()

        def test_one(url):
            get(f"{url}/urllib")

        def test_two(url):
            subprocess.check_output(["curl", "-s", f"{url}/curl"])
        """,
    )
    run(driven, PORT=str(free_port()))
    found: dict[str, set[int]] = {}
    for folder, record in records.recorded(driven.path):
        for test, lines in named_in(folder).items() if record.origin != "pipeline" else ():
            found.setdefault(test, set()).update(lines)
    for test, mark in (("test_one", "urllib"), ("test_two", "curl")):
        assert found.pop(f"{test}|run") == set(numbered(SERVER, "all", "path", mark))
        assert found.pop(f"{test}|setup", set()) <= set(numbered(SERVER, "all"))  # the question whether it is up
    assert not found


def test_the_data_file_names_tests_for_lines_of_servers(driven: Project) -> None:
    """In ``.coverage`` the context of a test has the lines that its requests ran, under pytest-cov's name."""
    run(driven, "-k", "urllib")
    lines = lines_in(driven.path / ".coverage", "tests/test_all.py::test_urllib|run")
    assert lines == {"server.py": numbered(SERVER, "all", "path", "urllib")}
