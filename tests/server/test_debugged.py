"""A server under a debugger: its breakpoints are hit, and it is not recorded."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from tests.conftest import PATIENCE_S, Project, free_port, numbered, wait_for
from tests.dap import connect
from tests.server.conftest import MAIN

LINE = numbered(MAIN, "driven")[-1]
REFUSED = "this process is not recorded: debugpy debugs it; start it without the debugger (debugger-attached)"


def test_a_debugged_server_stops_at_a_breakpoint_and_is_not_recorded(app: Project) -> None:
    """A debugged uvicorn with ``VMPILOT_COV`` stops at a breakpoint, says once that it is not recorded, and is not."""
    port = free_port()
    server = app.serve(
        *("python", "-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client"),
        *("-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "PORT"),
        env={"VMPILOT_COV": ".", "PYTHONPATH": str(app.path)},
        wait=False,
    )
    with connect(port) as client, ThreadPoolExecutor(1) as pool:
        client.begin(app.path / "app/main.py", LINE, "attach")
        wait_for(lambda: "Uvicorn running" in server.log.read_text())
        page = pool.submit(server.get, "/driven")
        client.pass_breakpoint(app.path / "app/main.py", LINE)
        assert page.result(PATIENCE_S) == "driven"
    server.stop()
    assert server.log.read_text().count("vmpilot-cov") == 1, server.log.read_text()
    assert REFUSED in server.log.read_text()
    assert not {".vmpilot-cov", ".coverage.pipeline"} & set(os.listdir(app.path))
