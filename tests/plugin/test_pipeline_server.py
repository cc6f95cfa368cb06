"""Servers that the tests start themselves, with the fixtures ``pipeline_server`` and ``vmpilot_cov_env``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from server_hook.store import records as records_
from server_hook.store import working_folder
from tests.conftest import SHOWS_PROCESSES, Project, free_port, lines_in, numbered, wait_for

DOCS = Path(__file__).parents[2] / "docs" / "fixtures.md"
MAIN = """
    import http.server, os, sys  # start


    class Page(http.server.BaseHTTPRequestHandler):  # start
        def do_GET(self):  # start
            if self.path == "/driven":  # always
                self.answer(b"driven")  # driven
            elif self.path == "/env":  # always
                self.answer(repr(dict(os.environ)).encode())  # env
            elif self.path == "/crash":  # always
                os._exit(7)  # crash
            else:
                self.answer(os.getcwd().encode())  # always

        def answer(self, body):  # start
            self.send_response(200)  # always
            self.end_headers()  # always
            self.wfile.write(body)  # always


    if __name__ == "__main__":  # start
        place = "127.0.0.1", int(sys.argv[-1])  # main
        http.server.ThreadingHTTPServer(place, Page).serve_forever()  # main
"""
ASGI = """
    import os  # start


    async def app(scope, receive, send):  # start
        if scope["type"] == "lifespan":  # always
            while (await receive())["type"] != "lifespan.shutdown":  # always
                await send({"type": "lifespan.startup.complete"})  # always
            await send({"type": "lifespan.shutdown.complete"})  # always
            return  # always
        await send({"type": "http.response.start", "status": 404, "headers": []})  # always
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})  # always
"""
CONFTEST = """
    import os, pytest, urllib.request

    def ask(server, path="/"):
        with urllib.request.urlopen(server.url + path) as answer:
            return answer.read().decode()

    @pytest.fixture(scope="session")
    def start(pipeline_server, pytestconfig):
        def start(*arguments, **keywords):
            server = pipeline_server(*arguments, **keywords)
            with open(pytestconfig.rootpath / "pids", "a") as file:
                print(server.process.pid, file=file)
            return server
        return start

    @pytest.fixture(scope="session")
    def server(start):
        return start("python -m app.main {port}")
"""
DRIVEN = {"main.py": numbered(MAIN, "start", "main", "always", "driven")}


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project with a server, and a fixture that starts it and notes its pid."""
    project.package("app", "[vmpilot_cov]\ninterval_s = 0.2\n", main=MAIN, asgi=ASGI)
    project.write("conftest.py", CONFTEST)
    return project


def write_tests(app: Project, text: str) -> None:
    """Write the tests of the project."""
    app.write(
        "test_it.py",
        f"    import os, pytest, signal, sys\n    from pathlib import Path\n    from conftest import ask\n{text}",
    )


def pipeline_of(folder: Path) -> dict[str, list[int]]:
    """Read the lines of the pipeline; empty package files, whose one line differs between Pythons, are left out."""
    lines = lines_in(folder / ".coverage.pipeline", "pipeline")
    return {name: numbers for name, numbers in lines.items() if name != "__init__.py"}


def pids(app: Project) -> list[int]:
    """Read the pids of the servers that the tests have started."""
    return [int(line) for line in (app.path / "pids").read_text().splitlines()]


def survivors(app: Project) -> list[str]:
    """List the processes of the servers' sessions that still run."""
    sessions = ",".join(map(str, pids(app)))
    done = subprocess.run(["ps", "-o", "stat=,args=", "--sid", sessions], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if not line.startswith("Z")]


def test_every_line_of_ended_servers_counts(app: Project) -> None:
    """Before the verdict, also of ``-x``, servers have ended with their children: all of their lines count."""
    pytest.importorskip("uvicorn")
    write_tests(
        app,
        """
    def test_driven(server, start):
        start("python -m uvicorn app.asgi:app --reload --port {port}")
        assert ask(server, "/driven") == "other"

    def test_never():
        pass
""",
    )
    done = app.pytest("--vmpilot-cov", "-q", "-x")
    assert "1 failed in" in done.stdout, done.stdout + done.stderr
    assert pipeline_of(app.path) == {**DRIVEN, "asgi.py": numbered(ASGI, "start", "always")}
    assert "Pipeline: 2 ended processes, last segment" in done.stdout
    records = [records_.read_record(folder) for folder in working_folder.process_folders(app.path)]
    assert [record.session for record in records if record and record.origin == "pipeline"] == [""] * 2
    assert survivors(app) == []


