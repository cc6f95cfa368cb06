"""The matrix of ends: however a process ends or multiplies, its lines are kept, exactly.

Each row is a program. A line whose comment names ``ran`` must be in the data, any other line must not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in, numbered, wait_for
from tests.plugin.conftest import CORES

HEAD = """
    import os, signal, sys, threading, time, subprocess, multiprocessing  # ran


    def work(number):  # ran
        return number + 1  # ran


    def never():  # ran
        return 0


"""


@dataclass(frozen=True)
class Row:
    """One way to end: the program's tail, and the exit code that it has without us."""

    tail: str
    code: int = 0
    arguments: tuple[str, ...] = ("-m", "app.work")


ROWS = {
    "SIGTERM": Row("work(1)  # ran\nos.kill(os.getpid(), signal.SIGTERM)  # ran\n", -15),
    "SIGINT": Row("work(1)  # ran\nos.kill(os.getpid(), signal.SIGINT)  # ran\n", -2),
    "SIGHUP": Row("work(1)  # ran\nos.kill(os.getpid(), signal.SIGHUP)  # ran\n", -1),
    **{
        name: Row(f"work(1)  # ran\nos.kill(os.getpid(), signal.{name})  # ran\n", -getattr(signal, name))
        for name in ("SIGQUIT", "SIGUSR1", "SIGALRM")
    },
    "two signals": Row(
        "work(1)  # ran\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})  # ran\n"
        "os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGHUP)  # ran\n"
        "assert work(1)  # ran\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGHUP})  # ran\n",
        -1,
    ),
    "blocked signal": Row(
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # ran\n"
        "subprocess.run(['sh', '-c', f'kill -USR1 {os.getpid()}'], check=True)  # ran\n"
        "assert signal.sigwait({signal.SIGUSR1}) == signal.SIGUSR1  # ran\n"
        "work(1)  # ran\n"
    ),
    "signal in another thread": Row(
        # as if it came right before the system call: Python knows of it, and the call goes on
        "def end():  # ran\n"
        "    time.sleep(0.1); signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # ran\n"
        "threading.Thread(target=end, daemon=True).start()  # ran\n"
        "work(1); time.sleep(1000)  # ran\n",
        -15,
    ),
    "sys.exit": Row("work(1)  # ran\nsys.exit(7)  # ran\n", 7),
    "exception": Row("work(1)  # ran\nraise ValueError  # ran\n", 1),
    "os._exit": Row("work(1)  # ran\nos._exit(5)  # ran\n", 5),
    "os.abort": Row("work(1)  # ran\nos.abort()  # ran\n", -6),
    "execv": Row("work(1)  # ran\nos.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(3)'])  # ran\n", 3),
    "execve": Row("work(1)  # ran\nos.execvpe('sh', ['sh', '-c', 'exit 4'], os.environ)  # ran\n", 4),
    "failed exec": Row(
        "try:  # ran\n    os.execv('/nothing/here', ['x'])  # ran\nexcept OSError:  # ran\n    work(1)  # ran\n"
    ),
    "fork, child exits by os._exit": Row(
        "if not os.fork():  # ran\n    work(1)  # ran\n    os._exit(0)  # ran\nos.wait()  # ran\n"
    ),
    "fork, child exits by sys.exit": Row(
        "if not os.fork():  # ran\n    work(1)  # ran\n    sys.exit(0)  # ran\nos.wait()  # ran\n"
    ),
    "fork, child is terminated": Row(
        "pid = os.fork()  # ran\n"
        "if not pid:  # ran\n"
        "    work(1)  # ran\n"
        "    open('ready', 'w').close(); time.sleep(1000)  # ran\n"
        "while not os.path.exists('ready'): time.sleep(0.01)  # ran\n"
        "os.kill(pid, signal.SIGTERM)  # ran\n"
        "os.wait()  # ran\n"
    ),
    **{
        f"multiprocessing {method}": Row(
            f"if __name__ in ('__main__', '__mp_main__'):  # ran\n"
            f"    context = multiprocessing.get_context('{method}')  # ran\n"
            "if __name__ == '__main__':  # ran\n"
            "    child = context.Process(target=work, args=(1,))  # ran\n"
            "    child.start()  # ran\n"
            "    child.join()  # ran\n"
        )
        for method in ("fork", "forkserver", "spawn")
    },
    "Pool": Row(
        "if __name__ == '__main__':  # ran\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:  # ran\n"
        "        pool.map(work, range(8))  # ran\n"
    ),
    "terminate()": Row(
        "def child(ready):  # ran\n"
        "    work(1)  # ran\n"
        "    ready.set(); time.sleep(1000)  # ran\n"
        "context = multiprocessing.get_context('fork')  # ran\n"
        "ready = context.Event()  # ran\n"
        "process = context.Process(target=child, args=(ready,))  # ran\n"
        "process.start()  # ran\n"
        "ready.wait()  # ran\n"
        "process.terminate()  # ran\n"
        "process.join()  # ran\n"
        "sys.exit(process.exitcode + 15)  # ran\n"
    ),
    "isolated child": Row(
        "if 'child' in sys.argv:  # ran\n"
        "    work(1)  # ran\n"
        "else:\n"
        "    subprocess.run([sys.executable, '-I', __file__, 'child'], check=True)  # ran\n"
    ),
    "daemon": Row(
        "if not os.fork():  # ran\n"
        "    os.setsid()  # ran\n"
        "    if os.fork():  # ran\n"
        "        os._exit(0)  # ran\n"
        "    os.chdir('/')  # ran\n"
        "    os.closerange(0, 256)  # ran\n"
        "    work(1)  # ran\n"
        "    sys.exit(0)  # ran\n"
        "os.wait()  # ran\n"
    ),
    "custom handler": Row(
        "def handler(number, frame):  # ran\n"
        "    sys.exit(work(8))  # ran\n"
        "signal.signal(signal.SIGTERM, handler)  # ran\n"
        "os.kill(os.getpid(), signal.SIGTERM)  # ran\n"
        "time.sleep(1000)\n",
        9,
    ),
    "default set later": Row(
        "signal.signal(signal.SIGTERM, lambda *_: None)  # ran\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ran\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # ran\n"
        "work(1)  # ran\n"
        "signal.raise_signal(signal.SIGTERM)  # ran\n",
        -15,
    ),
    "ignored signal": Row(
        "assert signal.signal(signal.SIGHUP, signal.SIG_IGN) is signal.SIG_DFL  # ran\n"
        "os.kill(os.getpid(), signal.SIGHUP)  # ran\n"
        "work(1)  # ran\n"
    ),
}


