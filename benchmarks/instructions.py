"""Has anything become more expensive? Count instructions, which don't depend on the load of the machine.

Each figure is a ratio to something that is counted in the same run, so that it holds on other machines: a bare start of
the interpreter, coverage.py's own process start-up, or a fixed piece of Python. It fails where a figure is more than
10 % above the one in ``instructions.json`` for this Python and architecture, or a recorded start more than 5 %.
``python benchmarks/instructions.py``, and with ``--record`` to write the figures down; needs valgrind.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from shared import counts
from shared.pairs import Table, run
from shared.peers import NO_PLUGINS
from shared.programs import modules, write_package
from startup import fresh, make_environment

RECORDED = Path(__file__).with_suffix(".json")
KEY = f"{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"
STEP = 1.1
"""How many times the recorded figure a figure may be."""
STARTED = "a start, recorded, to coverage.py's own"
STEPS = {STARTED: 1.05}
"""The same of figures that every process pays for, and that hardly vary."""
FILES, FILE_LINES, CUTS, SEGMENTS = 100, 200, 10, 20
SUITE_FILES, SUITE_LINES = 40, 360
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
REPORT = [sys.executable, "-m", "pytest_vmpilot_cov", "report"]


def piece_of_python() -> None:
    """Run a fixed piece of Python: the unit for the inner works, and similar to them."""
    for number in range(60):
        lines = set(range(number, 2000 + number, 3))
        bits = 0
        for line in lines:
            bits |= 1 << (line % 200)
        text = json.dumps({str(line): f"{bits ^ line:x}" for line in lines})
        assert len({int(value, 16) for value in json.loads(text).values()}) > 1


def prepare(folder: Path) -> dict[str, Callable[[], object]]:
    """Prepare what every work needs, so that all runs have the same preparation in common."""
    from types import SimpleNamespace

    from pytest_vmpilot_cov.combine.unite import unite
    from server_hook.record.drain import Drain
    from server_hook.store import segment
    from server_hook.store.fingerprint import fingerprint

    paths = [str(folder / f"app/m{number}.py") for number in range(FILES)]
    mark = fingerprint(paths[0])  # all are alike
    live: dict[str, set[int]] = {path: set(range(1, FILE_LINES, 2)) for path in paths}
    drain = Drain(SimpleNamespace(_collector=SimpleNamespace(data=live)), segment.Label("unit"), branch=False)  # type: ignore[arg-type]
    drain.mark_written(drain.cut())
    sources = [segment.Source(path, mark) for path in paths]
    known = [
        [segment.Part(segment.Label(origin), 1.5, 2.5, dict.fromkeys(sources, (1 << 199) // (3 + number)))]
        for number in range(SEGMENTS)
        for origin in ("unit", "e2e")
    ]
    octets = [segment.encode(parts) for parts in known]

    def cut() -> None:
        for number in range(CUTS):
            for path in paths:
                live[path].update(range(20 * number + 2, 20 * number + 22, 2))  # 10 new lines in each of 100 files
            parts = drain.cut()
            segment.write(str(folder), number, parts)
            drain.mark_written(parts)

    def combine_all() -> None:
        parts = [part for each in known for part in each]
        found = unite(parts, project_files=dict.fromkeys(paths, ""), is_project_file=lambda _: True)
        assert len(found.counted) == 2  # noqa: PLR2004 - the origins

    return {
        "nothing": lambda: None,
        "a piece of Python": piece_of_python,
        "a cut with 1,000 new lines": cut,
        "encode segments": lambda: [segment.encode(parts) for parts in known],
        "decode segments": lambda: [segment.decode(each) for each in octets],
        "combine segments": combine_all,
    }


INNER = ("a cut with 1,000 new lines", "encode segments", "decode segments", "combine segments")


def suites(folder: Path) -> dict[str, Callable[..., int]]:
    """Prepare a suite of one empty test, with sources to report, and what is counted of it."""
    suite, first = folder / "suite", folder / "first"
    write_package(suite, SUITE_FILES, SUITE_LINES)
    with (suite / ".coveragerc").open("a") as file:  # valgrind takes seconds, such a session a third of one: no beat
        file.write("[vmpilot_cov]\ninterval_s = 3600\n")
    (suite / "test_empty.py").write_text("import app.m0\n\ndef test_empty():\n    pass\n")
    session = [*PYTEST, "-p", "vmpilot_cov", "--vmpilot-cov"]
    for command in (PYTEST, session):  # from now on bytecode and what was parsed are kept
        run(command, suite, **NO_PLUGINS)
    shutil.copytree(suite, first)
    for path in (first / ".vmpilot-cov").glob("parsed-*"):
        path.unlink()
    shutil.copytree(suite, folder / "again")  # a session replaces the data that a report reads
    return {
        "plain": partial(counts.count, PYTEST, suite, **NO_PLUGINS),
        "session": partial(counts.count, session, folder / "again", **NO_PLUGINS),
        "first report": partial(counts.count, REPORT, first),
        "second report": partial(counts.count, REPORT, suite),
    }


def count_all(folder: Path) -> dict[str, int]:
    """Count the instructions of every start and every work, one job per processor at a time."""
    write_package(folder, FILES, FILE_LINES)
    write_package(folder / "program", 1, 20)
    (folder / "program/main.py").write_text(modules(1) + "ALL[0].run()\n")
    config = folder / "program/.coveragerc"
    config.write_text(config.read_text() + "[vmpilot_cov]\ninterval_s = 3600\n")
    bare, installed = (make_environment(folder / name, ours=ours) for name, ours in (("bare", False), ("ours", True)))
    main = [installed, str(folder / "program/main.py")]
    theirs = {"COVERAGE_PROCESS_START": str(config), "COVERAGE_FILE": str(folder / ".coverage")}
    ours = {"VMPILOT_COV": str(config), **fresh(folder)}
    do = [sys.executable, __file__, str(folder), "--do"]
    jobs: dict[str, Callable[..., int]] = {
        "bare": partial(counts.count, [bare, "-c", "pass"], folder),
        "off": partial(counts.count, [installed, "-c", "pass"], folder),
        "theirs": partial(counts.count, main, folder, **theirs),
        "recorded": partial(counts.count, main, folder, **ours),
        **{name: partial(counts.count, [*do, name], folder) for name in ("nothing", "a piece of Python", *INNER)},
        **suites(folder),
    }
    run(main, folder, **theirs)  # from now on the bytecode is cached
    run(main, folder, **{**ours, **fresh(folder)})
    run([*do, "nothing"], folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(jobs, pool.map(lambda job: job(), jobs.values()), strict=True))


def ratios(counted: Mapping[str, int]) -> dict[str, float]:
    """Turn counts into the figures to compare."""
    piece = counted["a piece of Python"] - counted["nothing"]
    found = {
        "a start, not recorded, to one without the line": counted["off"] / counted["bare"],
        STARTED: counted["recorded"] / counted["theirs"],
        "a second session of one empty test, to plain pytest": counted["session"] / counted["plain"],
        "a second report, to the first": counted["second report"] / counted["first report"],
    }
    inner = {f"{name}, to a piece of Python": (counted[name] - counted["nothing"]) / piece for name in INNER}
    return {name: round(figure, 4) for name, figure in {**found, **inner}.items()}


def compare(found: Mapping[str, float]) -> None:
    """Print the figures next to the recorded ones; exit with 1 if one is above its limit."""
    recorded = json.loads(RECORDED.read_text()).get(KEY, {}) if RECORDED.exists() else {}
    table = Table()
    table.begin(f"Instructions; limit: {STEP:g} ({STEPS[STARTED]:g} for a start) times what is recorded for {KEY}")
    for what, figure in found.items():
        if what in recorded:
            table.at_most(what, figure, round(STEPS.get(what, STEP) * recorded[what], 4))
        else:
            table.note(f"{what}: no figure for {KEY}, not compared", f"{figure:.3f}")
    table.end()


def record(found: Mapping[str, float]) -> None:
    """Record the figures for this Python and architecture, and keep those of others."""
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    recorded[KEY] = dict(found)
    RECORDED.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    print(f"{len(found)} figures recorded for {KEY} in {RECORDED}")


def main() -> None:
    """Count, and compare or record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where a counted process finds its files")
    parser.add_argument("--do", help="be a counted process, and do this work")
    parser.add_argument("--record", action="store_true", help="record the figures instead of comparing them")
    args = parser.parse_args()
    if args.do:
        prepare(args.folder)[args.do]()
        return
    if not counts.can_count():
        raise SystemExit(counts.MISSING)
    with tempfile.TemporaryDirectory() as name:
        found = ratios(count_all(Path(name)))
    (record if args.record else compare)(found)


if __name__ == "__main__":
    main()
