"""What does the start-up line cost, in a process that isn't recorded and in one that is?

Off, a start is compared with one in the same environment without the line: the modules that it imports, and its
instructions. On, it is compared with coverage.py's own process start-up of the same program. Prints one table;
``python benchmarks/startup.py``; counts instructions where valgrind is installed.
"""

from __future__ import annotations

import shutil
import tempfile
import venv
from pathlib import Path
from statistics import median

from shared import counts
from shared.pairs import AGAIN, BASE, Table, arguments, ratio, run, take_in_turn
from shared.programs import modules, write_package

OFF_LIMIT, RECORDING_LIMIT = 1.01, 1.1
SIZES = (1, 10, 100)
"""How many source files the recorded program runs."""
STARTS = "starts, as coverage.py's own process start-up"


def make_environment(folder: Path, *, ours: bool) -> str:
    """Make an environment with coverage.py, the start-up line and what it imports; return its Python."""
    import coverage

    import server_hook

    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "coverage").symlink_to(Path(str(coverage.__file__)).parent)
    shutil.copy(Path(str(coverage.__file__)).parent.parent / "a1_coverage.pth", site)
    if ours:
        hook = Path(str(server_hook.__file__)).parent
        (site / "server_hook").symlink_to(hook)
        shutil.copy(hook / "a0_vmpilot_cov.pth", site)
    return str(folder / "bin/python")


def compare_off(table: Table, bare: str, installed: str, folder: Path) -> None:
    """Compare a start that isn't recorded with one without the line."""
    listing = ["-c", "import sys; print(*sorted(sys.modules))"]
    more = set(run([installed, *listing], folder).output.split()) - set(run([bare, *listing], folder).output.split())
    table.at_most(f"off: modules more than without the line {sorted(more) or ''}", len(more), 0)
    if counts.can_count():
        without, with_it = (counts.count([python, "-c", "pass"], folder) for python in (bare, installed))
        table.at_most("off: instructions of a start, to one without the line", with_it / without, OFF_LIMIT)
    else:
        table.note("off: instructions", counts.MISSING)


def compare_recording(table: Table, python: str, files: int, pairs: int) -> tuple[float, float]:
    """Compare a recorded program of *files* files with coverage.py's recording; return what both cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_package(folder, files, 20)
        (folder / "main.py").write_text(modules(files) + "for each in ALL:\n    each.run()\n")
        command, config = [python, "main.py"], str(folder / ".coveragerc")
        theirs = {"COVERAGE_PROCESS_START": config, "COVERAGE_FILE": str(folder / ".coverage")}
        child = session_child(python, folder, config)
        sides = {
            BASE: lambda: run(command, folder).cpu_s,
            AGAIN: lambda: run(command, folder).cpu_s,
            STARTS: lambda: run(command, folder, **theirs).cpu_s,
            "recorded as a server": lambda: run(command, folder, VMPILOT_COV=config, **fresh(folder)).cpu_s,
            "recorded as a test's child": lambda: run(command, folder, **child).cpu_s,
        }
        figures = take_in_turn(sides, pairs)
        table.note(f"{files} files of source", "")
        noise = table.noise(figures)
        for side in sides:
            if side not in (BASE, AGAIN):
                table.note(f"  {side}, to {BASE}", f"{ratio(figures, side):.2f}")
        for side in ("recorded as a server", "recorded as a test's child"):
            table.at_most(f"  CPU {side}, to coverage's", ratio(figures, side, STARTS), RECORDING_LIMIT, noise=noise)
        if counts.can_count():
            by_theirs = counts.count(command, folder, **theirs)
            for side, env in {"a server": {"VMPILOT_COV": config, **fresh(folder)}, "a test's child": child}.items():
                figure = counts.count(command, folder, **env) / by_theirs
                table.at_most(f"  instructions recorded as {side}, to coverage's", figure, RECORDING_LIMIT)
        return median(figures["recorded as a server"]), median(figures[STARTS])


def fresh(folder: Path) -> dict[str, str]:
    """Return the environment of a server whose data folder is empty."""
    return {"VMPILOT_COV_DATA_DIR": tempfile.mkdtemp(dir=folder)}


def session_child(python: str, folder: Path, config: str) -> dict[str, str]:
    """Return the environment of a test's child, which reads its settings from the session's record."""
    make = (
        "import sys\n"
        "from server_hook.config.settings import read_settings\n"
        "from server_hook.record.recorder import Recorder\n"
        "made = Recorder(read_settings(sys.argv[1]), sys.argv[2], 'unit', None)\n"
        "made.announce(); print(made.presence.folder)"
    )
    session = run([python, "-c", make, config, str(folder / "session")], folder).output.strip()
    return {"VMPILOT_COV": config, "VMPILOT_COV_ORIGIN": "unit", "VMPILOT_COV_SESSION": session}


def main() -> None:
    """Print the table."""
    pairs = arguments(__doc__).parse_args().pairs
    table = Table()
    table.begin(f"Start of an interpreter, {pairs} pairs")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = make_environment(folder / "bare", ours=False)
        installed = make_environment(folder / "ours", ours=True)
        for python in (bare, installed):
            run([python, "-c", "import coverage, coverage.cmdline"], folder)  # from now on the bytecode is cached
        compare_off(table, bare, installed, folder)
        costs = {files: compare_recording(table, installed, files, pairs) for files in SIZES}
        table.growth("CPU seconds, recorded", {files: cost for files, (cost, _) in costs.items()})
        table.growth("CPU seconds, coverage.py's", {files: cost for files, (_, cost) in costs.items()})
    table.end()


if __name__ == "__main__":
    main()