def source_of(row: Row) -> str:
    """Put a row's program together."""
    return HEAD + "".join(f"    {line}\n" for line in row.tail.splitlines())


@pytest.fixture
def app(project: Project) -> Project:
    """Give a project whose package ``app`` has one program, ``app/work.py``."""
    project.package("app")
    return project


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", ROWS)
def test_an_end_keeps_every_line(app: Project, name: str, core: str) -> None:
    """However the process ends or multiplies, exactly its executed lines are kept and its exit code is its own."""
    row = ROWS[name]
    source = source_of(row)
    app.write("app/work.py", source)
    done = app.run(
        "python", "-X", "dev", "-W", "error", *row.arguments, env={"VMPILOT_COV": ".", "COVERAGE_CORE": core}
    )
    assert done.returncode == row.code, done.stderr
    assert "vmpilot" not in done.stderr
    wait_for(lambda: found(app) == numbered(source, "ran"), lambda: f"{found(app)} {numbered(source, 'ran')}")


def found(app: Project) -> list[int]:
    """Return the lines of the program that the published data has."""
    try:
        return lines_in(app.path / ".coverage.pipeline", "pipeline").get("work.py", [])
    except OSError:
        return []


KILLS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
}


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", KILLS)
def test_a_kill_loses_at_most_one_interval(app: Project, name: str, core: str) -> None:
    """What ran before the last interval is on disk when the process is killed in whatever way."""
    source = HEAD + f"    work(1)  # ran\n    sys.stdin.readline()\n    {KILLS[name]}\n"
    app.write("app/work.py", source)
    process = subprocess.Popen(
        [sys.executable, "-m", "app.work"],
        cwd=app.path,
        env={**os.environ, "VMPILOT_COV": ".", "COVERAGE_CORE": core},
        stdin=subprocess.PIPE,
    )
    wait_for(lambda: any(app.path.glob(".vmpilot-cov/*/*.seg")))
    process.communicate(b"go\n")
    assert process.returncode in (-signal.SIGKILL, -signal.SIGSEGV)
    app.run("vmpilot-cov", "combine")
    assert set(numbered(source, "ran")) <= set(found(app))


