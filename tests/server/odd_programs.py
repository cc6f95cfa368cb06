"""Programs made at random, which do with their work what servers do with theirs, and note whose each line is.

Every function is given the test that it works for, and hands it on by hand. A line that calls ``n`` notes it, with the
line's own number. So the program itself is the witness, whatever becomes of contexts on the way. ``m`` notes what may
run in a context of nobody's: a generator that was left is closed by whoever drops the last reference to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

TESTS = ("a|run", "b|run", "c|run", "d|run")
MOST_CALLS = 60
"""How many calls one function may lead to, all told."""
KINDS = ("async", "sync", "agen", "gen")

HEAD = """
import asyncio, contextvars, functools, threading
from concurrent.futures import ThreadPoolExecutor
from driver import LOCK, Odd, ask, ask_thread, later, m, n, pool
"""
WORKERS = """
async def worker(items):
    while True:
        t, work, done = await items.get()
        n(t, @)
        try:
            await work(t)
            n(t, @)
        except Exception:
            n(t, @)
        finally:
            n(t, @)
            done.cancelled() or done.set_result(None)
async def take(items):
    return await items.get()
async def second_worker(items):
    while True:
        try:
            t, work, done = await take(items)
        except ValueError:
            n("", @)
        n(t, @)
        await work(t)
        n(t, @)
        done.cancelled() or done.set_result(None)
def thread_worker(items):
    while True:
        item = items.get()
        if item is None:
            return
        t, work, done = item
        n(t, @)
        work(t)
        if t == TESTS[0]:
            n(t, @)
        else:
            n(t, @)
        done.set()
def shared():
    t = yield
    while t:
        n(t, @)
        if t == TESTS[1]:
            n(t, @)
        t = yield
