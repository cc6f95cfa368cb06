"""``--cov-context=test``: each test is told apart in servers that it drives, with every kind of client."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from server_hook.store import records, segment
from tests.conftest import Project, numbered

SERVER = """
    import asyncio

    def of(path):
        return f"by_{path}"  # all

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

    async def application(scope, receive, send):
        path = scope["path"].strip("/")  # all
        await asyncio.sleep(0.05)  # all
        text = globals()[of(path)]() if path else 0  # all
        await send({"type": "http.response.start", "status": 200, "headers": []})  # all
        await send({"type": "http.response.body", "body": b"%d" % text})  # all
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
COMMAND = "python -m uvicorn app.server:application --lifespan off --log-level warning --port"
ASKED = {
    "test_urllib|run": "urllib",
    "test_requests|run": "requests",
    "test_httpx|run": "httpx",
    "test_aiohttp|run": "aiohttp",
    "test_tool[curl]|run": "curl",
    "test_tool[wget]|run": "wget",
    "test_node|run": "node",
    "test_child|run": "child",
    "test_fixture|setup": "fixture",
}
"""The phases of tests that ask a server, and what for."""
NEEDED: dict[str, Callable[[], bool]] = {
    **{module: lambda module=module: find_spec(module) is not None for module in ("requests", "httpx", "aiohttp")},
    **{tool: lambda tool=tool: shutil.which(tool) is not None for tool in ("curl", "wget", "node")},
}
"""What may not be installed."""


@pytest.fixture
def driven(project: Project) -> Project:
    """Give a project whose tests drive two servers: one that runs before them, and one that they start."""
    project.package("app", "[vmpilot_cov]\ne2e_scripts = scripts/*.sh\n", server=SERVER)
    project.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    project.write("tests/test_all.py", TESTS)
    return project


def run(project: Project, *options: str) -> str:
    """Run the tests; return what they printed."""
    server = project.serve(*COMMAND.split(), "PORT", env={"VMPILOT_COV": str(project.path)})
    missing = [f"not {name}" for name, is_here in NEEDED.items() if not is_here()]
    scratch = project.path / "scratch"
    scratch.mkdir()
    done = project.pytest(
        *("--vmpilot-cov", "--cov-context=test", "-k", " and ".join(missing), *options),
        env={"URL": server.url, "COMMAND": f"{COMMAND} {{port}}", "SCRATCH": str(scratch)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told_apart(data_folder: Path) -> list[dict[str, list[int]]]:
    """Read which lines of ``server.py`` each process of the pipeline ran for which test, from the segments."""
    processes = []
    for folder, record in records.recorded(data_folder):
        bits: dict[str, int] = {}
        for _, parts in segment.read_folder(folder) if record.origin == "pipeline" else ():
            assert not isinstance(parts, segment.TornError)
            for part in parts:
                for source, measured in part.files.items():
                    if Path(source.path).name == "server.py" and part.label.context:
                        test = part.label.context.removeprefix("tests/test_all.py::")
                        bits[test] = bits.get(test, 0) | segment.to_lines(measured)
        if record.origin == "pipeline":
            processes.append({test: segment.line_numbers(lines) for test, lines in bits.items()})
    return processes


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_every_client_is_told_apart(driven: Project, workers: tuple[str, ...]) -> None:
    """Each test is named for exactly the lines that its requests ran, in both servers, by header or by process."""
    run(driven, *workers)
    here = {test: mark for test, mark in ASKED.items() if NEEDED.get(mark, lambda: True)()}
    expected = {test: numbered(SERVER, "all", mark) for test, mark in here.items()}
    assert told_apart(driven.path) == [expected, expected]
