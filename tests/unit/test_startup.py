from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from server_hook.command_line import debugger_of, interpreter_flags, is_server_command, program_of, program_words
from server_hook.config.settings import Settings, read_settings
from server_hook.packages import install_paths
from server_hook.startup import Refusal, Start, _server_settings, decide
from server_hook.store import records, working_folder

UVICORN = ["python", "-m", "uvicorn", "main:app"]
START = """
import gc, json, sys, sysconfig
from coverage import Coverage
collected, made, asked = [], [], []
init, get_paths = Coverage.__init__, sysconfig.get_paths

def counted(self, **options):
    made.append(1)
    init(self, **options)

def noted(scheme, **options):
    asked.append(scheme)
    return get_paths(scheme, **options)

Coverage.__init__, sysconfig.get_paths = counted, noted
gc.callbacks.append(lambda phase, info: collected.append(phase))
import server_hook
gc.collect()
collected.clear()
server_hook.start()
garbage = collected.copy()
sys.path.insert(0, sys.argv[1])
import ran
print(json.dumps([sys._vmpilot_cov.recorder.reached.any, garbage, gc.isenabled(), len(made), sorted(asked)]))
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -m uvicorn main:app", ["uvicorn", "main:app"]),
        ("/venv/bin/python3.11 -m uvicorn main:app", ["uvicorn", "main:app"]),
        ("/venv/bin/python /venv/bin/uvicorn main:app", ["uvicorn", "main:app"]),
        ("/venv/bin/uvicorn main:app", ["uvicorn", "main:app"]),
        ("python -X dev -W error -m pytest tests", ["pytest", "tests"]),
        ("python -Xdev -Werror -B -u -m pytest tests", ["pytest", "tests"]),
        ("python -um pytest tests", ["pytest", "tests"]),
        ("python --check-hash-based-pycs always app.py -m x", ["app.py", "-m", "x"]),
        ("python server/main.py --port 1", ["main.py", "--port", "1"]),
        ("python -I -c pass -m uvicorn", ["-c"]),
        ("python -Wignore::SyntaxWarning -m http.server", ["http.server"]),
        ("python -uWerror::DeprecationWarning -m http.server", ["http.server"]),
        ("python -uW ignore -BXdev serve.py", ["serve.py"]),
        ("python -- serve.py -S", ["serve.py", "-S"]),
        ("python - --port 1", ["-", "--port", "1"]),
        ("python", []),
        ("python -u", []),
        ("", []),
    ],
)
def test_the_program_is_what_the_interpreter_runs(command: str, expected: list[str]) -> None:
    """A command line is cut down to the module or script that runs, without folders, and its arguments."""
    assert expected == program_words(command.split())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -IS app.py -E", "IS"),
        ("python -Wignore::SyntaxWarning -m http.server -S", ""),
        ("python -uWerror::SomeWarning -X showrefcount -Bm uvicorn -S", "uB"),
        ("python -c -S", ""),
        ("python -W S -bb app.py", "bb"),
        ("uvicorn -S", ""),
    ],
)
def test_the_flags_of_an_interpreter_are_its_own(command: str, expected: str) -> None:
    """Neither the value of an option nor an argument of the program is taken for a flag of the interpreter."""
    assert expected == interpreter_flags(command.split())


@pytest.mark.parametrize("command", ["python -mpytest tests", "python -Impytest tests"])
def test_a_module_may_be_attached_to_its_option(command: str) -> None:
    """A module that is attached to ``-m``, or follows options in one word with it, is the program."""
    expected = ["pytest", "tests"]
    assert expected == program_words(command.split())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -m uvicorn main:app", "uvicorn"),
        ("/venv/bin/uvicorn main:app", "uvicorn"),
        ("python -m pytest", "pytest"),
        ("python -m pytest.__main__", "pytest"),
        ("/opt/Python.framework/Resources/Python.app/Contents/MacOS/Python -m pytest", "pytest"),
        ("pypy3 -m pytest", "pytest"),
        ("/opt/pypy/bin/pypy3.11 -X dev -m uvicorn main:app", "uvicorn"),
        ("python /venv/bin/pytest tests", "pytest"),
        ("/venv/bin/py.test tests", "pytest"),
        ("python -X dev -W error -m pytest", "pytest"),
        ("python /home/me/.vscode/extensions/x/python_files/vscode_pytest/run_pytest_script.py -p x", "pytest"),
        ("python /opt/pycharm/plugins/python/helpers/pycharm/_jb_pytest_runner.py --path t", "pytest"),
        ("python -m pytest_vmpilot_cov.cli.main serve", "pytest_vmpilot_cov"),
        ("python /venv/bin/vmpilot-cov serve -- x", "vmpilot-cov"),
        ("/venv/bin/pip install x", "pip"),
        ("python /venv/bin/pip3.11 install x", "pip"),
        ("python -m pip install x", "pip"),
        ("python -m coverage run app.py", "coverage"),
        ("python -c pass", "-c"),
        ("python main.py", "main"),
        ("python", ""),
    ],
)
def test_programs_are_known_by_name(command: str, expected: str) -> None:
    """A program has its own name, however it was started; whatever runs pytest is pytest."""
    assert expected == program_of(command.split())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("python", "-m", "debugpy", "--listen", "5678", "-m", "uvicorn", "main:app"), "debugpy"),
        (("python", "-X", "frozen_modules=off", "/x/launcher/../../debugpy", "--connect", "1", "a.py"), "debugpy"),
        (("python", "/opt/pycharm/helpers/pydev/pydevd.py", "--multiprocess", "--file", "a.py"), "pydevd"),
        (("python", "-c", "import sys; import pydevd; pydevd.settrace(); spawn_main()"), "pydevd"),
        (("python", "-m", "pdb", "a.py"), "pdb"),
        (("python", "-c", "spawn_main()"), ""),
        (("python", "main.py", "import pydevd"), ""),
        (("python", "-m", "uvicorn", "debugpy:app"), ""),
    ],
)
def test_a_debugger_is_known_by_the_command_line(command: tuple[str, ...], expected: str) -> None:
    """A debugger is the program that runs, or stands in the code that it puts before a child's."""
    assert expected == debugger_of(command)


