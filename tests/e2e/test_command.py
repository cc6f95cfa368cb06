from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Project, lines_in, numbered
from tests.e2e.conftest import RAN, TESTED, WORK, contents, said, session, vmpilot

VERBS = ("serve", "run", "combine", "report", "status", "erase", "demo")


@pytest.fixture
def narrow(app: Project) -> Project:
    """Give a project of which ``work`` alone counts: its run reaches 7 of 8 statements, 87.50 percent."""
    app.write(".coveragerc", "[run]\nsource = app\nomit =\n    app/stay.py\n    app/web.py\n")
    return app


def serve_work(app: Project) -> None:
    """Let ``work`` run as a server, and end."""
    assert vmpilot(app, "serve", "--", "python", "-m", "app.work", "0").returncode == 0


def verdict_of(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """Return the exit code and the last line, which is the verdict."""
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_an_example(app: Project, verb: str) -> None:
    """The help of every verb exits with 0 and shows how it is typed, outside any project, too."""
    (app.path / ".coveragerc").write_text("this is broken")
    done = vmpilot(app, verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: vmpilot-cov {verb}" in done.stdout


def test_help_names_every_verb(app: Project) -> None:
    """The help of the command names its verbs, each with what it does, and an example."""
    done = vmpilot(app, "--help")
    named = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ") and len(line.split()) > 1]
    assert (done.returncode, [name for name in named if name in VERBS]) == (0, list(VERBS))
    assert "example: vmpilot-cov " in done.stdout


@pytest.mark.parametrize("words", [(), ("--no-such-option",), ("no-such-verb",)])
def test_misuse_exits_with_2(app: Project, words: tuple[str, ...]) -> None:
    """No verb, an unknown verb and an unknown option are misuse, with the usage and one line on what is wrong."""
    code, text = said(vmpilot(app, *words))
    assert (code, text.splitlines()[0][:19]) == (2, "usage: vmpilot-cov ")
    assert text.splitlines()[-1].startswith("vmpilot-cov: error: ")


@pytest.mark.parametrize(("words", "origin"), [(("--origin", "unit"), "unit"), (("--origin=e2e",), "e2e"), ((), "e2e")])
def test_run_counts_for_the_named_origin(app: Project, words: tuple[str, ...], origin: str) -> None:
    """Python children of any command land in ``.coverage.tests`` under the origin that was named, else under e2e."""
    app.write("script.sh", "python -m app.work 0\n")
    done = vmpilot(app, "run", *words, "--", "bash", "script.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = {name: lines_in(app.path / ".coverage.tests", name) for name in ("unit", "e2e", "pipeline")}
    assert found == {"unit": {}, "e2e": {}, "pipeline": {}, origin: RAN}
    assert not (app.path / ".coverage.pipeline").exists()


def test_run_adds_to_what_is_there(app: Project) -> None:
    """What a session measured, and what earlier runs did, stays."""
    session(app)
    assert vmpilot(app, "run", "--origin", "e2e", "--", "python", "-m", "app.work", "0").returncode == 0
    assert {name: lines_in(app.path / ".coverage.tests", name) for name in ("unit", "e2e")} == {
        "unit": TESTED,
        "e2e": RAN,
    }
    assert vmpilot(app, "run", "--origin", "unit", "--", "python", "-m", "app.work", "0").returncode == 0
    assert lines_in(app.path / ".coverage.tests", "unit")["work.py"] == numbered(WORK, "run", "test")
    assert lines_in(app.path / ".coverage.tests", "e2e") == RAN


def test_run_of_an_unknown_origin(app: Project) -> None:
    """``pipeline`` is no origin of a run, and a word that is none is refused, before the command is started."""
    for origin in ("pipeline", "units"):
        code, text = said(vmpilot(app, "run", "--origin", origin, "--", "touch", "started"))
        expected = f"vmpilot-cov run: error: argument --origin: invalid choice: '{origin}'"
        assert (code, text.splitlines()[-1][: len(expected)]) == (2, expected)
    assert not (app.path / "started").exists()


def test_run_passes_the_exit_code(app: Project) -> None:
    """The command's exit code is that of ``run``, and what was measured stays."""
    assert vmpilot(app, "run", "--", "python", "-m", "app.work", "3").returncode == 3
    assert lines_in(app.path / ".coverage.tests", "e2e") == RAN


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "run needs a command after --, as in: vmpilot-cov run -- ./tests/scripts/chat.sh (command-missing)"),
        (("--", "./none.sh"), "./none.sh cannot be started: No such file or directory (command-not-found)"),
    ],
)
def test_run_of_no_command(app: Project, words: tuple[str, ...], expected: str) -> None:
    """Without a command, or with one that does not exist, ``run`` says so in one line."""
    assert said(vmpilot(app, "run", *words)) == (2, f"vmpilot-cov: {expected}")


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ("75", (0, "Required test coverage of 75% reached. Total coverage: 87.50%")),
        ("90", (1, "FAIL Required test coverage of 90% not reached. Total coverage: 87.50%")),
    ],
)
def test_combine_is_judged(narrow: Project, threshold: str, expected: tuple[int, str]) -> None:
    """``-f`` decides the exit code, and the verdict is the last line; ``.coverage`` holds what was counted."""
    serve_work(narrow)
    assert verdict_of(vmpilot(narrow, "combine", "-f", threshold)) == expected
    assert lines_in(narrow.path / ".coverage") == RAN


