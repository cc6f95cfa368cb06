from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser
from tests.conftest import PATIENCE_S, Project, Server, free_port, needs_proc, numbered, wait_for
from tests.e2e.conftest import UVICORN, WEB

METHODS = ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"]


@dataclass
class Live:
    """A running ``vmpilot-cov live``."""

    process: subprocess.Popen[str]
    url: str
    project: Project

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.split(":")[2].split("/")[0])

    @property
    def token(self) -> str:
        """What stands in its address."""
        return self.url.rstrip("/").rpartition("/")[2]

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        """Send one request, its path as it is; return the status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request(method, path, headers={"Host": f"127.0.0.1:{self.port}", **headers})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body


@contextmanager
def served(project: Project) -> Iterator[Live]:
    """Serve the page of a project."""
    command = [sys.executable, "-m", "pytest_vmpilot_cov", "live"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        url = re.fullmatch(r"The page is at (http://127\.0\.0\.1:\d+/[\w-]{20,}/)\n", line)
        assert url, line + process.stdout.read()
        yield Live(process, url[1], project)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def web(project: Project) -> Server:
    """Give a recorded server that writes what it reaches only when it is asked."""
    project.write(".coveragerc", "[run]\nsource = app\n\n[vmpilot_cov]\ninterval_s = 600\n")
    project.write("app/__init__.py", "")
    project.write("app/web.py", WEB)
    return project.serve(*UVICORN, env={"VMPILOT_COV": "."})


@pytest.fixture
def live(project: Project, web: Server) -> Iterator[Live]:  # noqa: ARG001 - it runs
    """Give a page that is served while a server runs."""
    with served(project) as page:
        yield page


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Give a page that is served while nothing runs, to all tests that are refused."""
    project = Project(tmp_path_factory.mktemp("idle").resolve())
    project.package("app", web="x = 1\n")
    with served(project) as page:
        yield page


def segments(project: Project) -> set[str]:
    """List the segments that processes have written."""
    return {str(path) for path in (project.path / ".vmpilot-cov").glob("*/*.seg")}


def test_lines_turn_while_somebody_looks(live: Live, web: Server, browser: Browser, pictures: Path) -> None:
    """A request that the server answers turns its lines within the page that is open, and raises the figures."""
    (line,) = numbered(WEB, "two")
    browser.open(f"{live.url}#file=app%2Fweb.py")
    browser.wait(f"document.querySelector('#L{line}.miss')")
    browser.wait("document.querySelector('#live').innerText === '● live'")
    browser.look(1280, 480)
    before = browser.text("#about")
    browser.picture(pictures / "live-before.png")
    web.get("/two")
    browser.wait(f"document.querySelector('#L{line}.hit')")
    browser.picture(pictures / "live-after.png")
    assert browser.text("#about") != before
    (untouched,) = numbered(WEB, "one")
    assert browser.run(f"document.querySelector('#L{untouched}').classList.contains('miss')")
    assert "delivered when asked" in browser.run("document.querySelector('#rest').textContent")


def test_only_what_has_changed_is_sent(live: Live, web: Server) -> None:
    """A page that shows a version is sent the changed rows and the changed parts of files, and no source again."""
    index = read_script(live.ask(f"/{live.token}/data/index.js")[1])
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE_S)
    connection.request("GET", f"/{live.token}/events?{index['version']}")
    answer = connection.getresponse()
    web.get("/two")
    event = read_event(answer)
    assert [number for number, _ in event["rows"]] == [1]
    assert [(number, sorted(body)) for number, body in event["files"]] == [(1, ["lines", "processes"])]
    assert event["version"] == index["version"] + 1
    connection.close()


def read_script(octets: bytes) -> dict[str, int]:
    """Read the value of a script of the data."""
    value: dict[str, int] = json.loads(octets.decode("ascii").partition(", ")[2].rstrip(")\n"))
    return value


def read_event(answer: http.client.HTTPResponse) -> dict[str, Any]:
    """Read the next message of a stream of events."""
    while not (line := answer.readline()).startswith(b"data: "):
        assert line, "the stream has ended"
    event: dict[str, Any] = json.loads(line[6:])
    return event


@needs_proc
def test_nobody_is_asked_while_nobody_looks(live: Live, web: Server) -> None:
    """Without a browser the server is not asked; and when a browser has gone, it is not asked any more."""
    had = segments(live.project)
    web.get("/two")
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE_S)
    assert segments(live.project) == had
    connection.request("GET", f"/{live.token}/events?0")
    answer = connection.getresponse()
    wait_for(lambda: segments(live.project) != had)
    assert answer.readline()
    connection.close()
    answer.close()
    wait_for(lambda: threads_of(live.process.pid) <= 1)
    had = segments(live.project)
    web.get("/one")
    assert segments(live.project) == had


def threads_of(pid: int) -> int:
    """Count the threads of a process: each browser that looks has one."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_who_lacks_the_token_is_refused(idle: Live) -> None:
    """A request without the token, with another one, or with a part of it gets nothing."""
    paths = ["/", "/index.html", "/data/index.js", f"/{idle.token[:-1]}/", f"/{idle.token}x/", "//", "/events", ""]
    assert {idle.ask(path)[0] for path in paths} == {403}
    assert idle.ask(f"/{idle.token}/")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "", "[::1]:80"])
def test_another_host_is_refused(idle: Live, host: str) -> None:
    """A request that bears another name gets nothing: a site may let its name lead here."""
    assert idle.ask(f"/{idle.token}/", Host=host)[0] == 403
    assert idle.ask(f"/{idle.token}/", Host=f"localhost:{idle.port}")[0] == 200


def test_nothing_but_get_is_answered(idle: Live) -> None:
    """Whatever is no GET is refused, with and without the token."""
    assert {idle.ask(path, method)[0] for method in METHODS for path in ("/", f"/{idle.token}/")} == {405}


def test_no_file_but_its_own_is_served(idle: Live) -> None:
    """No path leads to the disk: neither upwards, nor to what lies in the project."""
    names = ["../.coveragerc", "..%2f.coveragerc", "/etc/passwd", "app/web.py", "data/../page.js", "data/99.js"]
    names += ["data/-1.js", "data/1.js%0A", "page.py", ".coveragerc", "data/", "data/index.js/", "%00"]
    assert {idle.ask(f"/{idle.token}/{name}")[0] for name in names} == {404}
    served = {name: idle.ask(f"/{idle.token}/{name}")[0] for name in ("page.css", "page.js", "data/0.js", "index.html")}
    assert set(served.values()) == {200}


def test_ctrl_c_ends_it_and_leaves_the_servers(live: Live, web: Server) -> None:
    """Ctrl-C ends it at once with 0, also while a browser looks; the servers go on, and lose nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=PATIENCE_S)
    connection.request("GET", f"/{live.token}/events?0")
    connection.getresponse()
    live.process.send_signal(signal.SIGINT)
    output, _ = live.process.communicate(timeout=PATIENCE_S)
    assert (live.process.returncode, "Traceback" in output) == (0, False)
    connection.close()
    assert web.get("/two") == "two!"
    web.stop()
    report = live.project.run("vmpilot-cov", "report", "--cov-report=term-missing")
    (missed,) = numbered(WEB, "one")
    assert re.search(rf"app/web.py +8 +1 .*% +{missed}\n", report.stdout)


def test_a_port_that_is_taken_is_an_error(project: Project) -> None:
    """A port where somebody listens, or that is none, is named in one line with the cure."""
    project.package("app")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        for port in (taken.getsockname()[1], 70000):
            done = project.run("vmpilot-cov", "live", "--port", str(port))
            assert (done.returncode, "(live-port)" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