def test_servers_are_started_as_asked(app: Project) -> None:
    """A command runs twice; folder, variables and port are the caller's, and what is measured is what was typed."""
    command = f"python -m app.main --port {free_port()}"
    app.write(".coveragerc", f"[run]\nsource = elsewhere\n[vmpilot_cov]\nserver_command = {command}\n")
    app.write("elsewhere/__init__.py", "")
    write_tests(
        app,
        """
    def test_two(server, start, request):
        words = [Path(sys.executable), "-m", "app.main", "{port}"]
        more = {**os.environ, "PYTHONPATH": "..", "WHERE": "at {port}"}
        other = start(words, cwd="elsewhere", env=more, path="driven")
        assert server.url != other.url == f"http://127.0.0.1:{other.port}"
        assert ask(server) == str(request.config.rootpath)
        assert ask(other) == str(request.config.rootpath / "elsewhere")
        assert f"'WHERE': 'at {other.port}'" in ask(other, "/env")
        assert '"GET /driven HTTP/1.1" 200' in other.output == other.log.read_text()

    def test_configured(start):
        first = start(path=None)
        assert ask(first) and first.stop() == first.stop() == -15
        assert ask(start(path=None, port=first.port))
        assert ask(start("python -m app.main {port}", env={"VMPILOT_COV": ""}), "/env")
""",
    )
    folders = {"VMPILOT_COV_DATA_DIR": "../data", "COVERAGE_FILE": str(app.path / "moved/.coverage")}
    done = app.pytest("--vmpilot-cov", "--cov=app", "..", env=folders, cwd=app.path / "elsewhere")
    assert "2 passed in" in done.stdout, done.stdout + done.stderr
    expected = {"main.py": numbered(MAIN, "start", "main", "always", "driven", "env")}
    assert expected == pipeline_of(app.path / "data") == pipeline_of(app.path / "moved")
    assert "Pipeline: 4 ended processes" in done.stdout
    assert survivors(app) == []


def test_each_worker_has_its_own_server(app: Project) -> None:
    """Spread over processes by pytest-xdist, each starts its own server, and the lines of both count."""
    pytest.importorskip("xdist")
    for name, path in (("a", "/driven"), ("b", "/env")):
        app.write(f"test_{name}.py", f"from conftest import ask\n\ndef test_it(server):\n    ask(server, {path!r})\n")
    done = app.pytest("--vmpilot-cov", "-q", "-n", "2")
    assert "2 passed in" in done.stdout, done.stdout + done.stderr
    assert pipeline_of(app.path) == {"main.py": numbered(MAIN, "start", "main", "always", "driven", "env")}
    assert "Pipeline: 2 ended processes" in done.stdout
    assert len(pids(app)) == 2
    assert survivors(app) == []


@pytest.mark.parametrize("options", [(), ("--vmpilot-cov", "--pdb")], ids=["off", "stood down"])
def test_without_measuring_the_server_is_the_same(app: Project, options: tuple[str, ...]) -> None:
    """With the flag off, or where the session stands down, the server runs with the same environment, unmeasured."""
    write_tests(
        app,
        """
    def test_env(server, vmpilot_cov_env):
        assert ask(server, "/driven") == "driven"
        assert "VMPILOT_COV" not in ask(server, "/env")
        assert vmpilot_cov_env == {}
""",
    )
    done = app.pytest(*options, "-q")
    assert "1 passed in" in done.stdout, done.stdout + done.stderr
    assert not (app.path / ".vmpilot-cov").exists()
    assert survivors(app) == []


@pytest.mark.parametrize(
    ("left_by", "said"), [("os.kill(os.getpid(), signal.SIGINT)", "1 of 1 live process delivered"), ("os._exit(3)", "")]
)
def test_no_server_is_left_when_the_session_is(app: Project, left_by: str, said: str) -> None:
    """At Ctrl-C the server is asked for its lines, and then ended; where pytest itself dies, it is ended as well."""
    write_tests(
        app,
        f"""
    def test_left(server, start):
        ask(server, "/driven")
        {left_by}
""",
    )
    done = app.pytest("--vmpilot-cov", "-q")
    assert said in done.stdout
    wait_for(lambda: survivors(app) == [])
    assert pipeline_of(app.path) == DRIVEN


