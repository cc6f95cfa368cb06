"""Programs that do several things at once: threads, asyncio, greenlets."""

from __future__ import annotations

import signal
from importlib.util import find_spec

from tests.programs.program import Program

PROGRAMS = {
    "threads": Program("""
        import threading
        from work import work
        barrier, local, lock, seen = threading.Barrier(4), threading.local(), threading.Lock(), []

        def run(number):
            local.number = work(number)
            barrier.wait()
            with lock:
                seen.append(local.number)

        threads = [threading.Thread(target=run, args=[number], name=f"T{number}") for number in range(4)]
        print(threading.active_count(), [each.name for each in threading.enumerate()], threading.stack_size())
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        timer = threading.Timer(0.01, print, ["timer"])
        timer.start()
        timer.join()
        print(sorted(seen), threading.active_count(), threading.main_thread().name)
    """),
    "error in a thread": Program("""
        import threading
        from work import work
        thread = threading.Thread(target=work, args=["a"], name="bad")
        thread.start()
        thread.join()
        threading.excepthook = lambda each: print("hook", each.exc_type, each.thread.name)
        thread = threading.Thread(target=lambda: 1 / 0, name="worse")
        thread.start()
        thread.join()
    """),
    "_thread": Program(
        """
        import _thread, time
        from work import work
        lock = _thread.allocate_lock()
        lock.acquire()
        _thread.start_new_thread(lambda: (work(), lock.release()), ())
        print(lock.acquire(timeout=60), _thread._count())
        try:
            _thread.start_new_thread(_thread.interrupt_main, ())
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            print("interrupted", work())
        """,
        prints="True 1\ninterrupted 2\n",
    ),
    "frames of all threads": Program(
        "import sys, time\nfrom work import work\nwork()\ntime.sleep(0.3)\nprint(len(sys._current_frames()))\n",
        prints="2\n",
    ),
    "pool of threads": Program("""
        from concurrent.futures import ThreadPoolExecutor, as_completed
        from work import work
        with ThreadPoolExecutor(3, thread_name_prefix="pool") as pool:
            waiting = [pool.submit(work, number) for number in [*range(5), "bad"]]
            print(sorted(repr(each.exception() or each.result()) for each in as_completed(waiting)))
    """),
    "context variables": Program("""
        import asyncio, contextvars, threading
        from work import work
        variable = contextvars.ContextVar("variable", default=0)
        print(len(contextvars.copy_context()))

        async def add():
            variable.set(work(variable.get()))
            await asyncio.sleep(0)
            return variable.get()

        async def main():
            variable.set(5)
            return await asyncio.gather(add(), add()), variable.get()

        print(asyncio.run(main()), variable.get(), contextvars.copy_context().run(variable.get))
    """),
    "asyncio": Program("""
        import asyncio
        from work import work

        async def slow(number):
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                print("cancelled", work(number))
                raise

        async def main():
            task = asyncio.create_task(slow(1), name="slow")
            await asyncio.sleep(0)
            task.cancel()
            print(await asyncio.gather(task, asyncio.to_thread(work, 4), return_exceptions=True))
            try:
                async with asyncio.timeout(0.01):
                    await slow(2)
            except TimeoutError:
                print("late")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.to_thread(work, "a"))
                    group.create_task(slow(3))
            except* TypeError as errors:
                print(errors.exceptions)

        asyncio.run(main())
    """),
    "asyncio, by Ctrl-C": Program(
        """
        import asyncio
        from work import work

        async def main():
            try:
                print("ready", flush=True)
                await asyncio.sleep(600)
            finally:
                print("cleaned", work())

        asyncio.run(main())
        """,
        sends=signal.SIGINT,
        shell='exec "$@"',
    ),
    "asyncio, by SIGTERM": Program(
        """
        import asyncio, signal
        from work import work

        async def main():
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_signal_handler(signal.SIGTERM, ended.set)
            print("ready", flush=True)
            await ended.wait()
            print(loop.remove_signal_handler(signal.SIGTERM), signal.getsignal(signal.SIGTERM), work())

        asyncio.run(main())
        """,
        sends=signal.SIGTERM,
        shell='exec "$@"',
    ),
    "children of asyncio": Program("""
        import asyncio, sys
        from work import work

        async def main():
            code = "import sys, work; print(sys.stdin.read(), work.work())"
            pipe = asyncio.subprocess.PIPE
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
            print(await child.communicate(b"given"), child.returncode, work())
            child = await asyncio.create_subprocess_shell("exit 4")
            print(await child.wait())

        asyncio.run(main())
    """),
    "asyncio's debug mode": Program(
        """
        import asyncio
        from work import work

        async def never():
            work()

        async def main():
            never()
            asyncio.create_task(never())
            asyncio.get_running_loop().slow_callback_duration = 600
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)

        asyncio.run(main(), debug=True)
        """,
        options=("-X", "dev", "main.py"),
    ),
    "coroutines that are never awaited": Program("""
        import asyncio
        from work import work

        async def never():
            return work()

        never()
        coroutine = never()
        coroutine.close()
        work()
        left = never()
    """),
    "generators that are left": Program("""
        import asyncio
        from work import work

        async def count():
            try:
                for number in range(9):
                    yield work(number)
            finally:
                print("closed")

        async def main():
            async for number in count():
                print(number)
                break

        asyncio.run(main())
    """),
    "server of asyncio": Program("""
        import asyncio
        from work import work

        async def answer(reader, writer):
            writer.write(b"%s %d" % (await reader.readline(), work()))
            writer.close()

        async def main():
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.write(b"hello\\n")
                print(await reader.read())
                writer.close()

        asyncio.run(main())
    """),
    "scheduler and queues": Program("""
        import queue, sched, threading, time
        from work import work
        scheduler = sched.scheduler()
        for delay in (0.02, 0.01):
            scheduler.enter(delay, 1, lambda delay=delay: print(delay, work()))
        scheduler.run()
        numbers = queue.PriorityQueue()
        thread = threading.Thread(target=lambda: [numbers.put(each) for each in (3, 1, 2)])
        thread.start()
        thread.join()
        print([numbers.get() for _ in range(3)])
    """),
    "gevent": Program(
        """
        from gevent import monkey
        monkey.patch_all()
        import os, signal, subprocess, sys, threading, time
        import gevent
        from work import work

        def run(number):
            time.sleep(0.01 * number)
            return work(number)

        print([each.get() for each in [gevent.spawn(run, number) for number in (2, 0, 1)]])
        thread = threading.Thread(target=run, args=[1])
        thread.start()
        thread.join()
        print(subprocess.run([sys.executable, "-c", "import work; print(work.work())"]).returncode)
        if not os.fork():
            os._exit(run(1))
        print(os.waitpid(-1, 0)[1])
        signal.signal(signal.SIGTERM, lambda *_: print("handled", work()))
        os.kill(os.getpid(), signal.SIGTERM)
        gevent.sleep(0.05)
        """,
        options=("-W", "ignore", "main.py"),
        lacks=lambda: find_spec("gevent") is None,
    ),
    "greenlets": Program(
        """
        import greenlet
        from work import work

        def there():
            print("there", work(), back.switch("from there"))
            raise ValueError("out")

        back = greenlet.getcurrent()
        other = greenlet.greenlet(there)
        print(other.switch())
        try:
            other.switch("again")
        except ValueError as error:
            print(error, other.dead)
        """,
        lacks=lambda: find_spec("greenlet") is None,
    ),
}
