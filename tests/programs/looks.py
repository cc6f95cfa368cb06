"""Programs that look at themselves: functions, modules, memory, audit events, descriptors."""

from __future__ import annotations

from tests.programs.program import Program

LATE_IMPORTS = """
    import os, sys
    is_ending = []

    def hear(event, arguments):
        if is_ending and event == "import":
            os.write(1, f"{arguments[0]}\\\\n".encode())

    from work import work
    work()
    sys.addaudithook(hear)
    is_ending.append(True)
    END
"""

PROGRAMS = {
    "pickled functions": Program("""
        import copy, os, pickle, signal, sys
        from importlib.machinery import SourceFileLoader
        from work import work
        work()
        for function in (os._exit, os.abort, os.execv, os.execve, os.fork, os.forkpty, signal.signal, signal.getsignal,
                         sys.settrace, sys.gettrace, SourceFileLoader.path_stats):
            assert pickle.loads(pickle.dumps(function)) is function is copy.deepcopy(function), function
            print(pickle.dumps(function), function.__name__, function.__qualname__, function.__module__)
            print(hash(function) == hash(copy.copy(function)), bool(function.__doc__))
    """),
    "signatures": Program("""
        import inspect, os, signal, sys
        from work import work
        work()
        for function in (os._exit, os.abort, os.execv, os.execve, os.fork, os.forkpty, signal.signal, signal.getsignal,
                         sys.settrace, sys.gettrace):
            try:
                print(function.__name__, inspect.signature(function))
            except ValueError as error:
                print(str(error)[:20])
    """),
    "kinds of functions": Program(
        """
        import inspect, os, signal
        from work import work
        work()
        print([inspect.isbuiltin(each) for each in (os.fork, os.kill, signal.alarm)])
        """,
        prints="[False, True, True]\n",
    ),
    "traceback of a replaced function": Program(
        """
        import os, traceback
        from work import work
        work()
        try:
            os.execv("work.py", ["x"])
        except PermissionError as error:
            print(len(traceback.extract_tb(error.__traceback__)))
        """,
        prints="2\n",
    ),
    "mocks of what is replaced": Program("""
        import os, signal, sys, time
        from unittest import mock
        from work import work
        names = "os.fork os._exit signal.signal sys.settrace os.getpid time.monotonic os.replace"
        for name in names.split():
            with mock.patch(name, autospec=True) as mocked:
                work()
            print(name, mocked.call_count)
        with mock.patch("os.open", side_effect=OSError("no")), mock.patch("builtins.open", side_effect=OSError("no")):
            time.sleep(0.3)
        print(work())
    """),
    "names in modules": Program("""
        import atexit, builtins, os, signal, threading, time
        from work import work
        for module in (atexit, builtins, os, signal, threading, time):
            print(module.__name__, dir(module))
        print(work())
    """),
    "path and flags": Program(
        """
        import sys
        from work import work
        print(sys.argv, sys.path, sys.path_hooks, sys.meta_path[-3:], sys.flags, sys.warnoptions, sys._xoptions, work())
        print(sys.executable, sys.orig_argv, sys.prefix, sys.getprofile(), sys.dont_write_bytecode)
    """,
        options=("-X", "anything=1", "main.py", "x", "-y"),
    ),
    "environment": Program("""
        import os
        from work import work
        print(sorted(name for name in os.environ if not name.startswith(("VMPILOT_COV", "COVERAGE_"))), work())
        print(os.environ["HOME"], os.getcwd(), sorted(os.listdir()))
    """),
    "warning filters": Program("""
        import warnings
        from work import work
        print(warnings.filters, work())
        warnings.warn("once", DeprecationWarning)
        warnings.simplefilter("error")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("caught")
        print(len(caught))
        warnings.warn("raised")
    """),
    "signal handlers": Program("""
        import signal
        from work import work
        work()
        for number in sorted(signal.valid_signals()):
            print(number, signal.getsignal(number))
        print(signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.signal(signal.SIGTERM, signal.SIG_DFL))
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.default_int_handler)
    """),
    "handlers in the kernel": Program(
        """
        from work import work
        work()
        rows = dict(line.split(":") for line in open("/proc/self/status") if line.startswith("Sig"))
        print({name: rows[name].strip() for name in ("SigBlk", "SigIgn")})
        """
    ),
    "descriptors": Program("""
        import os, socket, tempfile
        from work import work
        work()
        opened = [os.open("work.py", os.O_RDONLY), *os.pipe(), socket.socket().fileno()]
        print(opened, os.dup(0), work())
        os.closerange(3, 256)
        print(os.open("work.py", os.O_RDONLY), [os.get_inheritable(number) for number in range(3)])
    """),
    "files open at a given number": Program("""
        import os
        from work import work
        work()
        for number in range(3, 12):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        with open("log", "w") as log:
            for number in range(9):
                log.write(f"{work(number)}\\n")
    """),
    "garbage": Program("""
        import gc, weakref
        from work import work
        print(gc.isenabled(), gc.get_threshold(), gc.callbacks, gc.get_freeze_count())

        class Node:
            pass

        gc.collect()
        node = Node()
        node.me, seen = node, weakref.ref(node, lambda _: print("gone", work()))
        gc.callbacks.append(lambda phase, info: None)
        del node
        print(gc.collect() >= 1, seen(), gc.garbage)
        gc.freeze()
        gc.disable()
    """),
    "references": Program("""
        import gc, sys
        from work import work
        thing = object()
        before = sys.getrefcount(thing)
        work(1)
        print(sys.getrefcount(thing) == before, len(gc.get_referrers(thing)), sys.getrefcount(work.__code__) < 5)
    """),
    "imports at an end": Program(LATE_IMPORTS.replace("END", "pass"), interval_s=3600),
    "imports at os._exit": Program(LATE_IMPORTS.replace("END", "os._exit(3)"), interval_s=3600),
    "imports at a signal": Program(LATE_IMPORTS.replace("END", "os.kill(os.getpid(), 15)"), interval_s=3600),
    "imports at an end with nothing to write": Program(
        LATE_IMPORTS.replace("END", "sys.exit(4)"), interval_s=3600, source="nothing", is_recorded=False
    ),
    "recursion": Program("""
        import sys
        from work import work
        deepest = 0

        def fall(depth):
            global deepest
            deepest = depth
            fall(depth + 1)

        sys.setrecursionlimit(300)
        try:
            fall(0)
        except RecursionError as error:
            print(deepest > 290, work())
    """),
    "code objects": Program("""
        import dis, hashlib, inspect, marshal
        from work import work
        work()
        print(hashlib.sha256(marshal.dumps(work.__code__)).hexdigest(), list(work.__code__.co_lines()))
        print(inspect.getsource(work), [each.opname for each in dis.get_instructions(work)])
        print(work.__code__.replace(co_name="other").co_name, work.__code__ == work.__code__.replace())
    """),
    "stack of a call": Program("""
        import inspect, traceback
        import work

        def here():
            print([each.function for each in inspect.stack()], len(traceback.extract_stack()), work.work())

        here()
        frame = inspect.currentframe()
        print(frame.f_back, frame.f_trace_lines, frame.f_trace_opcodes)
    """),
    "hash seed": Program(
        "import random, work\nrandom.seed(work.work(4))\nprint({*'abcdefgh'}, random.random(), hash('x'))\n",
        env={"PYTHONHASHSEED": "7"},
    ),
    "own name": Program("""
        import ctypes
        from work import work
        work()
        print(open("/proc/self/comm").read(), open("/proc/self/cmdline").read().split("\\0")[1:])
        ctypes.CDLL(None).prctl(15, b"renamed", 0, 0, 0)
        print(open("/proc/self/comm").read(), open("/proc/thread-self/comm").read())
    """),
}
