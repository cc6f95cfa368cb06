"""Tags travel with work that is handed on: to threads, to pools of them, and through queues.

Tasks, ``call_soon`` and its kind, and ``asyncio.to_thread`` take their context along; what is here does not. It is
wrapped once a test is heard of, so a process that serves none is left as it is.

A queue lends the test of an item to whoever takes it out, until it comes for the next: a worker that serves many. A
request that takes a message from its own queue stays what it is.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial, wraps
from typing import Any, TypeAlias

from server_hook.attribution.tags import REQUEST, TEST, Request, doer, task_now
from server_hook.attribution.waiting import those_waiting_for
from server_hook.environment import process_state

Owner: TypeAlias = tuple[str, "Request | None"]
"""Whose work something is: a test, and the request that it comes from."""

_OWNER = "_vmpilot_cov_owner"
_TESTS = "_vmpilot_cov_tests"
_NOBODYS: Owner = ("", None)


def carry() -> None:
    """Let tags travel by all ways that are loaded and not wrapped yet."""
    for name, wrap in _WAYS.items():
        module = sys.modules.get(name)
        if module is not None and not hasattr(module, _OWNER):
            setattr(module, _OWNER, _NOBODYS)  # ours for good, however often our modules are imported
            with suppress(TypeError, AttributeError):  # gevent has put queues of its own there, written in C
                wrap(module)


def _now() -> Owner:
    return TEST.get(), REQUEST.get()


def _become(owner: Owner) -> None:
    TEST.set(owner[0])
    REQUEST.set(owner[1])


def _run_for(owner: Owner, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any
    before = _now()
    _become(owner)
    try:
        return function(*args, **kwargs)
    finally:
        _become(before)


def _wrap_threads(threading: Any) -> None:  # noqa: ANN401 - the module
    start, bootstrap = threading.Thread.start, threading.Thread._bootstrap

    @wraps(start)
    def start_and_tag(self: Any) -> None:  # noqa: ANN401 - a Thread
        owner = _now()
        if owner[0]:
            vars(self)[_OWNER] = owner
        start(self)

    @wraps(bootstrap)
    def run_tagged(self: Any) -> None:  # noqa: ANN401 - a Thread
        owner = vars(self).pop(_OWNER, None)
        if owner is not None:
            context = vars(self).get("_context")  # from Python 3.14 on a thread runs in one, which may be empty
            if context is None:
                _become(owner)
            elif TEST not in context:
                context.run(_become, owner)
        bootstrap(self)

    # the outermost call of a new thread: a frame of ours around run() would stand in the tracebacks of the application
    threading.Thread.start, threading.Thread._bootstrap = start_and_tag, run_tagged


def _wrap_pools(pools: Any) -> None:  # noqa: ANN401 - the module
    pools.ThreadPoolExecutor.submit = _handing_on(pools.ThreadPoolExecutor.submit)


def _handing_on(submit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(submit)
    def submit_tagged(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as submit
        owner = _now()
        if not owner[0] or type(self).__module__ == "concurrent.futures.interpreter":  # that one pickles what it runs
            return submit(self, fn, *args, **kwargs)
        _become(_NOBODYS)  # the pool may start a thread for it, which will serve others
        try:
            return submit(self, partial(_run_for, owner, fn), *args, **kwargs)
        finally:
            _become(owner)

    return submit_tagged


def _wrap_twisted_pools(pools: Any) -> None:  # noqa: ANN401 - the module
    call = pools.ThreadPool.callInThreadWithCallback

    @wraps(call)
    def call_tagged(self: Any, on_result: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        owner = _now()
        _become(_NOBODYS)  # as above
        try:
            # nobody's as well: whichever thread is free next puts this into the queue of another one
            call(self, on_result, _run_for, owner, func, *args, **kwargs)
        finally:
            _become(owner)

    pools.ThreadPool.callInThreadWithCallback = call_tagged


def _wrap_futures(futures: Any) -> None:  # noqa: ANN401 - the module
    add = futures.Future.add_done_callback

    @wraps(add)
    def add_tagged(self: Any, fn: Callable[[Any], object]) -> None:  # noqa: ANN401 - a Future
        owner = _now()
        add(self, partial(_run_for, owner, fn) if owner[0] else fn)

    futures.Future.add_done_callback = add_tagged


def _wrap_gevent(gevent: Any) -> None:  # noqa: ANN401 - the module
    for name in ("spawn", "spawn_later"):
        setattr(gevent, name, _tagging(getattr(gevent, name)))


def _tagging(spawn: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(spawn)
    def spawn_tagged(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as spawn
        greenlet = spawn(*args, **kwargs)
        _tag_greenlet(greenlet)
        return greenlet

    return spawn_tagged


def _wrap_greenlet_threads(pools: Any) -> None:  # noqa: ANN401 - the module
    pools.ThreadPool.spawn = _handing_on(pools.ThreadPool.spawn)


def _wrap_greenlet_pools(pools: Any) -> None:  # noqa: ANN401 - the module
    for name in ("map", "map_async", "imap", "imap_unordered"):  # in a greenlet that spawns the others
        setattr(pools.GroupMappingMixin, name, _handing_on(getattr(pools.GroupMappingMixin, name)))
    for kind in (pools.Group, pools.Pool):
        add = vars(kind)["add"]

        def add_tagged(self: Any, greenlet: Any, *args: Any, _add: Callable[..., Any] = add, **kwargs: Any) -> Any:  # noqa: ANN401 - as add
            _tag_greenlet(greenlet)
            return _add(self, greenlet, *args, **kwargs)

        kind.add = wraps(add)(add_tagged)


def _tag_greenlet(greenlet: Any) -> None:  # noqa: ANN401 - one of any kind
    """Give a greenlet that has not begun a context; it would begin with an empty one."""
    owner = _now()
    if owner[0] and greenlet.gr_context is None and greenlet.gr_frame is None:
        context = Context()
        context.run(_become, owner)
        greenlet.gr_context = context


def _wrap_queues(queues: Any) -> None:  # noqa: ANN401 - the module
    get = queues.Queue.get
    _wrap_items(queues.Queue, get)

    @wraps(get)
    def get_tagged(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002 - as get
        _give_back()
        return get(self, block, timeout)

    queues.Queue.get = get_tagged


def _wrap_async_queues(queues: Any) -> None:  # noqa: ANN401 - the module
    get, get_nowait = queues.Queue.get, queues.Queue.get_nowait
    _wrap_items(queues.Queue, get_nowait)

    @wraps(get)
    async def get_tagged(self: Any) -> Any:  # noqa: ANN401 - a Queue
        _give_back()
        return await get(self)  # which calls the other one

    @wraps(get_nowait)
    def get_tagged_now(self: Any) -> Any:  # noqa: ANN401 - a Queue
        _give_back()
        return get_nowait(self)

    queues.Queue.get, queues.Queue.get_nowait = get_tagged, get_tagged_now


def _wrap_items(queue: Any, getter: Any) -> None:  # noqa: ANN401 - a class, and its method that takes an item out
    """Keep the tests of the items beside them; a queue of another order has its own ``_put`` and ``_get``."""
    init, put, get = queue._init, queue._put, queue._get

    @wraps(init)
    def init_tagged(self: Any, maxsize: int) -> None:  # noqa: ANN401 - a queue
        init(self, maxsize)
        vars(self)[_OWNER] = TEST.get()

    @wraps(put)
    def put_tagged(self: Any, item: Any) -> None:  # noqa: ANN401 - a queue, and what goes into it
        tests = _tests_of(self)
        put(self, item)
        tests.append(TEST.get())

    @wraps(get)
    def get_tagged(self: Any) -> Any:  # noqa: ANN401 - a queue
        tests = _tests_of(self)
        item = get(self)
        test = tests.popleft() if tests else ""
        # by its code: a thread may have waited in it since before it was wrapped, and a shutdown takes items out, too
        if sys._getframe(1).f_code is getter.__code__:
            _borrow(test, vars(self).get(_OWNER, ""))
        return item

    queue._init, queue._put, queue._get = init_tagged, put_tagged, get_tagged


def _tests_of(queue: Any) -> deque[str]:  # noqa: ANN401 - a queue
    """Return the tests of a queue's items; nobody's where they do not fit, because something else has put them in."""
    tests: deque[str] | None = vars(queue).get(_TESTS)
    items = vars(queue).get("queue", vars(queue).get("_queue", ()))
    if tests is None or len(tests) != len(items):
        tests = vars(queue)[_TESTS] = deque([""] * len(items))
    return tests


def _give_back() -> None:
    """Be nobody's while there is nothing to do, unless this is a request that is being answered."""
    if _return_loan():
        _resume()
        for _, context in those_waiting_for(task_now()):
            with suppress(RuntimeError):  # it shares this one's context
                if not context.run(_return_loan):
                    return


