"""What does it cost a session to say which test runs, and a server to read it and to find whose a request is?

Each worker is a process of its own that goes through the phases of 2,000 tests, all workers at once: the board, the
variables for children, and the name for requests. Nothing of it depends on how many servers there are. Then one server
reads the boards of all. ``python benchmarks/board.py``, with the numbers of workers; the limit of a phase is 0.05 ms.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from pytest_vmpilot_cov.session.child_environment import Environment
from pytest_vmpilot_cov.session.contexts import RunningTest
from server_hook.attribution.boards import Board
from server_hook.attribution.peers import Peers
from server_hook.store import records, working_folder
from server_hook.systems.systems import system

TESTS = 2000
PHASES = ("setup", "run", "teardown", "")
LIMIT_MS = 0.05


def post(data_folder: str, pid: int) -> str:
    """Make the folder of a test process; return its path."""
    name = f"{pid}-{os.urandom(4).hex()}"
    folder = working_folder.make_folder(data_folder, name)
    record = records.describe_process(name, "unit", "session", {})
    records.write_record(folder, record._replace(pid=pid, ticks=system.start_of(pid)))
    return folder


def run_tests(data_folder: str) -> tuple[float, list[float]]:
    """Go through the phases of all tests; return the milliseconds of CPU of one, and of the clock of each."""
    environment = Environment()
    running = RunningTest(post(data_folder, os.getpid()), environment, ("near",))
    took, cpu = [], time.process_time()
    for number in range(TESTS):
        for phase in PHASES:
            test = f"tests/e2e/test_chat.py::test_answer[{number}]|{phase}" if phase else ""
            began = time.perf_counter()
            environment.count_children_for("e2e", test)
            running.show(test)
            took.append((time.perf_counter() - began) * 1000)
    cpu_ms = (time.process_time() - cpu) * 1000 / len(took)
    running.close()
    environment.give_back()
    return cpu_ms, took


def session(workers: int) -> float:
    """Show the cost of a phase with some workers at once; return the milliseconds of CPU."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(workers) as pool:
        results = list(pool.map(run_tests, [folder] * workers))
    cpu_ms = statistics.mean(cpu for cpu, _ in results)
    median = statistics.median(ms for _, took in results for ms in took)
    print(f"session, {workers:2} workers: a phase {cpu_ms:.4f} ms of CPU, {median:.4f} ms of the clock (median)")
    return cpu_ms


def mean_us(work: Callable[[], object], times: int) -> float:
    """Return the microseconds that something takes."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


def server(workers: int) -> None:
    """Show what a request without a header costs beside test processes."""
    with tempfile.TemporaryDirectory() as folder:
        clients = Peers([folder])
        none_us = mean_us(lambda: clients.test_of(("127.0.0.1", 80), ("127.0.0.1", 2)), 20_000)
        others = [subprocess.Popen(["sleep", "600"]) for _ in range(workers - 1)]
        boards = [Board(post(folder, pid)) for pid in (os.getpid(), *(other.pid for other in others))]
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
            here, _ = listener.accept()
            ends = here.getsockname(), here.getpeername()
            idle_us = mean_us(lambda: clients.test_of(*ends), 500)
            for board in boards:
                board.show("tests/e2e/test_chat.py::test_answer|run")
            assert clients.test_of(*ends).how == "process"
            same_us = mean_us(lambda: clients.test_of(*ends), 5000)
            new_us = mean_us(lambda: (clients._clients.clear(), clients.test_of(*ends)), 200)
            here.close()
        for other in others:
            other.kill()
            other.wait()
    print(
        f"server, {workers:2} boards: without a board {none_us:.1f} us, while none shows a test {idle_us:.1f}, "
        f"on a connection {same_us:.1f}, on a new one {new_us:.0f}"
    )


def main() -> None:
    """Measure for each number of workers; fail where a phase takes too long."""
    numbers = [int(word) for word in sys.argv[1:]] or [1, 4, 16]
    costs = [session(number) for number in numbers]
    for number in numbers:
        server(number)
    sys.exit(max(costs) > LIMIT_MS)


if __name__ == "__main__":
    main()
