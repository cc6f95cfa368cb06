"""The works in the table of peers: each runs its sides in turn, and returns their figures by side."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import combine
import large
import memory
import serving
import startup
import suite
import verdict
from shared import counts
from shared.pairs import AGAIN, BASE, Cost, Figures, run, take_in_turn
from shared.peers import COVERAGE, NO_PLUGINS, OURS, PYTEST_COV, sessions
from shared.programs import modules, write_package

NONE, FIRST = BASE, "the first time"
FILES, LINES, SUITE_FILES, SUITE_LINES = 200, 200, 40, 360
BUSY_TESTS, SHORT_TESTS, END_FILES = 60, 400, 100
BUSY_ROUNDS = 1500 if suite.SYSMON else 150
"""How often a busy test runs its module: a trace function takes many times as long for each."""
COMMAND = [sys.executable, "-m", "pytest_vmpilot_cov"]
LIVE_PAGE = """
from pathlib import Path
from pytest_vmpilot_cov.cli.looking import Looking
from pytest_vmpilot_cov.hooks.hooks import hooks_of_command
from pytest_vmpilot_cov.options.options import make_options
Looking(make_options(Path.cwd(), str(Path.cwd())), hooks_of_command()).look()
"""


def count_start(folder: Path, _: int) -> Figures:
    """Count the instructions of a start that isn't recorded; they are the same in each round."""
    bare, installed = (startup.make_environment(folder / name, ours=name == "ours") for name in ("bare", "ours"))
    start = ["-c", "pass"]
    sides = {NONE: [bare, *start], AGAIN: [bare, *start], OURS: [installed, *start]}
    return {side: [count_millions(command, folder)] for side, command in sides.items()}


def count_recorded_start(folder: Path, _: int) -> Figures:
    """Count the instructions of a program of one file, from start to end."""
    installed = startup.make_environment(folder / "ours", ours=True)
    write_package(folder, 1, 20)
    (folder / "main.py").write_text(modules(1) + "ALL[0].run()\n")
    (folder / ".coveragerc").write_text("[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 3600\n")
    command, config = [installed, "main.py"], str(folder / ".coveragerc")
    sides: dict[str, dict[str, str]] = {
        NONE: {},
        AGAIN: {},
        COVERAGE: {"COVERAGE_PROCESS_START": config, "COVERAGE_FILE": str(folder / ".coverage")},
        OURS: {"VMPILOT_COV": config, **startup.fresh(folder)},
    }
    for env in (sides[COVERAGE], {**sides[OURS], **startup.fresh(folder)}):
        run(command, folder, **env)  # from now on the bytecode is cached
    return {side: [count_millions(command, folder, **env)] for side, env in sides.items()}


def count_millions(command: list[str], folder: Path, **env: str) -> float:
    """Count the instructions of a command, in millions."""
    return counts.count(command, folder, **env) / 1e6


def empty_session(folder: Path, rounds: int) -> Figures:
    """Run a session of one empty test, beside sources that have not changed since the last one."""
    write_package(folder, SUITE_FILES, SUITE_LINES)
    (folder / "test_empty.py").write_text("import app.m0\n\ndef test_empty():\n    pass\n")
    return cpu_of(folder, sessions(), rounds)


def busy_suite(folder: Path, rounds: int) -> Figures:
    """Run a suite that is busy in its sources."""
    folder.mkdir()
    suite.write_suite(folder, BUSY_TESTS, BUSY_ROUNDS)
    return cpu_of(folder, sessions(), rounds)


def contexts(folder: Path, rounds: int) -> Figures:
    """Run many short tests, of each of which the lines are kept apart."""
    folder.mkdir()
    suite.write_suite(folder, SHORT_TESTS, 1)
    sides = sessions("--cov-context=test")
    return cpu_of(folder, {**sides, AGAIN: sides[PYTEST_COV]}, rounds)


def cpu_of(folder: Path, sides: Mapping[str, list[str]], rounds: int) -> Figures:
    """Return the CPU seconds of sessions, none of which is the first one."""
    for command in sides.values():
        run(command, folder, **NO_PLUGINS)
    return take_in_turn({side: partial(cpu_s, command, folder) for side, command in sides.items()}, rounds)


def cpu_s(command: list[str], folder: Path) -> float:
    """Return the CPU seconds of one session."""
    return run(command, folder, **NO_PLUGINS).cpu_s


