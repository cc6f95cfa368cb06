"""Programs that end: by themselves, by an error, by a signal, with something left to do."""

from __future__ import annotations

import signal

from tests.programs.program import Program

SLEEPS = """
    import signal, time
    from work import work
    work()
    HANDLER
    while True:
        print("ready", flush=True); time.sleep(600)
"""


def sleeping(number: int, handler: str = "pass") -> Program:
    """Give a program that sleeps until a signal comes."""
    options = ("-X", "no_debug_ranges", "main.py")  # the signal may still find it in print()
    return Program(SLEEPS.replace("HANDLER", handler), options, sends=number, shell='exec "$@"')


PROGRAMS = {
    "two wake-up descriptors": Program("""
        import asyncio, os, signal, work
        work.work()
        print(signal.set_wakeup_fd(-1))
        inside, outside = os.pipe()
        os.set_blocking(outside, False)
        print(signal.set_wakeup_fd(outside), signal.set_wakeup_fd(outside) == outside)
        signal.signal(signal.SIGUSR1, lambda *_: print("caught"))
        os.kill(os.getpid(), signal.SIGUSR1)
        print(os.read(inside, 9), signal.set_wakeup_fd(-1) == outside, signal.set_wakeup_fd(-1), flush=True)
        if not os.fork():
            print(signal.set_wakeup_fd(-1), flush=True)
            os._exit(0)
        os.wait()

        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, event.set)
            os.kill(os.getpid(), signal.SIGTERM)
            await event.wait()
            print("heard")

        event = asyncio.Event()
        asyncio.run(main())
        try:
            signal.set_wakeup_fd(999999)
        except (ValueError, OSError) as error:
            print(error)
    """),
    "exit code": Program("import sys, work\nwork.work()\nsys.exit(3)\n"),
    "exit with a message": Program("import sys, work\nwork.work()\nsys.exit('enough')\n"),
    "uncaught error": Program("import work\nwork.work('a')\n"),
    "error with a cause": Program("""
        import work
        try:
            work.work('a')
        except TypeError as error:
            raise ExceptionGroup("two", [ValueError("one"), error]) from KeyError("x")
    """),
    "os._exit with full buffers": Program("import os, work\nwork.work()\nprint('lost')\nos._exit(5)\n"),
    "os.abort": Program(
        "import os, resource, work\nwork.work()\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.abort()\n"
    ),
    "segmentation fault": Program(
        "import ctypes, work\nwork.work()\nctypes.string_at(0)\n", shell='ulimit -c 0; exec "$@"', is_recorded=False
    ),
    "SIGTERM": sleeping(signal.SIGTERM),
    "SIGHUP": sleeping(signal.SIGHUP),
    "SIGQUIT": sleeping(signal.SIGQUIT, "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"),
    "SIGUSR1": sleeping(signal.SIGUSR1),
    "Ctrl-C": sleeping(signal.SIGINT),
    "Ctrl-C with a default": sleeping(signal.SIGINT, "signal.signal(signal.SIGINT, signal.SIG_DFL)"),
    "SIGTERM with a handler": sleeping(
        signal.SIGTERM, "signal.signal(signal.SIGTERM, lambda number, frame: exit(f'{number} {frame.f_code.co_name}'))"
    ),
    "SIGTERM that raises": sleeping(signal.SIGTERM, "signal.signal(signal.SIGTERM, lambda *_: 1 / 0)"),
    "SIGALRM": sleeping(signal.SIGUSR1, "signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(0, 0.01))"),
    "SIGHUP ignored": sleeping(
        signal.SIGHUP,
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n    "
        "signal.signal(signal.SIGALRM, lambda *_: exit(8)); signal.setitimer(signal.ITIMER_REAL, 0.3)",
    ),
    "Ctrl-C while it ends": Program("""
        import atexit, os, signal, time
        from work import work

        def slow():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(600)
            except KeyboardInterrupt:
                print("interrupted", flush=True)

        atexit.register(slow)
        work()
    """),
    "signals blocked and awaited": Program("""
        import os, signal
        from work import work
        work()
        wanted = {signal.SIGTERM, signal.SIGUSR1}
        print(signal.pthread_sigmask(signal.SIG_BLOCK, wanted))
        os.kill(os.getpid(), signal.SIGTERM)
        print(signal.sigpending(), signal.sigwait(wanted), signal.sigtimedwait(wanted, 0.01))
        os.kill(os.getpid(), signal.SIGUSR1)
        print(signal.sigwaitinfo(wanted).si_signo)
    """),
    "wake-up descriptor": Program("""
        import os, signal
        from work import work
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        print(signal.set_wakeup_fd(theirs))
        signal.signal(signal.SIGUSR2, lambda *_: print("handled", work()))
        os.kill(os.getpid(), signal.SIGUSR2)
        print(os.read(ours, 100), signal.set_wakeup_fd(-1) == theirs)
    """),
    "interrupted system calls": Program("""
        import os, signal, time
        from work import work

        class Late(Exception):
            pass

        def late(*_):
            raise Late

        signal.signal(signal.SIGALRM, late)
        signal.siginterrupt(signal.SIGALRM, True)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            os.read(os.pipe()[0], 1)
        except Late:
            print("late", work(), signal.getitimer(signal.ITIMER_REAL))
    """),
    "processor time": Program("""
        import resource, signal
        from work import work
        work()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (1, 3))
        while True:
            work()
    """),
    "atexit": Program("""
        import atexit, weakref
        from work import work

        class Thing:
            pass

        thing = Thing()
        weakref.finalize(thing, print, "finalized")
        for name in "abc":
            atexit.register(print, name, work())
        atexit.register(lambda: 1 / 0)
        print(atexit._ncallbacks() > 3)
        atexit.unregister(print)
    """),
    "os._exit in atexit": Program("import atexit, os, work\nwork.work()\natexit.register(os._exit, 9)\n"),
    "things die at the end": Program("""
        import sys
        from work import work

        class Loud:
            def __del__(self):
                print("gone", work is None, sys.is_finalizing())
                raise ValueError("in __del__")

        def generate():
            try:
                yield 1
            finally:
                print("closed", work and work())

        work()
        kept, going, cycle = Loud(), generate(), Loud()
        cycle.me = cycle
        next(going)
    """),
    "sys.excepthook": Program("""
        import sys
        from work import work
        sys.excepthook = lambda kind, error, trace: print("hook", kind, error, trace.tb_lineno)
        sys.unraisablehook = lambda each: print("lost", each.exc_value)

        class Bad:
            def __del__(self):
                raise ValueError(work())

        Bad()
        work(None)
    """),
    "closed pipe": Program(
        "from work import work\nfor _ in range(200_000):\n    print(work())\n",
        shell='set -o pipefail; "$@" | head -n 1',
    ),
    "closed pipe by default": Program(
        """
        import signal
        from work import work
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for _ in range(200_000):
            print(work())
        """,
        shell='set -o pipefail; "$@" | head -n 1',
        is_recorded=False,
        interval_s=3600,
    ),
    "big output": Program(
        "import work\nfor _ in range(60_000):\n    print('x' * 100 * work.work())\n", shell='"$@" | md5sum'
    ),
    "stopped for a while": Program("""
        import os, signal, subprocess, sys
        from work import work
        command = [sys.executable, "-c", "import work; input(); print(work.work())"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE)
        child.send_signal(signal.SIGSTOP)
        print(os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1]), work())
        child.send_signal(signal.SIGCONT)
        child.communicate(b"go")
        print(child.returncode)
    """),
}
