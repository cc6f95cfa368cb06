"""Is a caught signal ever lost, or a line of whom it ended? Signals reach forked children at random moments.

Each row is what a child does when its signal comes. A child that has not ended a minute later has lost the signal; an
odd one has ended in another way than it would alone. Run it with the Python to be tested.

The worst moment is too short to be hit: between Python's look at the flag and the system call. In ``late``, another
thread of the child gets the signal, which leaves the main thread in that very state each time. ``alone`` is the proof
that it does: the same without what interrupts the main thread again, where every signal is to be lost.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from coverage import CoverageData

MOMENTS = ("sleep", "read", "select", "lock", "cuts", "end", "start", "handlers", "late", "alone")
ALONE_RUNS = 20
"""A signal that is lost takes a second."""

PROGRAM = """
    import json, multiprocessing, os, random, select, signal, sys, threading, time
    from app import busy, work
    from server_hook.environment import process_state

    MOMENT, RUNS = sys.argv[1], int(sys.argv[2])
    ENDING = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM]
    PATIENCE_S = 1 if MOMENT == "alone" else 60


    def busily():
        while True:
            for call in busy.CALLS:
                call()


    def gather(seen):
        while len(seen) < len(ENDING):
            time.sleep(0.001)
        os._exit(len(set(seen)))


    def late(number):
        def get():
            with gate:
                signal.pthread_kill(threading.get_ident(), number)
            time.sleep(1000)

        gate = threading.Lock()
        with gate:
            threading.Thread(target=get, daemon=True).start()
            sys.setswitchinterval(1000)  # from now on that thread runs only while this one waits in C
            time.sleep(0.01)
        time.sleep(1000)


    def alone(number):
        process_state().wakeup.attend = lambda: 1000
        late(number)


    seen = []
    WAITS = {
        "sleep": lambda _: time.sleep(1000),
        "read": lambda _: os.read(os.pipe()[0], 1),
        "select": lambda _: select.select([], [], []),
        "lock": lambda _: threading.Event().wait(),
        "start": lambda _: time.sleep(1000),
        "cuts": lambda _: busily(),
        "end": lambda _: None,
        "handlers": lambda _: gather(seen),
        "late": late,
        "alone": alone,
    }


    def child(number, ready, sent):
        if MOMENT == "handlers":
            for each in ENDING:
                signal.signal(each, lambda number, _: seen.append(number))
        work.CALLS[number]()
        os.write(ready, b".")
        WAITS[MOMENT](sent[0])


    def run(number):
        sent = ENDING if MOMENT == "handlers" else [random.choice(ENDING)]
        reader, writer = os.pipe()
        process = multiprocessing.get_context("fork").Process(target=child, args=(number, writer, sent))
        process.start()
        os.close(writer)
        ready = MOMENT != "start" and os.read(reader, 1)
        time.sleep(random.choice([0, 0.0002, 0.002, 0.02]) * random.random())
        for each in sent if MOMENT not in ("late", "alone") else []:
            os.kill(process.pid, each)
        process.join(PATIENCE_S)
        ready = ready or os.read(reader, 1)
        os.close(reader)
        lost = process.exitcode is None
        if lost:
            process.kill()
            process.join()
        expected = {"handlers": {len(ENDING)}, "end": {0, -sent[0]}}.get(MOMENT, {-sent[0]})
        return lost, process.exitcode not in expected and not lost and process.exitcode, bool(ready)


    results = [run(number) for number in range(RUNS)]
    print(json.dumps(results))
"""


def write_project(folder: Path, runs: int) -> None:
    """Write the program, with a function for each child, and others that keep a child busy."""
    (folder / "app").mkdir()
    (folder / ".coveragerc").write_text("[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 0.01\n")
    (folder / "app/__init__.py").write_text("")
    (folder / "main.py").write_text("\n".join(line[4:] for line in PROGRAM.splitlines()))
    for name, count in (("work", runs), ("busy", 2000)):
        functions = "".join(f"def f{number}():\n    return {number}\n" for number in range(count))
        calls = ", ".join(f"f{number}" for number in range(count))
        (folder / f"app/{name}.py").write_text(f"{functions}CALLS = [{calls}]\n")


def try_moment(core: str, moment: str, runs: int) -> tuple[int, list[int], int]:
    """Return how many signals were lost, how others ended in an odd way, and how many lines were lost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, runs)
        environment = {**os.environ, "VMPILOT_COV": name, "COVERAGE_CORE": core}
        command = [sys.executable, "main.py", moment, str(runs)]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        results = json.loads(done.stdout)
        data = CoverageData(basename=str(folder / ".coverage.pipeline"))
        data.read()
        lines = set(data.lines(str((folder / "app/work.py").resolve())) or [])
    odd = [code for _, code, _ in results if code is not False]
    return (
        sum(lost for lost, *_ in results),
        odd,
        sum(ready and 2 * number + 2 not in lines for number, (*_, ready) in enumerate(results)),
    )


def main() -> None:
    """Print the table; exit with 1 if anything was lost or odd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="how many children a row (default: 1000)")
    parser.add_argument("--moments", nargs="+", choices=MOMENTS, default=MOMENTS)
    args = parser.parse_args()
    failed = False
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # else children ignore it under nohup
    print(f"Python {sys.version.split()[0]}; limit: nothing lost but each signal of alone, nothing odd")
    print("core    moment     runs  lost  lost lines  odd exit codes")
    for core in ("ctrace", "sysmon") if sys.version_info >= (3, 12) else ("ctrace",):
        for moment in args.moments:
            runs = min(args.runs, ALONE_RUNS) if moment == "alone" else args.runs
            lost, odd, lines = try_moment(core, moment, runs)
            failed |= bool(odd or lines) or lost != (runs if moment == "alone" else 0)
            print(f"{core:<7} {moment:<9} {runs:>5} {lost:>5} {lines:>11}  {odd or ''}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