SHARED = shared()
next(SHARED)
"""

STATEMENTS: dict[str, tuple[str, str, str]] = {
    # name: (color of the function it stands in, colors of the functions that it calls, text)
    "await": ("async", "async", "await {0}(t)"),
    "gather": ("async", "async async", "await asyncio.gather({0}(t), {1}(t))"),
    "gather_errors": (
        "async",
        "async sync",
        "await asyncio.gather({0}(t), asyncio.to_thread(fails, t), return_exceptions=True)\n{1}(t)",
    ),
    "group": (
        "async",
        "async async",
        "async with asyncio.TaskGroup() as group:\n    group.create_task({0}(t))\n    n(t, @)\n    group.create_task({1}(t))",
    ),
    "background": ("async", "async", "later(t, asyncio.create_task({0}(t)))"),
    "cancelled": (
        "async",
        "async",
        "task = asyncio.create_task({0}(t))\nawait asyncio.sleep(0)\ntask.cancel()\n"
        "try:\n    await task\n    n(t, @)\nexcept asyncio.CancelledError:\n    n(t, @)\nawait asyncio.sleep(0)",
    ),
    "timeout": (
        "async",
        "async",
        "try:\n    async with asyncio.timeout(0):\n        await {0}(t)\n        n(t, @)\nexcept TimeoutError:\n    n(t, @)\nawait asyncio.sleep(0)",
    ),
    "wait_for": ("async", "async", "await asyncio.wait_for({0}(t), 60)"),
    "executor": ("async", "sync", "await asyncio.get_running_loop().run_in_executor(None, {0}, t)"),
    "pool": (
        "async",
        "sync",
        "with ThreadPoolExecutor(1) as own:\n    await asyncio.get_running_loop().run_in_executor(own, {0}, t)",
    ),
    "to_thread": ("async", "sync", "await asyncio.to_thread({0}, t)"),
    "ask": ("async", "async", "await ask(t, {0})"),
    "call": ("async", "sync", "{0}(t)"),
    "stream": ("async", "agen", "async for part in {0}(t):\n    n(t, @)"),
    "stream_left": ("async", "agen", "async for part in {0}(t):\n    n(t, @)\n    break"),
    "stream_late": (
        "async",
        "agen",
        "stream = {0}(t)\nasync for part in stream:\n    n(t, @)\n    later(t, stream)\n    break",
    ),
    "stream_task": (
        "async",
        "agen",
        "async def send():\n    async for part in {0}(t):\n        n(t, @)\nawait asyncio.create_task(send())\nn(t, @)",
    ),
    "soon": (
        "async",
        "sync",
        "done = asyncio.get_running_loop().create_future()\n"
        "asyncio.get_running_loop().call_soon(lambda: (n(t, @), {0}(t), done.cancelled() or done.set_result(None)))\nawait done",
    ),
    "at": (
        "async",
        "sync",
        "done = asyncio.get_running_loop().create_future()\n"
        "asyncio.get_running_loop().call_later(0.001, lambda: ({0}(t), done.cancelled() or done.set_result(None)))\nawait done",
    ),
    "threadsafe": (
        "async",
        "sync",
        "done, loop = asyncio.Event(), asyncio.get_running_loop()\n"
        "await asyncio.to_thread(loop.call_soon_threadsafe, lambda: (n(t, @), {0}(t), done.set()))\nawait done.wait()",
    ),
    "in_turn": ("async", "", "for number in range(3):\n    n(t, @)\n    await asyncio.sleep(0)\n    n(t, @)"),
    "shared": ("async", "", "with LOCK:\n    SHARED.send(t)"),
    "plain": ("sync", "sync", "{0}(t)"),
    "raises": ("sync", "", "try:\n    fails(t)\n    n(t, @)\nexcept Odd:\n    n(t, @)"),
    "thread": ("sync", "sync", "thread = threading.Thread(target={0}, args=(t,))\nthread.start()\nthread.join()"),
    "thread_late": (
        "sync",
        "sync",
        "thread = threading.Thread(target={0}, args=(t,))\nthread.start()\nlater(t, thread)",
    ),
    "thread_class": (
        "sync",
        "sync",
        "class Own(threading.Thread):\n    def run(self):\n        n(t, @)\n        {0}(t)\nown = Own()\nown.start()\nown.join()",
    ),
    "timer": ("sync", "sync", "timer = threading.Timer(0.001, {0}, (t,))\ntimer.start()\ntimer.join()"),
    "submit": ("sync", "sync", "pool.submit({0}, t).result()"),
    "map": ("sync", "sync", "with ThreadPoolExecutor(2) as own:\n    list(own.map({0}, (t, t)))"),
    "callback": (
        "sync",
        "sync",
        "with ThreadPoolExecutor(1) as own:\n    own.submit({0}, t).add_done_callback(lambda _: n(t, @))\nn(t, @)",
    ),
    "ask_thread": ("sync", "sync", "ask_thread(t, {0})"),
    "loop_in_thread": (
        "sync",
        "async",
        "thread = threading.Thread(target=lambda: asyncio.run({0}(t)))\nthread.start()\nthread.join()",
    ),
    "context": ("sync", "sync", "contextvars.copy_context().run({0}, t)"),
    "walk": ("sync", "gen", "for part in {0}(t):\n    n(t, @)"),
    "left": ("sync", "gen", "part = {0}(t)\nnext(part)\npart.close()\nn(t, @)"),
    "thrown": (
        "sync",
        "gen",
        "part = {0}(t)\nnext(part)\ntry:\n    part.throw(Odd)\nexcept (Odd, StopIteration):\n    n(t, @)",
    ),
    "handed": ("sync", "gen", "part = {0}(t)\nnext(part)\npool.submit(list, part).result()\nn(t, @)"),
    "each": ("sync", "sync", "[{0}(t) for _ in range(2)]\n(lambda: n(t, @))()"),
    "hot": (
        "sync",
        "",
        "for number in range(120):\n    if t in TESTS[:2]:\n        n(t, @)\n    elif number == 119:\n        n(t, @)\n    else:\n        n(t, @)",
    ),
    "yield_from": ("gen", "gen", "yield from {0}(t)"),
    "gen_call": ("gen", "sync", "{0}(t)"),
    "gen_yield": ("gen", "", "yield 1\nn(t, @)"),
    "agen_await": ("agen", "async", "await {0}(t)\nyield 1"),
    "agen_for": ("agen", "agen", "async for part in {0}(t):\n    n(t, @)\n    yield part"),
    "agen_yield": ("agen", "", "yield 1\nn(t, @)"),
}
# after an error that was thrown into it, a coroutine is to wait once more before it returns: below Python 3.12 its
# caller goes on without a call event then, and coverage.py's tracer measures nothing more of that caller
SMALL_ONLY = {"ask", "submit", "ask_thread", "handed", "executor"}
"""What waits for a worker of which there are few: what it calls must not wait for one, too."""
_OUTER = {"async": "async def", "sync": "def", "agen": "async def", "gen": "def"}


@dataclass(frozen=True)
class Statement:
    """One statement of a function."""

    name: str
    calls: tuple[int, ...]
    """The functions that it calls."""
    tests: int
    """Which tests reach it, one bit each; nobody's work does if all do."""


