"""Do random kills under load, and segments while many threads record, lose or damage anything?

Prints one table a core; each row with its limit. Run it with the Python to be tested: ``python benchmarks/torture.py``.
Nothing here is timed but the loss: the age of the newest line that a kill took along.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from server_hook.store import records, segment, working_folder

FUNCTIONS = 4000
SLACK_S = 0.2


@dataclass
class Kills:
    """The result of the kills."""

    runs: int = 0
    unreadable: int = 0
    largest_loss_s: float = 0.0
    largest_excess_s: float = 0.0


def write_program(folder: Path, *, branch: bool) -> None:
    """Write a program that calls one function after another, and notes the time of each call."""
    (folder / "app").mkdir()
    (folder / ".coveragerc").write_text(f"[run]\nsource = app\nbranch = {branch}\n")
    functions = "".join(f"def f{n}(x):\n    if x:\n        return {n}\n    return 0\n\n" for n in range(FUNCTIONS))
    (folder / "app/work.py").write_text(functions + f"CALLS = [{', '.join(f'f{n}' for n in range(FUNCTIONS))}]\n")
    (folder / "app/__init__.py").write_text("")
    (folder / "main.py").write_text(
        """
import os, sys, threading, time
from app import work
sys.setswitchinterval(0.0005)
def noise():
    while True:
        for call in work.CALLS[:50]:
            call(1)
for _ in range(3):
    threading.Thread(target=noise, daemon=True).start()
notes = os.open("notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number, call in enumerate(work.CALLS[50:], 50):
    call(1)
    os.write(notes, f"{number} {time.time()}\\n".encode())
    time.sleep(0.001)
while True:
    time.sleep(1)
"""
    )


def kill_once(core: str, rng: random.Random, kills: Kills, *, branch: bool) -> None:
    """Start the program, kill it at a random moment, and look at what is left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_program(folder, branch=branch)
        environment = {**os.environ, "VMPILOT_COV": name, "COVERAGE_CORE": core}
        process = subprocess.Popen([sys.executable, "main.py"], cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not (folder / "notes").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 3.0))
        os.kill(process.pid, signal.SIGKILL)
        killed = time.time()
        process.wait()
        kills.runs += 1
        reached, interval_s = read_back(folder, kills)
        lost = [moment for number, moment in read_notes(folder) if 5 * number + 3 not in reached]
        loss_s = killed - min(lost) if lost else 0.0
        kills.largest_loss_s = max(kills.largest_loss_s, loss_s)
        kills.largest_excess_s = max(kills.largest_excess_s, loss_s - interval_s)


def read_back(folder: Path, kills: Kills) -> tuple[set[int], float]:
    """Return the lines that survived, and the interval that the process had announced."""
    reached: set[int] = set()
    interval_s = 1.0
    for process in working_folder.process_folders(folder):
        record = records.read_record(process)
        interval_s = float(record.settings["interval_s"]) if record else interval_s
        for _, parts in segment.read_folder(process):
            if isinstance(parts, segment.TornError):
                kills.unreadable += 1
                continue
            for part in parts:
                for source, measured in part.files.items():
                    if source.path.endswith("work.py"):
                        reached.update(segment.line_numbers(segment.to_lines(measured)))
    return reached, interval_s


def read_notes(folder: Path) -> list[tuple[int, float]]:
    """Return the time of each function's call."""
    try:
        lines = (folder / "notes").read_text().splitlines()
    except OSError:
        return []
    pairs = [line.split() for line in lines]
    return [(int(number), float(moment)) for number, moment in (pair for pair in pairs if pair[1:])]


CUTS = """
import sys, threading, time, json
sys.setswitchinterval(0.0005)
from app import work
from server_hook.record import recorder
current = recorder.current()
done = threading.Event()
cuts = 0
def cut():
    global cuts
    while cuts < {cuts} or not done.is_set():
        current.flush()
        cuts += 1
        time.sleep(0.0005)
cutter = threading.Thread(target=cut)
cutter.start()
def run(calls):
    for call in calls:
        call(1); call(0)
        time.sleep(0.0001)
threads = [threading.Thread(target=run, args=(work.CALLS[n::8],)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
done.set()
cutter.join()
print(json.dumps(cuts))
"""


def cut_under_load(core: str, cuts: int, *, branch: bool) -> tuple[int, int]:
    """Drain while eight threads record; return how often, and how many lines or arcs are missing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_program(folder, branch=branch)
        (folder / "main.py").write_text(CUTS.format(cuts=cuts))
        environment = {**os.environ, "VMPILOT_COV": name, "COVERAGE_CORE": core}
        done = subprocess.run(
            [sys.executable, "main.py"], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        found: set[object] = set()
        for process in working_folder.process_folders(folder):
            for _, parts in segment.read_folder(process):
                assert isinstance(parts, list)
                for part in parts:
                    for source, measured in part.files.items():
                        if source.path.endswith("work.py"):
                            found |= set(segment.line_numbers(measured)) if isinstance(measured, int) else set(measured)
        wanted: set[object] = set()
        for number in range(FUNCTIONS):
            first = 5 * number + 1
            if branch:
                wanted |= {(first + 1, first + 2), (first + 1, first + 3), (-first, first + 1)}
            else:
                wanted |= {first, first + 1, first + 2, first + 3}
        return json.loads(done.stdout), len(wanted - found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=1000)
    args = parser.parse_args()
    cores = ["ctrace", "sysmon"] if sys.version_info >= (3, 12) else ["ctrace"]
    rng = random.Random(1)
    print(f"Python {sys.version.split()[0]}; limits: unreadable 0, loss at most the interval + {SLACK_S} s, lost 0")
    print("core     what       runs  unreadable  largest loss  beyond interval   cuts  lost")
    for core in cores:
        for branch in (False, True):
            if core == "sysmon" and branch and sys.version_info < (3, 14):
                continue
            kills = Kills()
            for _ in range(args.kills):
                kill_once(core, rng, kills, branch=branch)
            cuts, lost = cut_under_load(core, args.cuts, branch=branch)
            beyond = f"{max(0.0, kills.largest_excess_s):.2f} s"
            print(
                f"{core:<8} {'branches' if branch else 'lines':<9} {kills.runs:>5} {kills.unreadable:>11} "
                f"{kills.largest_loss_s:>11.2f} s {beyond:>16} {cuts:>6} {lost:>5}",
                flush=True,
            )


if __name__ == "__main__":
    main()
