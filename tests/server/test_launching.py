"""A server is started, waited for, and ended with all that it has started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from pytest_vmpilot_cov.servers import launch as launch_
from pytest_vmpilot_cov.servers import stop
from pytest_vmpilot_cov.servers.launch import LaunchError, PipelineServer, PipelineServerWarning, launch
from pytest_vmpilot_cov.servers.readiness import Readiness
from tests.conftest import PATIENCE_S, Project, free_port, needs_proc


def start(project: Project, script: str, goal: Readiness) -> PipelineServer:
    """Start a shell script that notes its pid."""
    path = project.write("serve.sh", f"echo $$ > pid\n{script}\n")
    log = project.path / "log"
    return launch(["sh", str(path)], goal, folder=project.path, environment=os.environ, log=log)


def survivors(project: Project) -> list[str]:
    """List the processes of the server's session that still run."""
    command = ["ps", "-o", "stat=,args=", "--sid", (project.path / "pid").read_text().strip()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if not line.startswith("Z")]


@needs_proc
def test_what_does_not_end_is_killed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not heed SIGTERM is killed with its children, and a warning says so; once."""
    monkeypatch.setattr(launch_, "STOP_S", 0.2)
    monkeypatch.setattr(stop, "GRACE_S", 0.2)
    goal = Readiness(free_port())
    server = start(project, f"trap '' TERM\nsleep 600 &\npython -m http.server {goal.port} -b 127.0.0.1", goal)
    assert len(survivors(project)) == 3
    with pytest.warns(PipelineServerWarning, match=r"did not end within .* s of SIGTERM and was killed.*server-killed"):
        code = server.stop()
    assert code == -signal.SIGKILL == server.stop()
    assert survivors(project) == []


def test_what_a_server_leaves_behind_gets_its_turn(project: Project) -> None:
    """Where a shell that wraps a server ends without it, the server gets SIGTERM, too, and can end well."""
    goal = Readiness(free_port())
    serve = "python -c 'import signal, sys; signal.signal(15, lambda *_: (print(1), sys.exit())); import http.server; "
    serve += f'http.server.HTTPServer(("127.0.0.1", {goal.port}), http.server.SimpleHTTPRequestHandler).serve_forever()'
    server = start(project, f"{serve}' &\nwait", goal)
    assert server.stop() == -signal.SIGTERM
    assert server.output.endswith("\n1\n")
    assert survivors(project) == []


def test_a_port_that_was_taken_is_no_server(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system doesn't say who listens at a port, whoever did before the start isn't the server."""
    monkeypatch.setattr(launch_, "listeners_at", lambda _: {})
    with socket.create_server(("127.0.0.1", 0)) as other:
        goal = Readiness(other.getsockname()[1], None)
        with pytest.raises(
            LaunchError, match=rf"^another process answers at {goal.url}, not the server .*server-not-ours"
        ):
            start(project, "sleep 600", goal)
    assert survivors(project) == []


def test_a_start_that_is_interrupted_leaves_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a server is waited for ends it."""

    def interrupt(*_: object) -> str:
        while not (project.path / "pid").exists():
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(Readiness, "probe", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(project, "sleep 600", Readiness(1))
    assert survivors(project) == []


@pytest.mark.parametrize(("status", "expected"), [(503, "503 Service Unavailable"), (404, ""), (200, "")])
def test_an_error_of_the_server_is_no_answer(status: int, expected: str) -> None:
    """A server that answers with 503 is not up yet; one that does not know the page is."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert expected == Readiness(server.server_port).probe(PATIENCE_S)
        thread.join()


def test_without_process_groups_nothing_is_started(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a server could not be ended with its children, as on Windows, it is not started, and one line says so."""
    monkeypatch.delattr(os, "killpg")
    with pytest.raises(launch_.LaunchError, match=r"\(launch-unsupported\)"):
        start(project, "true", Readiness(free_port()))
    assert not (project.path / "pid").exists()