def _return_loan() -> bool:
    test, request = _now()
    if not test or (request is not None and request.is_open):
        return False
    _become(_NOBODYS)
    return True


def _borrow(test: str, creator: str) -> None:
    """Work for the test of an item, with those who wait for this task to take it.

    Args:
        test: whose item it is.
        creator: whose queue it is.
    """
    if test in ("", TEST.get()):
        return
    waiting = list(those_waiting_for(task_now()))
    doers = [doer(), *(number for number, _ in waiting)]
    if _take_loan(test, creator, doers):
        _resume()
        for place, (_, context) in enumerate(waiting, 1):
            with suppress(RuntimeError):  # it shares this one's context
                if not context.run(_take_loan, test, creator, doers[place:]):
                    return


def _take_loan(test: str, creator: str, doers: list[int]) -> bool:
    mine, request = _now()
    if request is not None and request.is_open and (creator == mine or request.owner in doers):
        return False  # it waits for a message, which another one may have sent
    _become((test, None))
    return True


def _resume() -> None:
    recorder = process_state().recorder
    if recorder is not None:
        recorder.attribution.resume(sys._getframe(2))


_WAYS: dict[str, Callable[[Any], None]] = {
    "threading": _wrap_threads,
    "concurrent.futures.thread": _wrap_pools,
    "concurrent.futures._base": _wrap_futures,
    "twisted.python.threadpool": _wrap_twisted_pools,
    "gevent": _wrap_gevent,
    "gevent.pool": _wrap_greenlet_pools,
    "gevent.threadpool": _wrap_greenlet_threads,
    "queue": _wrap_queues,
    "asyncio.queues": _wrap_async_queues,
}
"""How tags travel through what a module has."""
