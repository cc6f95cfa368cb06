"""What does writing a segment cost, with and without new lines, and does a request notice it?

A real recorder of this process writes real segments. Its thread sleeps, and each segment is timed here: the CPU time of
``Recorder.flush``, including the write. ``python benchmarks/segments.py``.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import TypeAlias

from shared.pairs import Table, arguments, quantile
from shared.programs import LINES, write_package

from server_hook.config.settings import read_settings
from server_hook.record.recorder import Recorder

SEEN = (10_000, 100_000, 300_000)
NEW = (100, 1000, 10_000)
USUAL_SEEN, USUAL_NEW = 100_000, 1000
FILE_LINES = 1000
IDLE_LIMIT_MS, NEW_LIMIT_MS, DELAY_LIMIT_MS = 0.1, 5.0, 5.0
REQUESTS = 3000

Call: TypeAlias = Callable[[int], int]

_packages = count()


@contextmanager
def recording(seen: int, fresh: int) -> Iterator[tuple[Recorder, list[Call]]]:
    """Record this process, with *seen* lines already written; yield functions, 9 of 10 lines of which are new."""
    with tempfile.TemporaryDirectory() as name:
        folder, files = Path(name), 1 + (seen + fresh) // (FILE_LINES - LINES)
        package = f"app{next(_packages)}"
        write_package(folder, files, FILE_LINES, name=package)
        (folder / ".coveragerc").write_text(f"[run]\nsource = {package}\n[vmpilot_cov]\ninterval_s = 3600\n")
        sys.path.insert(0, name)
        recorder = Recorder(read_settings(name), name, "unit")
        recorder.start()
        try:
            modules = [__import__(f"{package}.m{number}", fromlist=["CALLS"]) for number in range(files)]
            calls = [call for module in modules for call in module.CALLS]
            for call in calls[: seen // LINES]:
                call(1), call(2)
            recorder.flush()
            yield recorder, calls[seen // LINES :]
        finally:
            recorder.stop()
            recorder.presence.remove()
            sys.path.remove(name)


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in milliseconds."""
    begun = time.thread_time()
    work()
    return 1000 * (time.thread_time() - begun)


def segments_ms(seen: int, fresh: int, pairs: int) -> tuple[float, float]:
    """Return the CPU of a segment after *seen* lines: with nothing new, and with *fresh* new lines in these files."""
    per_segment = fresh // LINES
    with recording(seen, fresh * pairs) as (recorder, calls):
        idle, new = [cpu_ms(recorder.flush) for _ in range(10 * pairs)], []
        for number in range(pairs):
            for call in calls[number * per_segment : (number + 1) * per_segment]:
                call(1), call(2)
            new.append(cpu_ms(recorder.flush))
        return median(idle), median(new)


def request_ms() -> float:
    """Return how long a request takes that runs no measured lines: it is slow only if something holds it up."""
    begun = time.perf_counter()
    total = 0
    for number in range(4000):
        total += number % 7
    return 1000 * (time.perf_counter() - begun)


def delays_ms(pairs: int) -> tuple[list[float], list[float]]:
    """Return how long requests take while nothing is written, and while another thread writes 20 segments a second."""
    quiet, disturbed = [], []
    rounds = max(2, pairs)
    with recording(USUAL_SEEN, USUAL_NEW * 200) as (recorder, calls):
        waiting, over = threading.Event(), threading.Event()
        thread = threading.Thread(target=write_now_and_then, args=(recorder, calls, waiting, over))
        thread.start()
        for number in range(2 * rounds):
            if number % 2:
                waiting.set()
            else:
                waiting.clear()
            taken = disturbed if number % 2 else quiet
            taken += [request_ms() for _ in range(REQUESTS // rounds)]
        over.set()
        waiting.set()
        thread.join()
    return quiet, disturbed


def write_now_and_then(recorder: Recorder, calls: list[Call], waiting: threading.Event, over: threading.Event) -> None:
    """Write 1,000 new lines every 50 ms while requests wait for it; nothing else in this thread disturbs them."""
    place, per_segment = 0, USUAL_NEW // LINES
    while waiting.wait() and not over.is_set() and place < len(calls):
        for call in calls[place : place + per_segment]:
            call(1), call(2)
        place += per_segment
        recorder.flush()
        over.wait(0.05)


def main() -> None:
    """Print the table."""
    pairs = arguments(__doc__).parse_args().pairs
    table = Table()
    table.begin(f"A segment, median of {pairs} (idle: of {10 * pairs})")
    by_seen = {seen: segments_ms(seen, USUAL_NEW, pairs) for seen in SEEN}
    idle_ms, new_ms = by_seen[USUAL_SEEN]
    table.at_most(f"CPU, nothing new on {USUAL_SEEN:,} lines", idle_ms, IDLE_LIMIT_MS, " ms")
    table.growth("ms, by lines seen before", {seen: idle for seen, (idle, _) in by_seen.items()})
    table.at_most(f"CPU, {USUAL_NEW:,} new lines on {USUAL_SEEN:,}", new_ms, NEW_LIMIT_MS, " ms")
    table.growth("ms, by lines seen before", {seen: new for seen, (_, new) in by_seen.items()})
    table.growth("ms, by new lines", {fresh: segments_ms(USUAL_SEEN, fresh, pairs)[1] for fresh in NEW})
    quiet, disturbed = delays_ms(pairs)
    table.note("a request while nothing is written, p99", f"{quantile(quiet, 0.99):.3f} ms")
    table.note("a request while 1,000 new lines are written each 50 ms, p99", f"{quantile(disturbed, 0.99):.3f} ms")
    delay_ms = quantile(disturbed, 0.99) - quantile(quiet, 0.99)
    if quantile(quiet, 0.99) > DELAY_LIMIT_MS:
        table.note("delay of a request, p99: the machine is too busy to tell", f"{delay_ms:.3f} ms")
    else:
        table.at_most("delay of a request, p99", delay_ms, DELAY_LIMIT_MS, " ms")
    table.end()


if __name__ == "__main__":
    main()
