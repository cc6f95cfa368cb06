"""What does recording cost a server under load? uvicorn and FastAPI on loopback, driven by a second process.

The servers of all sides run at the same time and get short bursts of requests in turn, so that what else the machine
does meets all of them. ``python benchmarks/serving.py``; needs fastapi and uvicorn, and Linux for the CPU of a process.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from shared.pairs import AGAIN, BASE, Table, arguments, environment, quantile, ratio, take_in_turn
from shared.peers import COVERAGE, OURS, SLIPCOVER, why_no_slipcover
from shared.programs import write_application

from pytest_vmpilot_cov.cli.demo import free_port

THROUGHPUT, LATENCY, CPU_TO_THEIRS = 0.95, 1.1, 1.05
CONNECTIONS = 4
PATHS = {"trivial": "/", "1,000 lines": "/work/100", "10,000 lines": "/work/1000"}
LINES_RUN = {"trivial": 3, "1,000 lines": 1000, "10,000 lines": 10_000}

MAIN = """
import sys, uvicorn
uvicorn.run("app.main:app", host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


@dataclass
class Server:
    """A server of one side."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def stop(self) -> None:
        """End it by its own pid."""
        self.process.terminate()
        self.process.wait(60)


def start(side: str, folder: Path, *, branch: bool) -> Server:
    """Start the server of a side, and wait until it answers."""
    home = folder / side.replace(" ", "-")
    write_application(home, branch=branch)
    (home / "main.py").write_text(MAIN)
    port = free_port()
    slipcover = ["-m", "slipcover", "--source", "app", *(["--branch"] if branch else [])]
    words = {COVERAGE: ["-m", "coverage", "run"], SLIPCOVER: slipcover}.get(side, [])
    command = [sys.executable, *words, "main.py", str(port)]
    env = environment(**({"VMPILOT_COV": str(home)} if side == OURS else {}))
    log = (home / "log").open("wb")
    process = subprocess.Popen(command, cwd=home, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    server, until = Server(process, port), time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return server
    process.kill()
    raise SystemExit(f"the server of {side} does not answer:\n{(home / 'log').read_text()}")


def start_all(folder: Path, stack: ExitStack, *, branch: bool) -> dict[str, Server]:
    """Start the servers of all sides; leaving the stack ends them."""
    servers = {}
    for side in (BASE, AGAIN, COVERAGE, OURS, *([] if why_no_slipcover() else [SLIPCOVER])):
        servers[side] = start(side, folder, branch=branch)
        stack.callback(servers[side].stop)
    return servers


def drive(port: int, path: str, requests: int) -> dict[str, float]:
    """Send requests over a few connections from another process; return requests per second and p95 in ms."""
    words = [sys.executable, __file__, "--drive", str(port), path, "--requests", str(requests)]
    found: dict[str, float] = json.loads(subprocess.check_output(words, env=environment(), timeout=300))
    return found


def send(port: int, path: str, requests: int) -> None:
    """Be the process that sends requests, and print its figures."""
    latencies: list[float] = []
    threads = [
        threading.Thread(target=converse, args=(port, path, requests // CONNECTIONS, latencies))
        for _ in range(CONNECTIONS)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - begun
    assert len(latencies) == requests // CONNECTIONS * CONNECTIONS
    print(json.dumps({"rate": len(latencies) / took_s, "p95_ms": 1000 * quantile(latencies, 0.95)}))


def converse(port: int, path: str, requests: int, latencies: list[float]) -> None:
    """Send requests over one connection, one by one, with plain sockets, which cost this side almost nothing."""
    question = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        for _ in range(requests):
            begun = time.perf_counter()
            connection.sendall(question)
            answer = connection.recv(65536)
            while not answer.endswith(b"}"):
                more = connection.recv(65536)
                assert more, answer
                answer += more
            assert answer.startswith(b"HTTP/1.1 200"), answer
            latencies.append(time.perf_counter() - begun)


def burst(server: Server, path: str, requests: int, rates: list[float], p95s_ms: list[float]) -> float:
    """Drive a server; store its throughput and latency, and return its CPU per request."""
    before = server.cpu_s()
    seen = drive(server.port, path, requests)
    rates.append(seen["rate"])
    p95s_ms.append(seen["p95_ms"])
    return (server.cpu_s() - before) / requests


def measure(table: Table, pairs: int, requests: int, *, branch: bool) -> None:
    """Print the table for lines or for branches."""
    what = "branches" if branch else "lines"
    table.begin(f"A server under load, {what}, {pairs} pairs of {requests:,} requests over {CONNECTIONS} connections")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers = start_all(Path(name), stack, branch=branch)
        costs = {title: compare(table, title, servers, pairs, requests, branch=branch) for title in PATHS}
    table.growth(
        "ms of CPU a request by lines run, recorded", {LINES_RUN[title]: cost for title, cost in costs.items()}
    )


def compare(table: Table, title: str, servers: dict[str, Server], pairs: int, requests: int, *, branch: bool) -> float:  # noqa: PLR0913 - what one block of rows needs
    """Print the rows of one kind of request; return the CPU in ms of the recorded side."""
    path = PATHS[title]
    rates: dict[str, list[float]] = {side: [] for side in servers}
    p95s: dict[str, list[float]] = {side: [] for side in servers}
    for server in servers.values():
        drive(server.port, path, CONNECTIONS * 10)  # code that runs only once has run now
    turns = {
        side: (lambda s=side, server=server: burst(server, path, requests, rates[s], p95s[s]))
        for side, server in servers.items()
    }
    cpu = take_in_turn(turns, pairs)
    table.note(f"{title}: {1000 * median(cpu[BASE]):.3f} ms of CPU a request without coverage", "")
    noise = table.noise(cpu)
    for side in servers:
        if side not in (BASE, AGAIN):
            table.note(f"  CPU a request, {side}, to {BASE}", f"{ratio(cpu, side):.3f}")
    fast = sys.version_info >= ((3, 14) if branch else (3, 12))
    if fast:
        table.at_least(f"  {title}: throughput, to {BASE}", ratio(rates, OURS), THROUGHPUT, noise=table.noise(rates))
        table.at_most(f"  {title}: p95, to {BASE}", ratio(p95s, OURS), LATENCY, noise=table.noise(p95s))
    else:
        table.at_most(
            f"  {title}: CPU a request, to {COVERAGE}", ratio(cpu, OURS, COVERAGE), CPU_TO_THEIRS, noise=noise
        )
    return 1000 * median(cpu[OURS])


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="requests of one burst")
    parser.add_argument("--drive", nargs=2, metavar=("PORT", "PATH"), help="be the process that sends")
    args = parser.parse_args()
    if args.drive:
        send(int(args.drive[0]), args.drive[1], args.requests)
        return
    table = Table()
    for branch in (False, True):
        measure(table, args.pairs, args.requests, branch=branch)
    table.end()


if __name__ == "__main__":
    main()
