"""How busy is the recorder's thread while every millisecond brings new lines?

Prints one table; the limit is 2 % of a core. ``python benchmarks/recording.py``; needs Linux, whose kernel counts the
CPU of each thread.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server_hook.store import segment, working_folder

LIMIT_PERCENT = 2.0
FUNCTIONS = 30_000

PROGRAM = """
import sys, time
from app import work
calls = work.CALLS if sys.argv[1] == "new" else work.CALLS[:100] * 300
for call in calls:
    call(1)
    time.sleep(0.001)
time.sleep(1000)
"""


def write_program(folder: Path, *, branch: bool) -> None:
    """Write a program that enters one function after another."""
    (folder / "app").mkdir()
    (folder / ".coveragerc").write_text(f"[run]\nsource = app\nbranch = {branch}\n")
    functions = "".join(f"def f{n}(x):\n    if x:\n        return {n}\n    return 0\n\n" for n in range(FUNCTIONS))
    (folder / "app/work.py").write_text(functions + f"CALLS = [{', '.join(f'f{n}' for n in range(FUNCTIONS))}]\n")
    (folder / "app/__init__.py").write_text("")
    (folder / "main.py").write_text(PROGRAM)


def thread_cpu_s(pid: int) -> float:
    """Return the CPU time of all threads except the main one: the recorder's is the only one."""
    tasks = [task for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(core: str, load: str, seconds: float, *, branch: bool) -> tuple[float, int]:
    """Return how much of a core the recorder used, in percent, and how many segments it wrote in that time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_program(folder, branch=branch)
        environment = {**os.environ, "VMPILOT_COV": name, "COVERAGE_CORE": core}
        process = subprocess.Popen([sys.executable, "main.py", load], cwd=folder, env=environment)
        try:
            while not any(working_folder.process_folders(folder)):
                time.sleep(0.05)
            time.sleep(3)  # until lines of the import are written
            begun, before, written = time.monotonic(), thread_cpu_s(process.pid), _segments(folder)
            time.sleep(seconds)
            percent = 100 * (thread_cpu_s(process.pid) - before) / (time.monotonic() - begun)
            return percent, _segments(folder) - written
        finally:
            process.kill()
            process.wait()


def _segments(folder: Path) -> int:
    return sum(len(list(process.glob("*" + segment.SUFFIX))) for process in working_folder.process_folders(folder))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    cores = ["ctrace", "sysmon"] if sys.version_info >= (3, 12) else ["ctrace"]
    print(f"Python {sys.version.split()[0]}, {seconds:g} s each; limit {LIMIT_PERCENT:g} % of a core")
    print("core     what       load       segments   recorder's CPU")
    for core in cores:
        for branch in (False, True):
            if core == "sysmon" and branch and sys.version_info < (3, 14):
                continue
            for load in ("new", "known"):
                percent, segments = measure(core, load, seconds, branch=branch)
                what = "branches" if branch else "lines"
                print(f"{core:<8} {what:<10} {load:<10} {segments:>8} {percent:>14.2f} %", flush=True)


if __name__ == "__main__":
    main()