@pytest.mark.parametrize(
    ("command", "wanted", "expected"),
    [
        ("python -m uvicorn main:app --port 9", "python -m uvicorn main:app", True),
        ("/venv/bin/python -X dev -m uvicorn main:app", "uvicorn main:app", True),
        ("/venv/bin/uvicorn main:app", "python -m uvicorn main:app", True),
        ("python /srv/app/serve.py --fast", "python ./serve.py", True),
        ("python -m uvicorn main:app", "python -m uvicorn other:app", False),
        ("python -m uvicorn", "python -m uvicorn main:app", False),
        ("python -m gunicorn main:app", "python -m uvicorn main:app", False),
        ("python -m pytest", "", False),
        ("python", "", False),
        ("python", "python", False),
        ("python -m uvicorn", "uvicorn 'main:app", False),
        ("uvicorn my app", "uvicorn 'my app'", False),
    ],
)
def test_a_server_is_known_by_the_configured_command(command: str, wanted: str, *, expected: bool) -> None:
    """A process is the configured server when it runs the same program with those arguments, whatever follows."""
    assert expected == is_server_command(command.split(" "), wanted)


def of(app: Path, **more: str) -> dict[str, str]:
    """Make the environment of a process that is to be recorded."""
    return {"VMPILOT_COV": str(app), **more}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project's folder as the working folder; the environment is put back at the end."""
    for name in ("VMPILOT_COV", "VMPILOT_COV_ORIGIN", "VMPILOT_COV_SESSION"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / ".coveragerc").touch()
    monkeypatch.chdir(tmp_path / "app")
    return tmp_path / "app"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(".", ""), (".coveragerc", "/.coveragerc"), ("../app", ""), ("~/app/.coveragerc", "/.coveragerc")],
)
def test_a_relative_path_is_made_absolute_for_the_children(app: Path, value: str, expected: str) -> None:
    """A relative path is made absolute once, for this process and for what its children inherit."""
    assert Start(f"{app}{expected}", "pipeline", "") == decide({"VMPILOT_COV": value}, UVICORN)


def test_a_switch_is_not_a_path(app: Path) -> None:
    """``VMPILOT_COV=1`` is refused with the path that was looked for and what to set instead."""
    expected = (
        f"VMPILOT_COV=1 names no file or folder (looked for {app}/1); "
        "set it to the path of a .coveragerc or of the project's folder (config-not-found)"
    )
    assert Refusal(expected) == decide({"VMPILOT_COV": "1"}, UVICORN)


def test_an_unknown_origin_is_refused(app: Path) -> None:
    """An origin that is none is refused with those that are."""
    expected = "VMPILOT_COV_ORIGIN=server is not an origin; use unit, e2e, pipeline or leave it out (origin-unknown)"
    assert Refusal(expected, str(app)) == decide(of(app, VMPILOT_COV_ORIGIN="server"), UVICORN)


@pytest.mark.parametrize(
    "command",
    [
        "python -m pytest",
        "/venv/bin/pytest",
        "python run_pytest_script.py",
        "/venv/bin/pip list",
        "vmpilot-cov serve -- x",
    ],
)
def test_a_tool_is_never_a_pipeline(app: Path, command: str) -> None:
    """pytest, pip and our own command are not recorded as a pipeline server, whatever their environment says."""
    assert Refusal(config=str(app)) == decide(of(app), command.split())


