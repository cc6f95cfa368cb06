"""What does it cost to tell tests apart? A recorded server beside the same one without the wrapper around its requests.

The servers of all sides live at the same time. Each calls its FastAPI application as uvicorn does, eight requests at
once, in short bursts that take turns; what counts is its CPU time, the recorder's thread included. A trivial request is
counted in instructions, too, where there is valgrind. ``python benchmarks/attribution.py``; needs fastapi.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from shared import counts
from shared.pairs import AGAIN, Table, arguments, environment, ratio, run, spread, take_in_turn
from shared.programs import write_application

TODAY, UNTAGGED, EIGHT, MANY = "as it was", "no tag", "8 tests at once", "32 tests at once"
SIDES = {TODAY: (0, False), AGAIN: (0, False), UNTAGGED: (0, True), EIGHT: (8, True), MANY: (32, True)}
"""How many tests send the requests of each side, and whether these are wrapped."""
AT_ONCE = 8
BURSTS = {"/": 60, "/shared": 25, "/own/": 15, "/hot/": 25}
"""How many times eight requests of each load make a burst."""
LOADS = {
    "/": "a trivial request",
    "/shared": "1,000 lines that all tests run",
    "/own/": "100 calls of a function that one test calls",
    "/hot/": "the worst loop: another branch for each test",
}
LINES = 1000
BY_MONITORING = sys.version_info >= (3, 12)
LIMITS = {UNTAGGED: 1.03, EIGHT: 1.2, "worst": 1.6} if BY_MONITORING else {UNTAGGED: 1.05, EIGHT: 1.2, "worst": 1.2}
LINE_US, INSTRUCTIONS = 1.5, 1.03
COUNTED = 100
"""How many trivial requests are counted in instructions."""

SERVER = """
import asyncio, json, sys, time
from app.main import app

def scope(path, test):
    headers = [(b"host", b"x"), (b"baggage", f"vmpilot-cov={test}".encode())] if test else [(b"host", b"x")]
    return {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": ("127.0.0.1", 4), "server": ("127.0.0.1", 5)}

async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}

async def send(message):
    assert message.get("status", 200) == 200

async def burst(path, rounds, tests, fresh):
    for turn in range(rounds):
        numbers = [turn * AT_ONCE + place for place in range(AT_ONCE)]
        names = [f"t{fresh}-{number if fresh else number % tests}|run" if tests else "" for number in numbers]
        paths = [path + (str(number % 32) if path.endswith("/") and path != "/" else "") for number in numbers]
        await asyncio.gather(*(app(scope(*each), receive, send) for each in zip(paths, names)))
        if fresh:
            for test in attribution().serving.tests.values():
                test.was_shown = True  # as by a board, which shows other tests by now

def attribution():
    return sys._vmpilot_cov.recorder.attribution

AT_ONCE, is_wrapped = 8, sys.argv[1] == "True"
if is_wrapped:
    from server_hook.attribution.receiving_asgi import tag
    app = tag(app)
if len(sys.argv) > 2:
    if is_wrapped:
        from server_hook.attribution import boards, serving
        serving.LOOK_S = boards.LOOK_S = 3600  # valgrind is slow: each request would look for boards
    asyncio.run(burst("/", int(sys.argv[2]), 0, 0))
    sys.exit()
loop = asyncio.new_event_loop()
for line in sys.stdin:
    began = time.process_time()
    loop.run_until_complete(burst(*json.loads(line)))
    if sys.argv[1] != "None":
        sys._vmpilot_cov.recorder.flush()
    print(time.process_time() - began, flush=True)