def test_combine_takes_the_threshold_of_the_configuration(narrow: Project) -> None:
    """Without ``-f`` the configuration's fail_under is in force."""
    serve_work(narrow)
    narrow.write(".coveragerc", (narrow.path / ".coveragerc").read_text() + "\n[report]\nfail_under = 90\n")
    expected = (1, "FAIL Required test coverage of 90% not reached. Total coverage: 87.50%")
    assert verdict_of(vmpilot(narrow, "combine")) == expected


@pytest.mark.parametrize("verb", ["combine", "report"])
def test_nothing_to_combine(app: Project, verb: str) -> None:
    """Where nothing was measured, one line says where it was looked for and what to do; the exit code is 1."""
    home = Path("~/pipelines").expanduser()
    expected = (
        1,
        (
            f"vmpilot-cov: there is no data to combine in {app.path}, {home}; run pytest --vmpilot-cov, or a server "
            f"with VMPILOT_COV={app.path / '.coveragerc'} (nothing-to-combine)"
        ),
    )
    assert said(vmpilot(app, verb)) == expected


def test_combine_of_a_missing_path(narrow: Project) -> None:
    """A PATH that does not exist is misuse, said in one line; nothing is combined."""
    serve_work(narrow)
    expected = (
        2,
        (
            "vmpilot-cov: none/.coverage cannot be read as coverage data and does not count: there is no such file or "
            "folder (data-unreadable)"
        ),
    )
    assert said(vmpilot(narrow, "combine", ".coverage.pipeline", "none/.coverage")) == expected
    assert not (narrow.path / ".coverage").exists()


@pytest.mark.parametrize(
    ("verb", "threshold"), [("combine", "175"), ("combine", "abc"), ("report", "-1"), ("demo", "nan")]
)
def test_threshold_that_is_no_percentage(app: Project, verb: str, threshold: str) -> None:
    """A threshold outside 0 to 100, or no number, is misuse that names the value and the range."""
    code, text = said(vmpilot(app, verb, f"-f={threshold}"))
    expected = (
        f"vmpilot-cov {verb}: error: argument -f/--fail-under: fail_under={threshold} (from the command line) is not a "
        "percentage; use 0 to 100 (fail-under-range)"
    )
    assert (code, text.splitlines()[-1]) == (2, expected)


def test_combine_reads_the_named_paths_and_no_others(narrow: Project) -> None:
    """A PATH is a data file or a folder of them; what lies elsewhere does not count, and is not lost."""
    serve_work(narrow)
    for name in ("folder/.coverage.pipeline", "server.data"):
        (narrow.path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(narrow.path / ".coverage.pipeline", narrow.path / name)
    session(narrow)
    counted = {}
    for words in (("folder",), ("server.data",), ()):
        assert vmpilot(narrow, "combine", *words).returncode == 0
        counted[words] = {name: lines_in(narrow.path / ".coverage", name) for name in ("unit", "e2e", "pipeline")}
    moved = {"unit": {}, "e2e": {}, "pipeline": RAN}
    assert counted == {("folder",): moved, ("server.data",): moved, (): {**moved, "unit": TESTED}}


def test_combine_unites_several_paths(narrow: Project) -> None:
    """Several PATHs are united."""
    serve_work(narrow)
    shutil.move(narrow.path / ".coverage.pipeline", narrow.path / "one.data")
    session(narrow)
    shutil.copyfile(narrow.path / ".coverage.tests", narrow.path / "other.data")
    vmpilot(narrow, "combine", "one.data", "other.data")
    assert lines_in(narrow.path / ".coverage")["work.py"] == numbered(WORK, "run", "test")


def test_report_writes_no_data_file(narrow: Project) -> None:
    """``report`` judges what lies there and leaves every file as it was."""
    serve_work(narrow)
    before = contents(narrow.path)
    for threshold, expected in (
        ("75", (0, "Required test coverage of 75% reached. Total coverage: 87.50%")),
        ("90", (1, "FAIL Required test coverage of 90% not reached. Total coverage: 87.50%")),
    ):
        assert verdict_of(vmpilot(narrow, "report", "-f", threshold)) == expected
    assert contents(narrow.path) == before


def test_report_goes_into_the_file_that_was_asked_for(narrow: Project) -> None:
    """``--cov-report=KIND:DEST`` writes that report, and nothing else."""
    serve_work(narrow)
    before = contents(narrow.path)
    assert vmpilot(narrow, "report", "--cov-report=xml:out/cov.xml", "--cov-report=markdown:out/cov.md").returncode == 0
    assert contents(narrow.path).keys() - before.keys() == {"out/cov.xml", "out/cov.md"}


def test_required_origin_decides(narrow: Project) -> None:
    """``--require`` fails for an origin without data, passes for one that has some, and refuses what is no origin."""
    serve_work(narrow)
    missing = "no executed line came from e2e, which --vmpilot-cov-require asks for (origin-required)"
    assert verdict_of(vmpilot(narrow, "report", "--require", "e2e")) == (1, missing)
    assert verdict_of(vmpilot(narrow, "report", "--require", "pipeline")) == (0, "require pipeline: yes")
    unknown = "vmpilot-cov: 'us' (from --require) is not an origin; use unit, e2e or pipeline, several with commas"
    assert said(vmpilot(narrow, "report", "--require=us")) == (2, f"{unknown} (origin-unknown)")


def test_configuration_of_another_folder(narrow: Project, tmp_path: Path) -> None:
    """``--config`` names the project from anywhere: its file or its folder."""
    serve_work(narrow)
    for config in (narrow.path, narrow.path / ".coveragerc"):
        done = vmpilot(narrow, "combine", "--config", str(config), "-f", "75", cwd=tmp_path)
        assert verdict_of(done) == (0, "Required test coverage of 75% reached. Total coverage: 87.50%")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]
