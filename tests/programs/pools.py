"""Programs with the children of multiprocessing: pools, queues, memory that is shared."""

from __future__ import annotations

from tests.programs.program import Program

POOL = """
    import multiprocessing, sys
    from work import work

    def main():
        multiprocessing.set_start_method("METHOD")
        with multiprocessing.Pool(2) as pool:
            print(pool.map(work, range(20)))
            pool.close()
            pool.join()
        child = multiprocessing.Process(target=sys.exit, args=[7])
        child.start()
        child.join()
        print(child.exitcode, multiprocessing.active_children())

    if __name__ == "__main__":
        main()
"""

PROGRAMS = {
    "pool by fork": Program(POOL.replace("METHOD", "fork"), options=("-W", "ignore", "main.py")),
    "pool by spawn": Program(POOL.replace("METHOD", "spawn")),
    "pool by forkserver": Program(POOL.replace("METHOD", "forkserver")),
    "processes that are ended": Program("""
        import multiprocessing, time
        from work import work

        def sleep(ready):
            work()
            ready.set()
            time.sleep(600)

        if __name__ == "__main__":
            for end in ("terminate", "kill"):
                context = multiprocessing.get_context("spawn")
                ready = context.Event()
                child = context.Process(target=sleep, args=[ready], daemon=True)
                child.start()
                ready.wait()
                getattr(child, end)()
                child.join()
                print(child.exitcode)
    """),
    "queues and a manager": Program("""
        import multiprocessing
        from work import work

        def double(taken, given, shared):
            shared["pid"] = multiprocessing.parent_process() is not None
            while (number := taken.get()) is not None:
                given.put(work(number))

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            with context.Manager() as manager:
                shared, taken, given = manager.dict(), context.Queue(), context.Queue()
                child = context.Process(target=double, args=[taken, given, shared])
                child.start()
                for number in [1, 2, 3, None]:
                    taken.put(number)
                print([given.get() for _ in range(3)], dict(shared))
                child.join()
    """),
    "shared memory": Program("""
        import multiprocessing
        from multiprocessing import shared_memory
        from work import work

        def fill(name):
            memory = shared_memory.SharedMemory(name)
            memory.buf[0] = work(41)
            memory.close()

        if __name__ == "__main__":
            memory = shared_memory.SharedMemory(create=True, size=10)
            child = multiprocessing.get_context("spawn").Process(target=fill, args=[memory.name])
            child.start()
            child.join()
            print(memory.buf[0], child.exitcode)
            memory.close()
            memory.unlink()
    """),
    "a pool whose worker ends": Program("""
        import os
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context
        from work import work

        if __name__ == "__main__":
            with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=work) as pool:
                print(list(pool.map(work, range(9), chunksize=2)))
                try:
                    pool.submit(os._exit, 3).result()
                except BrokenProcessPool as error:
                    print(str(error)[:40])
    """),
}
