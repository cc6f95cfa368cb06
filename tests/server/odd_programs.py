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
async def waiting_worker(items):
    while True:
        try:
            t, work, done = await asyncio.wait_for(take(items), 0.01)
        except TimeoutError:
            n("", @)
            continue
        n(t, @)
        await work(t)
        n(t, @)
        done.cancelled() or done.set_result(None)
async def worker_with_stop(items):
    stop = asyncio.Event()
    stopping = asyncio.create_task(stop.wait())
    while True:
        item = asyncio.create_task(take(items))
        await asyncio.wait([item, stopping], return_when=asyncio.FIRST_COMPLETED)
        t, work, done = item.result()
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
    while True:
        n(t, @)
        if t == TESTS[1]:
            n(t, @)
        t = yield
SHARED = shared()
next(SHARED)
"""

_STATEMENTS = """
--- await: async calls async
await {0}(t)
--- gather: async calls async async
await asyncio.gather({0}(t), {1}(t))
--- gather_errors: async calls async sync
await asyncio.gather({0}(t), asyncio.to_thread(fails, t), return_exceptions=True)
{1}(t)
--- group: async calls async async
async with asyncio.TaskGroup() as group:
    group.create_task({0}(t))
    n(t, @)
    group.create_task({1}(t))
--- background: async calls async
later(t, asyncio.create_task({0}(t)))
--- cancelled: async calls async
task = asyncio.create_task({0}(t))
await asyncio.sleep(0)
task.cancel()
try:
    await task
    n(t, @)
except asyncio.CancelledError:
    n(t, @)
await asyncio.sleep(0)
--- timeout: async calls async
try:
    async with asyncio.timeout(0):
        await {0}(t)
        n(t, @)
except TimeoutError:
    n(t, @)
await asyncio.sleep(0)
--- wait_for: async calls async
await asyncio.wait_for({0}(t), 60)
--- executor: async calls sync
await asyncio.get_running_loop().run_in_executor(None, {0}, t)
--- pool: async calls sync
with ThreadPoolExecutor(1) as own:
    await asyncio.get_running_loop().run_in_executor(own, {0}, t)
--- to_thread: async calls sync
await asyncio.to_thread({0}, t)
--- ask: async calls async
await ask(t, {0})
--- call: async calls sync
{0}(t)
--- stream: async calls agen
async for part in {0}(t):
    n(t, @)
--- stream_left: async calls agen
async for part in {0}(t):
    n(t, @)
    break
--- stream_late: async calls agen
stream = {0}(t)
async for part in stream:
    n(t, @)
    later(t, stream)
    break
--- stream_task: async calls agen
async def send():
    async for part in {0}(t):
        n(t, @)
await asyncio.create_task(send())
n(t, @)
--- soon: async calls sync
done = asyncio.get_running_loop().create_future()
asyncio.get_running_loop().call_soon(lambda: (n(t, @), {0}(t), done.done() or done.set_result(0)))
await done
--- at: async calls sync
done = asyncio.get_running_loop().create_future()
asyncio.get_running_loop().call_later(0.001, lambda: ({0}(t), done.done() or done.set_result(0)))
await done
--- threadsafe: async calls sync
done, loop = asyncio.Event(), asyncio.get_running_loop()
await asyncio.to_thread(loop.call_soon_threadsafe, lambda: (n(t, @), {0}(t), done.set()))
await done.wait()
--- in_turn: async calls
for number in range(3):
    n(t, @)
    await asyncio.sleep(0)
    n(t, @)
--- shared: async calls
with LOCK:
    SHARED.send(t)
--- plain: sync calls sync
{0}(t)
--- raises: sync calls
try:
    fails(t)
    n(t, @)
except Odd:
    n(t, @)
--- thread: sync calls sync
thread = threading.Thread(target={0}, args=(t,))
thread.start()
thread.join()
--- thread_late: sync calls sync
thread = threading.Thread(target={0}, args=(t,))
thread.start()
later(t, thread)
--- thread_class: sync calls sync
class Own(threading.Thread):
    def run(self):
        n(t, @)
        {0}(t)
own = Own()
own.start()
own.join()
--- timer: sync calls sync
timer = threading.Timer(0.001, {0}, (t,))
timer.start()
timer.join()
--- submit: sync calls sync
pool.submit({0}, t).result()
--- map: sync calls sync
with ThreadPoolExecutor(2) as own:
    list(own.map({0}, (t, t)))
--- callback: sync calls sync
with ThreadPoolExecutor(1) as own:
    own.submit({0}, t).add_done_callback(lambda _: n(t, @))
n(t, @)
--- ask_thread: sync calls sync
ask_thread(t, {0})
--- loop_in_thread: sync calls async
thread = threading.Thread(target=lambda: asyncio.run({0}(t)))
thread.start()
thread.join()
--- context: sync calls sync
contextvars.copy_context().run({0}, t)
--- walk: sync calls gen
for part in {0}(t):
    n(t, @)
--- left: sync calls gen
part = {0}(t)
next(part)
part.close()
n(t, @)
--- thrown: sync calls gen
part = {0}(t)
next(part)
try:
    part.throw(Odd)
except (Odd, StopIteration):
    n(t, @)
--- handed: sync calls gen
part = {0}(t)
next(part)
pool.submit(list, part).result()
n(t, @)
--- each: sync calls sync
[{0}(t) for _ in range(2)]
(lambda: n(t, @))()
--- hot: sync calls
for number in range(120):
    if t in TESTS[:2]:
        n(t, @)
    elif number == 119:
        n(t, @)
    else:
        n(t, @)
--- yield_from: gen calls gen
yield from {0}(t)
--- gen_call: gen calls sync
{0}(t)
--- gen_yield: gen calls
yield 1
n(t, @)
--- agen_await: agen calls async
await {0}(t)
yield 1
--- agen_for: agen calls agen
async for part in {0}(t):
    n(t, @)
    yield part
--- agen_yield: agen calls
yield 1
n(t, @)
"""


def _read_statements() -> dict[str, tuple[str, str, str]]:
    """Return for each statement the color of the function it stands in, those of what it calls, and its text."""
    statements = {}
    for each in _STATEMENTS.split("--- ")[1:]:
        head, _, text = each.partition("\n")
        name, _, colors = head.partition(": ")
        color, _, calls = colors.partition(" calls")
        statements[name] = color, calls, text.rstrip("\n")
    return statements


STATEMENTS = _read_statements()
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
            statement = draw(_statements(place, colors, half))
            cost = sum(weights[call] for call in statement.calls) if statement else 0
            if statement and weights[place] + 2 * cost <= MOST_CALLS:
                weights[place] += 2 * cost
                statements.append(statement)
        functions.append(Function(colors[place], tuple(statements), draw(st.booleans())))
    return tuple(reversed(functions))


@st.composite
def _statements(draw: st.DrawFn, place: int, colors: list[str], half: int) -> Statement | None:
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