def test_what_goes_wrong_is_said(app: Project) -> None:
    """A server that does not come up or ends by itself is named with its end and output; so is who has its port."""
    earlier = app.serve("python", "-m", "app.main", "PORT")
    port = earlier.url.rpartition(":")[2]
    app.write("silent.sh", "echo I am here; sleep 600")
    app.write("gone.py", "import sys\nprint('a trace of it')\nsys.exit(3)\n")
    write_tests(
        app,
        """
    def test_silent(start):
        start(["sh", "silent.sh"], port=1, path="health", timeout_s=2.5)

    def test_gone(start):
        start("python gone.py {port}")

    def test_missing(start):
        start("no-such-program", port=9)

    def test_folder(start):
        start("python gone.py {port}", cwd="nowhere")

    def test_quotes(start):
        start("python 'gone.py {port}")

    def test_portless(start):
        start("python gone.py")

    def test_nothing(start):
        start()

    def test_crash(server):
        with pytest.raises(OSError):
            ask(server, "/crash")
        server.process.wait()

    def test_taken(start):
        start("python -m uvicorn app.asgi:app --reload --port {}")

    def test_taken_before_it_ended(start):
        start("python -m app.main --port {}")
""".replace("{}", port),
    )
    done = app.pytest("--vmpilot-cov", "-q", "-rN")
    assert "9 failed, 1 passed, 1 warning in" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout
    said, python = re.sub(r"after \d+\.\d s", "after 1.2 s", done.stdout), sys.executable
    stranger = f"process {earlier.pid} ({python} -m app.main {port})" if SHOWS_PROCESSES else "another process"
    for text in (
        "the server sh silent.sh was still running after 1.2 s without an answer to GET http://127.0.0.1:1/health ",
        "/health (Connection refused; waited up to 2.5 s); the end of its output in ",
        "server-1.log:\nI am here\n (server-not-up)",
        f"the server {python} gone.py ",
        "ended with exit code 3 after 1.2 s without an answer to GET http://127.0.0.1:",
        "server-2.log:\na trace of it\n (server-not-up)",
        "no-such-program cannot be started: No such file or directory: no-such-program (command-not-found)",
        f"cannot be started: No such file or directory: {app.path / 'nowhere'} (command-not-found)",
        "python 'gone.py {port} cannot be split into words: No closing quotation (server-command-invalid)",
        f"{python} gone.py does not say which port it will listen on; write {{port}} in place of the port to use",
        'pipeline_server needs a command, as in: pipeline_server("python -m uvicorn main:app --port {port}"); or name',
        f"one as server_command in [vmpilot_cov] of {app.path / '.coveragerc'} (server-command-missing)",
        f"{stranger} answers at {earlier.url}, not the server that was started: ",
        f"started: {python} -m uvicorn app.asgi:app --reload --port {port}; end that process, or",
        f"started: {python} -m app.main --port {port}; end that process, or",
        "ended with exit code 7 before it was stopped; what it reached in its last interval may be missing; its output",
    ):
        assert text in said
    assert survivors(app) == []
    assert earlier.get("/driven") == "driven"


@pytest.mark.skipif(not DOCS.exists(), reason="docs/fixtures.md is not here")
def test_the_documented_examples_work(app: Project) -> None:
    """The examples of docs/fixtures.md run as they stand there, and their lines count."""
    pytest.importorskip("uvicorn")
    main = 'async def app(scope, receive, send):\n    await send({"type": "http.response.start", "status": 200})\n'
    main += '    await send({"type": "http.response.body", "body": b"hello"})\n'
    app.write(".coveragerc", "[run]\nsource = server\n")
    app.write("server/__init__.py", "")
    app.write("server/main.py", main)
    app.write("server/batch.py", "print('a batch')\n")
    examples = re.findall(r"^```python\n(.*?)^```", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for number, example in enumerate(examples):
        app.write(f"test_{number}.py", example)
    done = app.pytest("--vmpilot-cov", "-q")
    assert "2 passed in" in done.stdout, done.stdout + done.stderr
    assert pipeline_of(app.path) == {"main.py": [1, 2, 3], "batch.py": [1]}