"""


class Server:
    """A recorded process that answers bursts of requests."""

    def __init__(self, folder: Path, tests: int, *, is_wrapped: bool) -> None:
        """Start it."""
        env = environment(VMPILOT_COV=str(folder), VMPILOT_COV_DATA_DIR=tempfile.mkdtemp(dir=folder))
        command = [sys.executable, str(folder / "server.py"), str(is_wrapped)]
        self.tests = tests
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.fresh = 0

    def burst(self, path: str, rounds: int, *, fresh: bool = False) -> float:
        """Answer requests; return the CPU seconds that it took.

        Args:
            path: the load.
            rounds: how many times eight requests.
            fresh: whether each request is a new test's.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.fresh += fresh
        self.process.stdin.write(json.dumps([path, rounds, self.tests, self.fresh if fresh else 0]) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self) -> None:
        """End it."""
        self.process.communicate(timeout=60)


def compare(table: Table, servers: dict[str, Server], path: str, pairs: int) -> None:
    """Compare all sides under one load."""
    rounds = BURSTS[path]
    for server in servers.values():
        server.burst(path, rounds)  # its first lines
    figures = take_in_turn({name: partial(each.burst, path, rounds) for name, each in servers.items()}, pairs)
    table.note(LOADS[path], f"{1e6 * median(figures[TODAY]) / rounds / AT_ONCE:,.0f} us")
    noise = spread(figures, TODAY, AGAIN)
    table.note(f"  {TODAY} to itself (means nothing: {100 * noise:.1f} %)", f"{ratio(figures, AGAIN, TODAY):.3f}")
    for side in (UNTAGGED, EIGHT, MANY):
        limit = LIMITS["worst"] if path == "/hot/" and side != UNTAGGED else LIMITS.get(side, LIMITS[EIGHT])
        table.at_most(f"  {side}", ratio(figures, side, TODAY), limit, noise=noise)


def compare_lines(table: Table, servers: dict[str, Server], pairs: int) -> None:
    """Print what a line costs that a test runs for the first time."""
    rounds = 12
    sides: dict[str, Any] = {
        TODAY: partial(servers[TODAY].burst, "/shared", rounds),
        EIGHT: partial(servers[EIGHT].burst, "/shared", rounds, fresh=True),
    }
    figures = take_in_turn(sides, pairs)
    more = median(new - old for new, old in zip(figures[EIGHT], figures[TODAY], strict=True))
    table.at_most("a line that a test runs, all told", 1e6 * more / rounds / AT_ONCE / LINES, LINE_US, " us")


def count_instructions(table: Table, folder: Path) -> None:
    """Count the instructions of a trivial request, with and without the wrapper."""
    env = {"VMPILOT_COV": str(folder), "VMPILOT_COV_DATA_DIR": str(folder)}
    costs = []
    for is_wrapped in (False, True):
        command = [sys.executable, str(folder / "server.py"), str(is_wrapped)]
        few, many = (counts.count([*command, str(rounds)], folder, **env) for rounds in (2, 2 + COUNTED // AT_ONCE))
        costs.append((many - few) / (COUNTED // AT_ONCE * AT_ONCE))
    table.note("a trivial request, instructions", f"{costs[0]:,.0f}")
    table.at_most(f"  {UNTAGGED}, to {TODAY}", costs[1] / costs[0], INSTRUCTIONS if BY_MONITORING else LIMITS[UNTAGGED])


def main() -> None:
    """Measure everything."""
    parser = arguments(__doc__, pairs=12)
    parser.add_argument("--no-instructions", action="store_true", help="don't count instructions, which takes minutes")
    args = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_application(folder, "[vmpilot_cov]\ninterval_s = 1\n")
        (folder / "server.py").write_text(SERVER)
        run([sys.executable, "-c", "import app.main"], folder)
        table.begin("What telling tests apart costs a server: CPU of a request")
        servers = {side: Server(folder, tests, is_wrapped=wrapped) for side, (tests, wrapped) in SIDES.items()}
        for server in servers.values():
            stack.callback(server.stop)
        for path in LOADS:
            compare(table, servers, path, args.pairs)
        compare_lines(table, servers, args.pairs)
        if counts.can_count() and not args.no_instructions:
            count_instructions(table, folder)
    table.end()


if __name__ == "__main__":
    main()