def session_end(folder: Path, rounds: int, *, first: bool = False) -> Figures:
    """Return the CPU seconds from the last test to the exit, with a table of all files."""
    verdict.write_suite(folder, END_FILES)
    sides = {side: command for side, command in sessions("--cov-report=term").items() if side != BASE}
    sides[AGAIN] = sides[PYTEST_COV]

    def end(side: str) -> float:
        if first:
            forget_parsed(folder)
        return verdict.cost_s(sides[side], folder)

    for side in sides:
        end(side)
    return take_in_turn({side: partial(end, side) for side in sides}, rounds)


first_session_end = partial(session_end, first=True)


def trivial_request(folder: Path, rounds: int) -> Figures:
    """Return the ms of CPU of a request that runs three lines."""
    return requests(folder, rounds, "/", 1000)


def busy_request(folder: Path, rounds: int) -> Figures:
    """Return the ms of CPU of a request that runs 1,000 lines."""
    return requests(folder, rounds, "/work/100", 500)


def requests(folder: Path, rounds: int, path: str, many: int) -> Figures:
    """Return the ms of CPU of a request to each side's server; all of them live at the same time."""
    with ExitStack() as stack:
        servers = serving.start_all(folder, stack, branch=False)
        for server in servers.values():
            serving.drive(server.port, path, 10 * serving.CONNECTIONS)  # code that runs only once has run now
        turns = {side: partial(serving.burst, each, path, many, [], []) for side, each in servers.items()}
        figures = take_in_turn(turns, rounds)
    return {side: [1000 * each for each in costs] for side, costs in figures.items()}


def peak_memory(_: Path, rounds: int) -> Figures:
    """Return the MiB that a program needs at most that runs every line of its sources."""
    return memory.measure(20_000, rounds, branch=False)


def combine_processes(folder: Path, rounds: int) -> Figures:
    """Return the CPU seconds of combining segments, and of coverage.py's combining the same from data files."""
    return combine_costs(folder, rounds, lambda used: used.cpu_s)


def combine_memory(folder: Path, rounds: int) -> Figures:
    """Return the MiB that the same needs at most."""
    return combine_costs(folder, min(rounds, 5), lambda used: used.peak_mib)  # memory is hardly noisy


def combine_costs(folder: Path, rounds: int, figure: Callable[[Cost], float]) -> Figures:
    """Combine in turn; return a figure of what each side used."""
    folder.mkdir()
    bench = combine.Bench(folder, "lines")
    bench.grow(100)
    sides = {
        COVERAGE: lambda: figure(bench.combine_theirs()),
        OURS: lambda: figure(bench.combine_ours("segments")),
        AGAIN: lambda: figure(bench.combine_theirs()),
    }
    return take_in_turn(sides, rounds)


def large_file(_: Path, rounds: int, *, side: str, figure: Callable[[Cost], float]) -> Figures:
    """Return what the verdict on a file of 100,000 lines takes; all rows are of the same runs, of which two will do."""
    made = large.figures(large.costs(min(rounds, 2), branch=False), figure)
    return {COVERAGE: made[COVERAGE], AGAIN: made[AGAIN], OURS: made[side]}


def second_time(folder: Path, rounds: int, command: list[str]) -> Figures:
    """Return the CPU seconds of a command before anything of the sources was parsed, and after that."""
    write_package(folder, FILES, LINES)
    (folder / "main.py").write_text(modules(FILES) + "for each in ALL[::2]:\n    each.run()\n")
    run([sys.executable, "main.py"], folder, VMPILOT_COV=str(folder))

    def first() -> float:
        forget_parsed(folder)
        return run(command, folder).cpu_s

    sides = {FIRST: first, OURS: lambda: run(command, folder).cpu_s, AGAIN: first}
    figures: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):  # not backwards every other round: the second time comes after the first
        for side, act in sides.items():
            figures[side].append(act())
    shutil.rmtree(folder)
    return figures


def forget_parsed(folder: Path) -> None:
    """Take away what was kept of parsing."""
    for path in (folder / ".vmpilot-cov").glob("parsed-*"):
        path.unlink()


second_report = partial(second_time, command=[*COMMAND, "report"])
second_combine = partial(second_time, command=[*COMMAND, "combine"])
second_page = partial(second_time, command=[*COMMAND, "report", "--cov-report=page"])
second_live_page = partial(second_time, command=[sys.executable, "-c", LIVE_PAGE])
large_cpu = partial(large_file, side=large.FIRST, figure=large.cpu_s)
large_memory = partial(large_file, side=large.FIRST, figure=large.peak_mib)
later_large_cpu = partial(large_file, side=large.LATER, figure=large.cpu_s)
later_large_memory = partial(large_file, side=large.LATER, figure=large.peak_mib)
