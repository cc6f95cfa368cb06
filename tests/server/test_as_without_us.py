"""Programs that a recorder once changed: they end, print and log as they do without it."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Project
from tests.plugin.conftest import CORES

INTERRUPTED = """
    import time
    import sys

    def work():
        return 1

    work()
    raise KeyboardInterrupt
"""

PICKLED = """
    import os, pickle, signal, sys
    from importlib.machinery import SourceFileLoader

    for function in (os._exit, os.abort, os.execv, os.execve, os.fork, os.forkpty, signal.signal, signal.getsignal,
                     sys.settrace, sys.gettrace, SourceFileLoader.path_stats):
        assert pickle.loads(pickle.dumps(function)) is function, function
        print(pickle.dumps(function))
"""

SUBINTERPRETERS = """
    import os, sys
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        import _interpreters as interpreters
    import work

    code = "import sys; sys.path.insert(0, '.'); import work; print(work.run(), 'coverage' in sys.modules, flush=True)"
    for _ in range(3):
        made = interpreters.create()
        interpreters.run_string(made, code)
        interpreters.destroy(made)
    print("ok", work.run())
"""

USER_NAMESPACE = """
    import os
    os.unshare(os.CLONE_NEWUSER)
    print(os.getuid() != os.geteuid(), "alone")
"""

MONITORED = """
    import sys
    seen = []
    monitoring = sys.monitoring
    monitoring.use_tool_id(monitoring.COVERAGE_ID, "mine")
    monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.PY_START, lambda code, _: seen.append(code))
    monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.PY_START)

    def work():
        return 1

    work()
    monitoring.set_events(monitoring.COVERAGE_ID, 0)
    monitoring.free_tool_id(monitoring.COVERAGE_ID)
    print(work.__code__ in seen, monitoring.COVERAGE_ID, monitoring.get_tool(monitoring.COVERAGE_ID))
"""

WOKEN = """
    import asyncio, os, signal, time
    print(signal.set_wakeup_fd(-1))
    inside, outside = os.pipe()
    os.set_blocking(outside, False)
    print(signal.set_wakeup_fd(outside), signal.set_wakeup_fd(outside) == outside)
    signal.signal(signal.SIGUSR1, lambda *_: print("caught"))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(os.read(inside, 9), signal.set_wakeup_fd(-1) == outside, signal.set_wakeup_fd(-1))
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
"""

LATE_IMPORTS = """
    import os, sys
    is_ending = []

    def hear(event, arguments):
        if is_ending and event == "import":
            os.write(1, f"{arguments[0]}\\\\n".encode())

    sys.addaudithook(hear)
    is_ending.append(True)
    END
"""

PROGRAMS = {
    "Ctrl-C": INTERRUPTED,
    "pickle": PICKLED,
    "subinterpreters": SUBINTERPRETERS,
    "wake-up descriptor": WOKEN,
    **({"unshare": USER_NAMESPACE, "monitoring": MONITORED} if sys.version_info >= (3, 12) else {}),
    "an end": LATE_IMPORTS.replace("END", "pass"),
    "an end by os._exit": LATE_IMPORTS.replace("END", "os._exit(3)"),
    "an end by a signal": LATE_IMPORTS.replace("END", "os.kill(os.getpid(), 15)"),
    "an end without a segment": LATE_IMPORTS.replace("END", "sys.exit(4)"),
}


def run(project: Project, **env: str) -> tuple[int, str, str]:
    """Run the program; show how it ended and what it printed."""
    done = project.run("python", "main.py", env=env)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_as_without_us(project: Project, name: str, core: str) -> None:
    """A recorded program ends and prints as it does alone, and so it does where others were recorded before it."""
    project.write(".coveragerc", f"[run]\nsource = {'nothing' if 'without' in name else '.'}\n")
    project.write("nothing/__init__.py", "")
    project.write("work.py", "def run():\n    return 1\n")
    project.write("main.py", PROGRAMS[name])
    alone = run(project)
    if "Operation not permitted" in alone[2]:
        pytest.skip("this system allows no user namespaces")
    for _ in range(2):
        assert run(project, VMPILOT_COV=".", COVERAGE_CORE=core) == alone


def test_functions_of_os_reach_other_processes(project: Project) -> None:
    """A function of ``os`` may be sent to a worker of a pool, which ends by it."""
    project.write(".coveragerc", "[run]\nsource = .\n")
    project.write(
        "main.py",
        """
        import os
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool

        if __name__ == "__main__":
            with ProcessPoolExecutor(1) as pool:
                try:
                    pool.submit(os._exit, 3).result()
                except BrokenProcessPool:
                    print("ended")
        """,
    )
    assert run(project, VMPILOT_COV=".") == run(project) == (0, "ended\n", "")
