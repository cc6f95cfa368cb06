"""How long does a dump take, until every worker of a live server has written its data and answered?

Starts gunicorn with 1, 4 and 16 workers, drives them, asks all of them at once, 50 times each, and prints one table.
``python benchmarks/dump.py``; needs gunicorn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from pytest_vmpilot_cov.cli.demo import free_port
from pytest_vmpilot_cov.collect.ask import ask_servers
from pytest_vmpilot_cov.collect.processes import Scope, find_processes
from pytest_vmpilot_cov.model import Options
from pytest_vmpilot_cov.options.options import make_options

ROUNDS = 50
WORKERS = (1, 4, 16)

APP = """
import os
from app import work

def app(environ, start_response):
    work.CALLS[int(environ["PATH_INFO"][1:] or 0) % len(work.CALLS)](1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def write_program(folder: Path) -> None:
    """Write a server with 2,000 functions. Each request calls one of them."""
    (folder / "app").mkdir()
    (folder / ".coveragerc").write_text("[run]\nsource = app\n")
    functions = "".join(f"def f{n}(x):\n    if x:\n        return {n}\n    return 0\n\n" for n in range(2000))
    (folder / "app/work.py").write_text(functions + f"CALLS = [{', '.join(f'f{n}' for n in range(2000))}]\n")
    (folder / "app/__init__.py").write_text("")
    (folder / "app/main.py").write_text(APP)


def drive(url: str, workers: int) -> None:
    """Request pages until each worker has answered some, so that each has something new to write."""
    pids: set[str] = set()
    number, until = 0, time.monotonic() + 60
    while (len(pids) < workers or number % 100) and time.monotonic() < until:
        number += 1
        with urllib.request.urlopen(f"{url}/{number}", timeout=60) as answer:
            pids.add(answer.read().decode())


def measure(workers: int) -> None:
    """Print one row."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        write_program(folder)
        command = [sys.executable, "-m", "gunicorn", "app.main:app", "-b", f"127.0.0.1:{port}", "-w", str(workers)]
        environment = {**os.environ, "VMPILOT_COV": name}
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        options = make_options(folder, str(folder / ".coveragerc"))
        try:
            while len(_live(options, folder)) < workers:
                time.sleep(0.1)
            took_s = []
            for _ in range(ROUNDS):
                drive(f"http://127.0.0.1:{port}", 1)
                begun = time.perf_counter()
                found = ask_servers(options, "dump")
                took_s.append(time.perf_counter() - begun)
                assert len(found) == workers
                assert all(each.answered for each in found)
        finally:
            process.terminate()
            process.wait()
    ordered = sorted(1000 * each for each in took_s)
    print(
        f"{workers:>7} {statistics.median(ordered):>10.1f} ms {ordered[-ROUNDS // 20]:>8.1f} ms {ordered[-1]:>8.1f} ms"
    )


def _live(options: Options, folder: Path) -> list[int]:
    return [each.record.pid for each in find_processes([folder], options, Scope()) if each.life == "live"]


def main() -> None:
    """Print the table."""
    print(f"Python {sys.version.split()[0]}, {ROUNDS} dumps each, with new lines in between")
    print("workers        median      p95      longest")
    for workers in WORKERS:
        measure(workers)


if __name__ == "__main__":
    main()
