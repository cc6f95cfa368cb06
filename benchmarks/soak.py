"""Does a recorded server grow under ten minutes of load, dumps, resets and a hostile client?

Prints memory, file descriptors, threads, files in the working folder, and how its questions were answered;
``python benchmarks/soak.py --minutes 10``.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

from pytest_vmpilot_cov.cli.demo import free_port
from server_hook.control import client
from server_hook.store import records

SERVER = """
import http.server, os, socketserver, sys
from app import work
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = work.answer(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def write_program(folder: Path) -> None:
    """Write a server with 2,000 functions. Each request calls one of them."""
    (folder / "app").mkdir()
    (folder / ".coveragerc").write_text("[run]\nsource = app\n")
    functions = "".join(f"def f{n}(x):\n    if x:\n        return '{n}'\n    return ''\n\n" for n in range(2000))
    answer = "def answer(path):\n    return globals()['f' + path[1:]](1)\n"
    (folder / "app/work.py").write_text(functions + answer)
    (folder / "app/__init__.py").write_text("")
    (folder / "main.py").write_text(SERVER)


def look(pid: int, folder: Path) -> dict[str, int]:
    """Return what the process holds now."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "memory, KiB": int(status["VmRSS"].split()[0]),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"]),
        "files in the working folder": sum(len(names) for _, _, names in os.walk(folder / ".vmpilot-cov")),
    }


def drive(url: str, until: float, counted: list[int]) -> None:
    """Request one function after another until the time is up."""
    number = 0
    while time.monotonic() < until:
        number = (number + 1) % 2000
        with urllib.request.urlopen(f"{url}/{number}", timeout=60) as answer:
            answer.read()
        counted[0] += 1


MOST_OPEN = 40
"""How many connections the hostile client keeps open; more than a process accepts."""


def ask(path: str, until: float, answers: Counter[str]) -> None:
    """Ask for a dump five times a second, and for a reset in each fiftieth question."""
    number = 0
    while time.monotonic() < until:
        number += 1
        do = "dump" if number % 50 else "reset"
        try:
            client.ask(path, do, time.monotonic() + 5)
            answers[f"{do}, answered"] += 1
        except OSError as error:
            answers[f"{do}, {error}"] += 1
        time.sleep(0.2)


def disturb(path: str, until: float, answers: Counter[str]) -> None:
    """Send what is not a request, a hundred times a second, and keep the last connections open."""
    chance, left_open = random.Random(1), []
    while time.monotonic() < until:
        hostile = socket.socket(socket.AF_UNIX)
        hostile.settimeout(1)
        try:
            hostile.connect(path)
            hostile.sendall(
                chance.choice([chance.randbytes(300), b"[" * 4000, b'{"vmpilot_cov": 1, "do": "' + b"x" * 4000])
            )
        except OSError as error:
            answers[f"hostile, {type(error).__name__}"] += 1
        answers["hostile, sent"] += 1
        left_open.append(hostile)
        while len(left_open) > MOST_OPEN:
            left_open.pop(0).close()
        time.sleep(0.01)
    for each in left_open:
        each.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        write_program(folder)
        environment = {**os.environ, "VMPILOT_COV": name}
        process = subprocess.Popen([sys.executable, "main.py", str(port)], cwd=folder, env=environment)
        try:
            time.sleep(2)
            counted, url = [0], f"http://127.0.0.1:{port}"
            drive(url, time.monotonic() + min(30.0, 15 * minutes), counted)  # every function once, caches filled
            before = look(process.pid, folder)
            until = time.monotonic() + 60 * minutes
            answers: Counter[str] = Counter()
            ((_, record),) = records.recorded(folder)
            threads = [threading.Thread(target=drive, args=(url, until, counted)) for _ in range(3)]
            threads += [threading.Thread(target=work, args=(record.socket, until, answers)) for work in (ask, disturb)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(2)
            after = look(process.pid, folder)
        finally:
            process.terminate()
            process.wait()
    print(f"Python {sys.version.split()[0]}, {minutes:g} minutes, {counted[0]} requests")
    for what, number in before.items():
        print(f"{what:<28} {number:>9} {after[what]:>9}")
    for what, number in sorted(answers.items()):
        print(f"{what:<28} {number:>9}")


if __name__ == "__main__":
    main()
