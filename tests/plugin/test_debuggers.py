"""Sessions with a debugger attached: the debugger comes first."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import PATIENCE_S, Project, free_port, lines_in, numbered
from tests.dap import PYDEVD, DebugClient, connect

SHOP = """
    import os


    def price():
        total = 2  # stop
        return total


    def other():
        return 1  # other
"""
STOP = numbered(SHOP, "stop")[0]
OUTPUT = "output.txt"
OPTIONS = ("-p", "no:cacheprovider", "--vmpilot-cov", "--cov-fail-under=100")
STANDS_DOWN = "WARNING: a debugger is at work ({}); the session does not measure and does not judge (debugger-attached)"


@pytest.fixture
def shop(project: Project) -> Project:
    """Give a project with a threshold that its tests cannot reach, and a test that starts a child."""
    project.write(".coveragerc", "[run]\nsource = shop\n")
    project.write("shop/__init__.py", SHOP)
    project.write(
        "tests/test_shop.py",
        """
        import os, subprocess, sys
        import shop

        def test_price():
            assert shop.price() == 2
            print("set:", *(name for name in os.environ if name.startswith("VMPILOT_COV")), "end")
            subprocess.run([sys.executable, "-c", "import shop; shop.price()"], check=True)
        """,
    )
    return project


def assert_stood_down(shop: Project, output: str, sign: str) -> None:
    """Check that a session said why it does not measure, judged nothing and left nothing behind."""
    assert STANDS_DOWN.format(sign) in output
    assert "Required test coverage" not in output
    assert "set: end" in output
    assert not {".vmpilot-cov", ".coverage", ".coverage.tests"} & set(os.listdir(shop.path)), output


@contextmanager
def running(shop: Project, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python beside a test, which talks to it; end it with the test."""
    with (shop.path / OUTPUT).open("wb") as output:  # no pipe: debugpy's adapter would hold it open
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=shop.path,
            env=environment(shop),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


def end_of(shop: Project, process: subprocess.Popen[bytes], typed: bytes = b"") -> tuple[int, str]:
    """Type something, wait until a process has ended; return its exit code and what it has printed."""
    process.communicate(typed, PATIENCE_S)
    return process.returncode, (shop.path / OUTPUT).read_text()


def environment(shop: Project) -> dict[str, str]:
    """Return the environment of a debugged session; that ``VMPILOT_COV`` is set has to make no difference."""
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_vmpilot_cov.plugin"}  # it is fast
    return {**os.environ, **alone, "PYTHONPATH": str(shop.path), "VMPILOT_COV": str(shop.path)}


def test_debugpy_that_listens_stops_at_a_breakpoint(shop: Project) -> None:
    """Under ``python -m debugpy --listen`` the breakpoint is hit, and the session stands down."""
    port = free_port()
    command = ("-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client", "--configure-subProcess", "False")
    with running(shop, *command, "-m", "pytest", *OPTIONS, "-s") as debugged, connect(port) as client:
        client.stop_at(shop.path / "shop/__init__.py", STOP, "attach")
        client.wait("terminated")
        code, output = end_of(shop, debugged)
    assert code == 0, output
    assert_stood_down(shop, output, "pydevd is loaded")


def test_a_debug_run_of_pycharm_stops_at_a_breakpoint(shop: Project) -> None:
    """Where pydevd runs a script that runs pytest, as PyCharm's does, the breakpoint is hit."""
    script = shop.write("_jb_pytest_runner.py", "import sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))\n")
    with socket.create_server(("127.0.0.1", 0)) as ide:
        ide.settimeout(PATIENCE_S)
        port = str(ide.getsockname()[1])
        command = (str(PYDEVD), "--json-dap-http", "--client", "127.0.0.1", "--port", port, "--file", str(script))
        with running(shop, *command, *OPTIONS, "-s") as debugged, DebugClient(ide.accept()[0]) as client:
            client.stop_at(shop.path / "shop/__init__.py", STOP, "attach")
            code, output = end_of(shop, debugged)
    assert code == 0, output
    assert_stood_down(shop, output, "pydevd is loaded")


@pytest.mark.parametrize("workers", [(), ("-p", "xdist.plugin", "-n", "1")], ids=["one process", "with a worker"])
def test_a_trace_function_is_left_alone(shop: Project, workers: tuple[str, ...]) -> None:
    """With a trace function set the session stands down, its workers too, and the function is still set afterwards."""
    if workers:
        pytest.importorskip("xdist")
    shop.write(
        "traced.py",
        f"""
        import sys, pytest
        def watch(frame, event, argument):
            return None
        if __name__ == "__main__":
            sys.settrace(watch)
            code = pytest.main({[*OPTIONS, "-rP", *workers]!r})
            print("traced:", sys.gettrace() is watch)
            sys.exit(code)
        """,
    )
    done = shop.run("python", "traced.py", env={**environment(shop), "VMPILOT_COV": ""})
    assert done.returncode == 0, done.stdout + done.stderr
    assert_stood_down(shop, done.stdout, "a trace function is set: watch")
    assert "traced: True" in done.stdout


def test_pdb_finds_a_failed_test(shop: Project) -> None:
    """With ``--pdb`` the session stands down, pdb is entered at the failure, and the exit code is that of the tests."""
    shop.write(
        "tests/test_shop.py", "import shop\ndef test_price():\n    print('set: end')\n    assert shop.price() == 3\n"
    )
    with running(shop, "-m", "pytest", *OPTIONS, "--pdb") as debugged:
        code, output = end_of(shop, debugged, b"p shop.__name__ * 2\nq\n")
    assert "'shopshop'" in output
    assert code == 2, output
    assert_stood_down(shop, output, "--pdb")


def test_breakpoint_is_no_sign_of_a_debugger(shop: Project) -> None:
    """``breakpoint()`` in a test enters pdb; the session is measured, and the tests after it are measured, too."""
    shop.write(
        "tests/test_shop.py",
        """
        import shop

        def test_stops():
            breakpoint()

        def test_goes_on():
            assert shop.other() == 1
        """,
    )
    with running(shop, "-m", "pytest", *OPTIONS) as session:
        code, output = end_of(shop, session, b"p shop.__name__ * 2\nc\n")
    assert "'shopshop'" in output
    assert code == 1, output
    assert "FAIL Required test coverage of 100% not reached" in output
    assert set(numbered(SHOP, "other")) <= set(lines_in(shop.path / ".coverage", "unit")["__init__.py"])
