"""Programs that watch what runs: trace and profile functions, monitoring, debuggers, profilers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import server_hook
from tests.programs.program import Program

OTHERS = os.pathsep.join(["/usr", "/opt", sys.base_prefix, str(Path(str(server_hook.__file__)).parent)])
"""Where code of others lies, ours among it."""

PROGRAMS = {
    "trace function of all threads": Program("""
        import sys, threading
        from work import work
        seen = []
        threading.setprofile(lambda frame, event, _: seen.append(event) if frame.f_code is work.__code__ else None)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print(seen, threading.getprofile() is not None)
        threading.setprofile(None)
    """),
    "lines of the trace function": Program(
        """
        import sys
        from work import work
        seen = []

        def trace(frame, event, _):
            if frame.f_code is work.__code__:
                seen.append((event, frame.f_lineno))
            return trace

        sys.settrace(trace)
        work()
        print(sys.gettrace() is trace)
        sys.settrace(None)
        work()
        print(seen, sys.gettrace())
        """,
        interval_s=3600,
    ),
    "profile function": Program("""
        import sys
        from work import work
        seen = []
        sys.setprofile(lambda frame, event, what: seen.append((event, frame.f_code.co_name)))
        work()
        len([])
        sys.setprofile(None)
        print(seen, sys.getprofile())
    """),
    "monitoring": Program(
        """
        import sys
        from work import work
        seen, monitoring = [], sys.monitoring
        for tool in (monitoring.COVERAGE_ID, 3):
            print(monitoring.get_tool(tool))
            monitoring.use_tool_id(tool, "mine")
            for event in ("PY_START", "LINE", "PY_RETURN"):
                what = getattr(monitoring.events, event)
                monitoring.register_callback(tool, what, lambda code, *_: seen.append(code))
            monitoring.set_local_events(tool, work.__code__, monitoring.events.LINE)
            monitoring.set_events(tool, monitoring.events.PY_START | monitoring.events.PY_RETURN)
            work()
            monitoring.set_events(tool, 0)
            monitoring.set_local_events(tool, work.__code__, 0)
            print(seen.count(work.__code__), monitoring.get_events(tool), monitoring.get_tool(tool))
            monitoring.free_tool_id(tool)
            print(monitoring.get_tool(tool))
        """,
        lacks=lambda: sys.version_info < (3, 12),
    ),
    "python -X faulthandler": Program(
        "import faulthandler\nfrom work import work\nwork()\nfaulthandler.dump_traceback(all_threads=False)\n",
        options=("-X", "faulthandler", "main.py"),
    ),
    "faulthandler that is late": Program("""
        import faulthandler, time
        from work import work
        work()
        faulthandler.dump_traceback_later(600)
        faulthandler.cancel_dump_traceback_later()
        faulthandler.register(10, all_threads=False)
        __import__("os").kill(__import__("os").getpid(), 10)
        print(faulthandler.is_enabled(), faulthandler.unregister(10))
    """),
    "faulthandler with all threads": Program(
        """
        import faulthandler, sys
        from work import work
        work()
        with open("dump", "w") as file:
            faulthandler.dump_traceback(file)
        text = open("dump").read()
        print(text.count("Thread") + text.count("most recent"), "main.py" in text)
        __import__("os").unlink("dump")
    """,
        prints="3 True\n",
    ),
    "pdb": Program(
        "from work import work\nprint(work())\n",
        options=("-m", "pdb", "-c", "b 2", "-c", "c", "-c", "s", "-c", "q", "main.py"),
        is_recorded=False,
        logged=("debugger-attached",),
    ),
    "breakpoint": Program(
        "from work import work\nwork()\nbreakpoint()\nprint(work())\n",
        stdin="p 40 + 2\nn\nc\n",
        logged=("trace-taken",),
        # it stops a line later where anything monitors lines, be it this or another tool
        lacks=lambda: sys.version_info >= (3, 13),
    ),
    "timeit": Program("", options=("-m", "timeit", "-n", "5", "-r", "1", "-s", "import work", "work.work()")),
    "cProfile": Program("""
        import cProfile, pstats
        from work import work
        profile = cProfile.Profile()
        profile.runcall(work)
        print([(name, row[:2]) for (_, _, name), row in pstats.Stats(profile).stats.items() if name == "work"])
    """),
    "trace": Program(
        "from work import work\nwork()\n",
        options=(*["-m", "trace", "--count", "--summary", "--coverdir", "covers", "--ignore-dir"], OTHERS, "main.py"),
        is_recorded=sys.version_info >= (3, 12),
    ),
    "tracemalloc": Program("""
        import tracemalloc
        from work import work
        tracemalloc.start(3)
        kept = [bytes(1000) for _ in range(100)]
        snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__)])
        largest = snapshot.statistics("lineno")[0]
        print(largest.traceback[0].lineno, tracemalloc.get_traceback_limit(), work())
    """),
    "audit events": Program("""
        import sys, threading
        from work import work
        seen, me = [], threading.get_ident()

        def hear(event, arguments):
            if threading.get_ident() == me and event in ("open", "compile", "import", "exec"):
                seen.append(event)

        work()
        sys.addaudithook(hear)
        open("work.py").close()
        compile("1", "x", "eval")
        print(seen)
    """),
    "audit hook that forbids": Program(
        """
        import sys
        from work import work

        def forbid(event, arguments):
            if event in ("subprocess.Popen", "socket.connect", "os.system"):
                raise PermissionError(event)

        sys.addaudithook(forbid)
        try:
            __import__("os").system("true")
        except PermissionError as error:
            print(error, work())
        """
    ),
}