def test_a_kill_before_the_first_segment_is_named(app: Project) -> None:
    """A server that left its name and no data is no server that was never started."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 3600\n")
    app.write("app/work.py", HEAD + f"    {KILLS['SIGKILL']}\n")
    app.run("python", "-m", "app.work", env={"VMPILOT_COV": "."})
    app.write("test_nothing.py", "def test_nothing():\n    pass\n")
    combined, tested = app.run("vmpilot-cov", "combine"), app.run("python", "-m", "pytest", "--vmpilot-cov")
    for said in (combined.stderr, tested.stdout):
        assert "Pipeline: 1 killed process (pid " in said
        assert said.count("(pipeline-lost)") == 1
        assert "pipeline-none" not in said


def test_nohup_is_respected(app: Project) -> None:
    """A signal that was ignored from the start stays ignored."""
    source = HEAD + "    os.kill(os.getpid(), signal.SIGHUP)  # ran\n    work(1)  # ran\n"
    app.write("app/work.py", source)
    done = app.run("sh", "-c", f"trap '' HUP; exec {sys.executable} -m app.work", env={"VMPILOT_COV": "."})
    assert done.returncode == 0
    assert found(app) == numbered(source, "ran")


def test_signals_can_be_left_alone(app: Project) -> None:
    """With ``signals = off`` a default signal ends the process at once, without a handler of ours."""
    app.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\nsignals = off\n")
    app.write("app/work.py", HEAD + "    print(signal.signal.__module__, flush=True)\n    signal.raise_signal(15)\n")
    done = app.run("python", "-m", "app.work", env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stdout) == (-15, "signal\n")


@pytest.mark.parametrize("core", CORES)
def test_forks_out_of_busy_threads_hang_no_child(app: Project, core: str) -> None:
    """A hundred forks while threads run hang no child, and no child claims its parent's lines."""
    app.write(
        "app/work.py",
        """
        import os, sys, threading
        from app import only_parent, only_child
        from server_hook.store import compaction

        compaction.REST_S = float("inf")  # each child keeps its folder, however long all of them take

        stop = threading.Event()
        def busy():
            while not stop.is_set():
                only_parent.run()
        threads = [threading.Thread(target=busy, daemon=True) for _ in range(4)]
        for thread in threads: thread.start()
        for number in range(100):
            pid = os.fork()
            if not pid:
                only_child.run()
                os._exit(0)
            os.waitpid(pid, 0)
        stop.set()
        for thread in threads: thread.join()
        """,
    )
    for name in ("only_parent", "only_child"):
        app.write(f"app/{name}.py", "def run():\n    return 1\n")
    done = app.run("python", "-m", "app.work", env={"VMPILOT_COV": ".", "COVERAGE_CORE": core})
    assert done.returncode == 0, done.stderr
    status = app.run("vmpilot-cov", "status").stdout
    assert status.count("app.work") == 101, status
    published = lines_in(app.path / ".coverage.pipeline")
    assert (published["only_parent.py"], published["only_child.py"]) == ([1, 2], [1, 2])
    children = [_files_of(folder) for folder in app.path.glob(".vmpilot-cov/*-*")]
    assert sorted(children).count(["only_child.py", "work.py"]) == 100


@pytest.mark.parametrize(("others", "publishes"), [(10, False), (64, True)])
def test_forks_publish_where_many_have_recorded(app: Project, others: int, *, publishes: bool) -> None:
    """A fork leaves publishing to its parent, unless so many have recorded that the parent could not take all along."""
    app.write(
        "app/work.py",
        """
        import os
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            print(os.path.exists(".coverage.pipeline"))
        """,
    )
    for number in range(others):
        (app.path / f".vmpilot-cov/{number}-a").mkdir(parents=True)
    done = app.run("python", "-m", "app.work", env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stdout) == (0, f"{publishes}\n"), done.stderr


def _files_of(folder: Path) -> list[str]:
    from server_hook.store import segment

    names = set()
    for _, parts in segment.read_folder(folder):
        assert isinstance(parts, list)
        names |= {Path(source.path).name for part in parts for source in part.files}
    return sorted(names)
