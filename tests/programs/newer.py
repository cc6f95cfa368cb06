"""Programs that run on Python 3.14 and later alone, or that such a Python runs in another way."""

from __future__ import annotations

import sys
from pathlib import Path

import coverage

import server_hook
from tests.programs.program import Program

FOLDERS = [str(Path(str(each.__file__)).parents[1]) for each in (server_hook, coverage)]


def before_3_14() -> bool:
    """Tell whether this Python lacks what came with 3.14."""
    return sys.version_info < (3, 14)


def before_3_15() -> bool:
    """Tell whether this Python lacks what came with 3.15."""
    return sys.version_info < (3, 15)


PROGRAMS = {
    "threads at the end": Program("""
        import threading, time
        from work import work
        threading.Thread(target=time.sleep, args=[600], daemon=True).start()

        def late():
            time.sleep(0.2)
            print("late", work(), flush=True)

        threading.Thread(target=late).start()
        print("main is done", flush=True)
    """),
    "interpreters": Program(
        """
        import os, sys
        from concurrent import interpreters
        from concurrent.futures import InterpreterPoolExecutor
        from work import work

        INSIDE = '''
        import subprocess, sys, threading
        sys.path.insert(0, folder)
        import work
        thread = threading.Thread(target=work.work)
        thread.start()
        thread.join()
        child = [sys.executable, "-c", "import work; print(work.work(8), flush=True)"]
        answers.put((work.work(4), "coverage" in sys.modules, sys.gettrace(), subprocess.run(child).returncode))
        '''
        with InterpreterPoolExecutor(2) as pool:
            print([*pool.map(work, range(9))], repr(pool.submit(work, "a").exception())[:30])
        made, answers = interpreters.create(), interpreters.create_queue()
        made.prepare_main(folder=os.getcwd(), answers=answers)
        made.exec(INSIDE)
        print(answers.get(), made.call(work, 7))
        for ends in ("sys.exit(4)", "os.fork()", "1 / 0"):
            try:
                made.exec(f"import os, sys; {ends}")
            except interpreters.ExecutionFailed as error:
                print(error.excinfo.type.__name__)
        made.close()
        print(work(), flush=True)
        interpreters.create().exec("import os; os._exit(5)")
        """,
        options=("-X", "dev", "-W", "error", "main.py"),
        logged=("interpreters-unmeasured",),
        lacks=before_3_14,
    ),
    "python -m asyncio ps": Program(
        """
        import asyncio, os, subprocess, sys
        from work import work

        async def sleep(begun):
            work()
            begun.set()
            await asyncio.sleep(600)

        async def main():
            begun = asyncio.Event()
            task = asyncio.create_task(sleep(begun), name="sleeper")
            await begun.wait()
            for verb in ("ps", "pstree"):
                command = [sys.executable, "-m", "asyncio", verb, str(os.getpid())]
                shown = subprocess.run(command, capture_output=True, text=True)
                print(shown.returncode, "sleeper" in shown.stdout, shown.stderr)
            task.cancel()

        asyncio.run(main())
        """,
        lacks=before_3_14,
    ),
    "lazy imports": Program(
        """
        import sys
        lazy import work
        lazy from package import value, missing
        lazy import http.server, no_such_module

        def loaded():
            return [name for name in ("work", "package", "http.server") if name in sys.modules]

        print(loaded(), "package" in sys.lazy_modules)
        print(work.work(), loaded())
        print(value, loaded())
        try:
            missing
        except ImportError as error:
            print(error, error.__cause__)
        try:
            no_such_module.name
        except ModuleNotFoundError as error:
            print(error)
        print(http.server.HTTPServer.__name__, loaded(), sys.get_lazy_imports(), sys.get_lazy_imports_filter())
        """,
        files={"package.py": "import work\nprint('package')\nvalue = work.work(5)\n"},
        lacks=before_3_15,
    ),
    "lazy imports of all modules, ended by a signal": Program(
        f"""
        import os, sys, threading
        sys.path += {FOLDERS}
        import server_hook
        server_hook.start()
        from http.client import HTTPConnection
        from http.server import BaseHTTPRequestHandler, HTTPServer
        from work import work

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 + work())
                self.end_headers()

            def log_message(self, *_):
                pass

        def hear(event, arguments):  # by now, what is ours may be out of reach
            if event == "import" and arguments[0].startswith(("server_hook", "coverage")):
                os.write(1, f"{{arguments[0]}}\\n".encode())

        server, connect = HTTPServer(("127.0.0.1", 0), Handler), HTTPConnection
        sys.addaudithook(hear)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        connection = connect(*server.server_address)
        connection.request("GET", "/")
        print(connection.getresponse().status, sys.get_lazy_imports(), flush=True)
        thread.join()
        os.kill(os.getpid(), 15)
        """,
        options=("-S", "main.py"),
        env={"PYTHON_LAZY_IMPORTS": "all"},
        interval_s=3600,
        lacks=before_3_15,
    ),
    "sampling profiler": Program(
        """
        import subprocess, sys
        from work import work
        work()
        profiler = [sys.executable, "-m", "profiling.sampling"]
        with subprocess.Popen([sys.executable, "endless.py"], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            for way in (["attach", "-d", "1", str(child.pid)], ["run", "-d", "1", "endless.py"]):
                shown = subprocess.run([*profiler, *way], capture_output=True, text=True)
                print(shown.returncode, "work.py" in shown.stdout)
            child.kill()
        """,
        files={"endless.py": "import work\nprint(work.work(), flush=True)\nwhile True:\n    work.work()\n"},
        lacks=before_3_15,
    ),
    "tracing profiler": Program(
        "import work\nprint(work.work())\nraise SystemExit(3)\n",
        options=("-m", "profiling.tracing", "-o", "profile.pyc", "main.py"),
        shell='"$@" && rm profile.pyc',
        lacks=before_3_15,
    ),
}