@dataclass(frozen=True)
class Function:
    """One function."""

    color: str
    statements: tuple[Statement, ...]
    guarded: bool
    """Whether it looks after itself when it is cancelled or left."""


Program = tuple[Function, ...]


@st.composite
def programs(draw: st.DrawFn, most: int = 12) -> Program:
    """Draw a program: functions that call only later ones, the first of them async and sync."""
    count = draw(st.integers(4, most))
    colors = ["async", "sync", *(draw(st.sampled_from(KINDS)) for _ in range(count - 2))]
    half, weights = count // 2, [1] * count
    functions: list[Function] = []
    for place in reversed(range(count)):
        statements = []
        for _ in range(draw(st.integers(0 if place > 1 else 2, 4))):
            statement = draw(_statements(place, colors, half, weights))
            cost = sum(weights[call] for call in statement.calls) if statement else 0
            if statement and weights[place] + 2 * cost <= MOST_CALLS:
                weights[place] += 2 * cost
                statements.append(statement)
        functions.append(Function(colors[place], tuple(statements), draw(st.booleans())))
    return tuple(reversed(functions))


@st.composite
def _statements(draw: st.DrawFn, place: int, colors: list[str], half: int, weights: list[int]) -> Statement | None:
    names = [
        name
        for name, (color, _, _) in STATEMENTS.items()
        if color == colors[place] and (name not in SMALL_ONLY or place < half)
    ]
    name = draw(st.sampled_from(names))
    first = max(place + 1, half if name in SMALL_ONLY else 0)
    calls = []
    for color in STATEMENTS[name][1].split():
        able = [each for each in range(first, len(colors)) if colors[each] == color]
        if not able:
            return None
        calls.append(draw(st.sampled_from(able)))
    return Statement(name, tuple(calls), draw(st.sampled_from([0, 0, 0, 1, 2, 5, 6, 11, 14])))


def source_of(program: Program) -> str:
    """Write a program down; each ``@`` becomes the number of its line."""
    text = HEAD + f"TESTS = {TESTS!r}\n" + "def fails(t):\n    n(t, @)\n    raise Odd\n" + WORKERS
    for place, function in enumerate(program):
        text += f"{_OUTER[function.color]} f{place}(t):\n"
        body = "n(t, @)\n" + "".join(map(_text_of, function.statements))
        if function.color in ("agen", "gen"):
            body += "yield 0\n"
        body += "n(t, @)\n"
        if function.color == "async":
            body = "await asyncio.sleep(0)\n" + body
        if function.guarded:
            kinds = "(asyncio.CancelledError, GeneratorExit)"
            note = "m" if "gen" in function.color else "n"
            body = f"try:\n{_indented(body)}except {kinds}:\n    {note}(t, @)\n    raise\nfinally:\n    {note}(t, @)\n"
        text += _indented(body)
    lines = text.split("\n")
    return "\n".join(line.replace("@", str(number)) for number, line in enumerate(lines, 1))


def _text_of(statement: Statement) -> str:
    text = STATEMENTS[statement.name][2].format(*(f"f{call}" for call in statement.calls)) + "\nn(t, @)\n"
    if not statement.tests:
        return text
    chosen = tuple(test for place, test in enumerate(TESTS) if statement.tests >> place & 1)
    return f"if t in {chosen!r}:\n{_indented(text)}else:\n    n(t, @)\n"


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.rstrip("\n").split("\n"))
