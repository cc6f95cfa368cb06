"""Run the programs of ``odd_programs`` as a server does, all tests at once, and print what they have noted.

It runs in a process of its own, which is recorded, with the folder that holds the package ``odd`` as its argument.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any

PATIENCE_S = 120.0

noted: set[tuple[str, str, int]] = set()
may_be: set[tuple[str, str, int]] = set()
left: list[tuple[str, Any]] = []
pool = ThreadPoolExecutor(4)
LOCK = threading.Lock()
main_loop: asyncio.AbstractEventLoop
async_items: list[asyncio.Queue[Any]] = []
thread_items: queue.Queue[Any] = queue.Queue()


class Odd(Exception):  # noqa: N818 - what the programs raise
    """Raised on purpose."""


def n(test: str, line: int) -> None:
    """Note that a line runs for a test."""
    noted.add((sys._getframe(1).f_globals["__name__"], test, line))


def m(test: str, line: int) -> None:
    """Note that a line runs that may be counted for a test."""
    may_be.add((sys._getframe(1).f_globals["__name__"], test, line))


def later(test: str, what: Any) -> None:
    """Leave something for the end: a task, a thread, a stream."""
    left.append((test, what))


async def ask(test: str, work: Callable[[str], Awaitable[object]]) -> None:
    """Have one of the shared workers do something."""
    if asyncio.get_running_loop() is not main_loop:
        await work(test)
        return
    done = main_loop.create_future()
    await async_items[len(noted) % len(async_items)].put((test, work, done))
    await done


def ask_thread(test: str, work: Callable[[str], object]) -> None:
    """Have the shared thread do something."""
    done = threading.Event()
    thread_items.put((test, work, done))
    assert done.wait(PATIENCE_S)


def begin(test: str) -> Any:
    """Begin a request, as a wrapped server does."""
    return attribution().begin_request([f"vmpilot-cov={test}"] if test else ["k=v"], lambda: (None, None))


def attribution() -> Any:
    """Return what tells tests apart here."""
    return sys._vmpilot_cov.recorder.attribution  # type: ignore[attr-defined]


async def serve(module: Any, test: str) -> None:
    """Answer a request of a test as an async server does."""
    request = begin(test)
    try:
        with suppress(asyncio.CancelledError):
            await module.f0(test)
        for each, stream in left.copy():
            if each == test and hasattr(stream, "aclose"):
                left.remove((each, stream))
                with suppress(RuntimeError):
                    await stream.aclose()
    finally:
        attribution().end_request(request)


def serve_in_thread(module: Any, test: str) -> None:
    """Answer a request of a test as a server with threads does."""
    request = begin(test)
    try:
        module.f1(test)
    finally:
        attribution().end_request(request)


async def clear_up() -> None:
    """Wait for what was left for the end."""
    while left:
        _, what = left.pop()
        if isinstance(what, threading.Thread):
            await asyncio.to_thread(what.join, PATIENCE_S)
        elif isinstance(what, asyncio.Task) and what.get_loop() is main_loop:
            await asyncio.wait([what])


async def run(module: Any) -> None:
    """Run one program for all tests at once."""
    global main_loop  # noqa: PLW0603
    main_loop = asyncio.get_running_loop()
    works = module.worker, module.second_worker, module.waiting_worker, module.worker_with_stop
    async_items[:] = [asyncio.Queue() for _ in works]
    workers = [asyncio.create_task(work(items)) for work, items in zip(works, async_items, strict=True)]
    thread = threading.Thread(target=module.thread_worker, args=(thread_items,), daemon=True)
    thread.start()
    await asyncio.sleep(0)
    tests = [*module.TESTS, ""]
    threads = [threading.Thread(target=serve_in_thread, args=(module, test)) for test in tests]
    for each in threads:
        each.start()
    await asyncio.gather(*(serve(module, test) for test in tests))
    for each in threads:
        await asyncio.to_thread(each.join, PATIENCE_S)
    await clear_up()
    thread_items.put(None)
    await asyncio.to_thread(thread.join, PATIENCE_S)
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers)


def main() -> None:
    """Run all programs, and print for each module what was noted."""
    sys.modules["driver"] = sys.modules["__main__"]
    threading.excepthook = lambda error: (sys.__excepthook__(*error[:3]), os._exit(1))  # type: ignore[arg-type, func-returns-value]
    sys.setswitchinterval(float(os.environ.get("ODD_SWITCH_S", "1e-5")))
    count = int(sys.argv[1])
    gc.disable()  # what closes a stream that was left is to be the last reference to it
    for number in range(count):
        module = import_module(f"odd.p{number}")
        asyncio.run(run(module))
        gc.collect()
    pool.shutdown()
    core = sys._vmpilot_cov.recorder.core  # type: ignore[attr-defined]
    sys.stdout.write(
        json.dumps({"core": core, "noted": sorted(noted), "may_be": sorted(may_be), "reason": attribution().reason})
    )


if __name__ == "__main__":
    main()