@pytest.mark.parametrize("origin", ["pipeline", "unit"])
def test_what_is_debugged_is_not_recorded(app: Path, origin: str) -> None:
    """A debugged process is refused in one line, whoever it belongs to, and so are its children."""
    expected = "debugpy debugs it; start it without the debugger (debugger-attached)"
    decision = decide(of(app, VMPILOT_COV_ORIGIN=origin), ["python", "-m", "debugpy", "main.py"])
    assert Refusal(expected, forget=("VMPILOT_COV",)) == decision


@pytest.mark.parametrize("part", ["adapter", "launcher"])
def test_what_serves_a_debugger_is_passed_over(app: Path, part: str) -> None:
    """Debugpy's own processes are not recorded, and nothing is said of them: the debugged one comes after them."""
    assert Refusal() == decide(of(app), ["python", f"/x/debugpy/{part}", "127.0.0.1:1", "--", "main.py"])


@pytest.mark.parametrize("command", ["python -c pass", "python main.py", "python -m uvicorn main:app", "python"])
def test_any_other_program_is_a_pipeline(app: Path, command: str) -> None:
    """Any other program is recorded: only a person knows which one is the server, and a person set the variable."""
    assert Start(str(app), "pipeline", "") == decide(of(app), command.split())


@pytest.mark.parametrize("origin", ["unit", "e2e"])
def test_a_child_of_a_session_belongs_to_it(app: Path, origin: str) -> None:
    """A child counts for the origin and the session that it inherits, even where it is pytest itself."""
    environment = of(app, VMPILOT_COV_ORIGIN=origin, VMPILOT_COV_SESSION="/data/.vmpilot-cov/1")
    assert Start(str(app), origin, "/data/.vmpilot-cov/1") == decide(environment, ["python", "-m", "pytest"])


def test_a_pipeline_knows_the_session_that_started_it(app: Path) -> None:
    """A server that a session started is told how the session measures."""
    environment = of(app, VMPILOT_COV_ORIGIN="pipeline", VMPILOT_COV_SESSION="/data/.vmpilot-cov/1")
    assert Start(str(app), "pipeline", "/data/.vmpilot-cov/1") == decide(environment, UVICORN)


def test_a_server_measures_as_the_session_that_started_it(app: Path) -> None:
    """A server with the session's configuration measures by the session's settings, typed ones included."""
    typed = read_settings(str(app))._replace(source=("typed",))
    folder = session_folder(app, typed)
    assert (typed, None) == _server_settings(Start(str(app / ".coveragerc"), "pipeline", folder))


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "other"])
def test_a_server_may_stand_alone(app: Path, *, gone: bool) -> None:
    """A server whose session is gone, or that has a configuration of its own, measures as its configuration says."""
    other = read_settings(str(app))._replace(source=("typed",), config_file="/other/.coveragerc")
    folder = "/data/.vmpilot-cov/1" if gone else session_folder(app, other)
    expected = read_settings(str(app))
    assert expected == _server_settings(Start(str(app / ".coveragerc"), "pipeline", folder))[0]


def test_a_session_of_another_version_is_not_understood(app: Path) -> None:
    """A server whose session has written settings that are unknown here measures as its configuration says."""
    folder = session_folder(app, read_settings(str(app)))
    record = Path(folder, "record.json")
    record.write_text(record.read_text().replace('"branch"', '"of_a_later_version"'))
    expected = read_settings(str(app))
    assert expected == _server_settings(Start(str(app / ".coveragerc"), "pipeline", folder))[0]


def session_folder(app: Path, settings: Settings) -> str:
    """Write the record of a session; return its folder."""
    folder = working_folder.make_folder(str(app), "1")
    records.write_record(folder, records.describe_process("1", "unit", "1", settings._asdict()))
    return folder


def test_a_start_does_nothing_twice(tmp_path: Path) -> None:
    """A start makes one Coverage, asks once where packages are installed, and leaves garbage for later."""
    (tmp_path / ".coveragerc").write_text("[vmpilot_cov]\ninterval_s = 3600\n")
    (tmp_path / "ran.py").write_text("")
    ours = ("VMPILOT_COV", "COVERAGE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["VMPILOT_COV_DATA_DIR"] = str(tmp_path)
    # the variable comes late: the interpreter's own start must not be the one that is recorded
    script = f"import os\nos.environ['VMPILOT_COV'] = {str(tmp_path)!r}\n{START}"
    output = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert [True, [], True, 1, sorted(sysconfig.get_scheme_names())] == json.loads(output)


def test_install_paths_are_those_of_sysconfig() -> None:
    """Each scheme installs where sysconfig says."""
    schemes = sysconfig.get_scheme_names()
    assert {each: sysconfig.get_paths(each) for each in schemes} == {each: install_paths(each) for each in schemes}
