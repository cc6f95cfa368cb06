"""Do no harm: whatever goes wrong with recording, the process runs on exactly as without it."""

# ruff: noqa: E501 - programs stand in one line each

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

import server_hook
from tests.conftest import Project, lines_in

HEAD = """
    import os, resource, shutil, sys, threading, time
    from app import work

    def wait_for_a_segment(number=1):
        until = time.clock_gettime(time.CLOCK_MONOTONIC) + 60
        while len([name for _, _, names in os.walk(".vmpilot-cov") for name in names if name.endswith(".seg")]) < number:
            assert time.clock_gettime(time.CLOCK_MONOTONIC) < until
            time.sleep(0.01)

    def freeze():  # as freezegun does: wherever a module keeps one of the clocks
        clocks = {time.time: lambda: 7.0, time.monotonic: lambda: -9e9}
        for module in list(sys.modules.values()):
            for name, value in list(vars(module).items()):
                if type(value) is type(time.time) and value in clocks:
                    setattr(module, name, clocks[value])

    def delete_folder():  # in one step: a tree that others write to cannot be deleted in many
        os.rename(".vmpilot-cov", "gone")
        shutil.rmtree("gone")

    def delete_folder_before(event, name):  # the moment that a deletion at any moment may hit
        left = [1, 2]
        def hook(seen, arguments):
            if left and seen == event and name in str(arguments[0]):
                left.pop()
                delete_folder()
        sys.addaudithook(hook)

    def put_a_file_there():
        while not os.path.isfile(".vmpilot-cov"):  # the recorder makes its folder anew at any moment
            shutil.rmtree(".vmpilot-cov", ignore_errors=True)
            try:
                open(".vmpilot-cov", "w").close()
            except IsADirectoryError:
                pass

"""


@dataclass(frozen=True)
class Harm:
    """Something that happens to a process: the program's tail, its configuration and what is logged of it."""

    tail: str
    logged: str = ""
    config: str = "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 0.1\n"
    kept: bool = True


HARMS = {
    "full disk": Harm(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\nwork.run()\ntime.sleep(0.5)\n", "folder-unwritable", kept=False
    ),
    "folder is a file": Harm(
        "put_a_file_there()\nwork.run()\ntime.sleep(0.5)\n",
        "folder-unwritable",
        kept=False,
    ),
    "folder comes back": Harm(
        "put_a_file_there()\nwork.run()\ntime.sleep(0.5)\n"
        "os.unlink('.vmpilot-cov')\n",
        "folder-unwritable",
    ),
    "folder is deleted": Harm("work.run()\nwait_for_a_segment()\ndelete_folder()\n"),
    "folder is deleted before a folder is made": Harm("wait_for_a_segment()\ndelete_folder_before('os.mkdir', '/.vmpilot-cov/')\ndelete_folder()\nwork.run()\n"),
    "folder is deleted before a segment is opened": Harm("wait_for_a_segment()\ndelete_folder_before('open', '.seg')\nwork.run()\n"),
    "folder is deleted before a segment is renamed": Harm("wait_for_a_segment()\ndelete_folder_before('os.rename', '.seg')\nwork.run()\n"),
    "folder is deleted before the record is written": Harm("work.run()\nwait_for_a_segment()\ndelete_folder_before('open', 'record.json')\n"),
    "folder is deleted before it is published": Harm("work.run()\nwait_for_a_segment()\ndelete_folder_before('open', '/lock')\n", kept=False),
    "broken configuration": Harm("work.run()\n", "config-broken", config="[run\nsource = app\n", kept=False),
    "bad setting": Harm("work.run()\n", "setting-invalid", config="[vmpilot_cov]\ninterval_s = 0\n", kept=False),
    "no free descriptor": Harm(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\nwork.run()\ntime.sleep(0.5)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n",
        "folder-unwritable",
        kept=False,
    ),
    "closes all descriptors": Harm("os.closerange(3, 1000)\nwork.run()\nfile = open('mine', 'w'); time.sleep(0.5)\n"),
    "os.replace is mocked": Harm(
        "from unittest import mock\nwith mock.patch('os.replace'), mock.patch('os.getpid', lambda: 7):\n    work.run()\n    time.sleep(0.5)\n"
    ),
    "the clock stands": Harm(
        "wait_for_a_segment()\nfreeze()\nwork.run()\nwait_for_a_segment(2)\n"
    ),
    "changes folder": Harm("os.chdir('/')\nwork.run()\n"),
    "changes user": Harm("os.chmod('.', 0o755)\nos.setuid(65534)\nwork.run()\ntime.sleep(0.5)\n", "folder-unwritable", kept=False),
    "changes root": Harm("os.mkdir('jail')\nos.chroot('jail')\nwork.run()\ntime.sleep(0.5)\n", "folder-unwritable", kept=False),
    "another coverage starts": Harm(
        "import coverage\ncov = coverage.Coverage(data_file=None)\ncov.start()\nwork.run()\ncov.stop()\n",
    ),
    "closes stderr": Harm("sys.stderr.close(); os.close(2)\nput_a_file_there()\nwork.run()\ntime.sleep(0.5)\n", kept=False),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMS)
def test_the_process_runs_on(project: Project, name: str) -> None:
    """The process does its work and exits as ever; the reason why it is not recorded is one logged line."""
    if name in ("changes user", "changes root") and os.getuid() != 0:
        pytest.skip("only root can do that")
    harm = HARMS[name]
    project.write(".coveragerc", harm.config)
    project.write("app/__init__.py", "")
    project.write("app/work.py", "def run():\n    return 1\n")
    project.write("main.py", HEAD + "".join(f"    {line}\n" for line in (harm.tail + "print('done')\n").splitlines()))
    done = project.run("python", "main.py", env={"VMPILOT_COV": ".coveragerc", "PYTHONDONTWRITEBYTECODE": "1"})
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    logged = done.stderr.splitlines()
    assert [line.rpartition(" ")[2] for line in logged] == ([f"({harm.logged})"] if harm.logged else []), done.stderr
    found = project.path / ".coverage.pipeline"
    kept = lines_in(found).get("work.py", []) if found.exists() else []
    assert (kept == [1, 2]) == harm.kept


def test_a_server_with_a_wrong_variable_runs_on(project: Project) -> None:
    """``VMPILOT_COV=1`` is one logged line that says what to set, and nothing else."""
    done = project.run("python", "-c", "print('done')", env={"VMPILOT_COV": "1"})
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr == (
        f"vmpilot-cov: this process is not recorded: VMPILOT_COV=1 names no file or folder (looked for {project.path}/1); "
        "set it to the path of a .coveragerc or of the project's folder (config-not-found)\n"
    )


def test_the_pure_python_tracer_is_refused(project: Project) -> None:
    """A server is not measured by the tracer that breaks requests; one line says so."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    environment = {"VMPILOT_COV": ".", "COVERAGE_CORE": "pytrace"}
    done = project.run("python", "-c", "import sys; print(sys.gettrace())", env=environment)
    assert (done.returncode, done.stdout) == (0, "None\n")
    assert done.stderr.endswith("(pytrace-refused)\n")
    assert done.stderr.count("\n") == 1


def test_no_thread_can_be_started(project: Project) -> None:
    """Where the system gives no thread, what was measured is written at the end."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "x = 1\n")
    run = f"ulimit -s 100000000000 && exec {sys.executable} -c 'import app; print(1)'"
    if project.run("sh", "-c", run).returncode:
        pytest.skip("this system does not limit threads by their stack")
    done = project.run("sh", "-c", run, env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert lines_in(project.path / ".coverage.pipeline") == {"__init__.py": [1]}


def test_standard_streams_that_are_closed_stay_free(project: Project) -> None:
    """Where a process is started without stdin, the first file that it opens is 0, as without us."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "print(open('.coveragerc').fileno())\n")
    done = project.run("sh", "-c", f"exec {sys.executable} -c 'import app' <&-", env={"VMPILOT_COV": "."})
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_tracebacks_stay_as_they_are(project: Project) -> None:
    """A syntax error in a module that is imported has the same traceback as without us."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "x = (\n")
    recorded = project.run("python", "-c", "import app", env={"VMPILOT_COV": "."})
    plain = project.run("python", "-c", "import app")
    assert (recorded.returncode, recorded.stderr) == (plain.returncode, plain.stderr)


def test_process_1_lives_on(project: Project) -> None:
    """Process 1 of a container, to which a default SIGTERM means nothing, goes on recording after it."""
    project.write(".coveragerc", "[run]\nsource = app\n[vmpilot_cov]\ninterval_s = 0.1\n")
    project.write("app/__init__.py", "def run():\n    return 1\n")
    project.write(
        "main.py",
        """
        import ctypes, os, subprocess, time, app
        subprocess.run(["sh", "-c", "kill -TERM 1"], check=True)
        app.run()
        print(os.getpid(), flush=True)
        time.sleep(0.5)
        ctypes.string_at(0)
        """,
    )
    inside = ("unshare", "-pf", "--mount-proc", sys.executable, "main.py")
    if project.run("unshare", "-pf", "--mount-proc", "true").returncode:
        pytest.skip("this user may not make a pid namespace")
    done = project.run(*inside, env={"VMPILOT_COV": "."})
    assert done.stdout == "1\n", done.stderr
    project.run("vmpilot-cov", "combine")
    assert lines_in(project.path / ".coverage.pipeline") == {"__init__.py": [1, 2]}


def test_coverages_own_start_up_is_replaced(project: Project) -> None:
    """With ``VMPILOT_COV`` set, coverage.py's own process start-up does not measure the process a second time."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "x = 1\n")
    environment = {"VMPILOT_COV": ".", "COVERAGE_PROCESS_START": ".coveragerc"}
    done = project.run("python", "-c", "import app", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in project.path.glob(".cov*")) == [".coverage.pipeline", ".coveragerc"]


def test_coverage_run_is_respected(project: Project) -> None:
    """A process under ``coverage run`` keeps its own data, and is not recorded twice."""
    project.write(".coveragerc", "[run]\nsource = app\n")
    project.write("app/__init__.py", "x = 1\n")
    project.write("main.py", "import app\n")
    done = project.run("python", "-m", "coverage", "run", "main.py", env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stderr) == (0, "")
    assert lines_in(project.path / ".coverage") == {"__init__.py": [1]}
    assert not (project.path / ".coverage.pipeline").exists()


RELOADED = """
    import importlib, pathlib, sys
    sys.dont_write_bytecode = True
    from app import work

    work.run()
    path = pathlib.Path(work.__file__)
    path.write_text("# a new line\\n# and another\\n" + path.read_text())
    importlib.invalidate_caches()
    importlib.reload(work)
    work.run()
"""


def test_a_reload_in_process_begins_a_new_set(project: Project) -> None:
    """Lines from before a reload belong to the earlier source: they are stale, and the new ones are right."""
    project.package("app", work="def run():\n    return 1\n\n\ndef never():\n    return 2\n")
    project.write("main.py", RELOADED)
    done = project.run("python", "main.py", env={"VMPILOT_COV": "."})
    assert (done.returncode, done.stderr) == (0, "")
    report = project.run("vmpilot-cov", "combine")
    assert "3 lines that pipeline reached in app/work.py do not count: the file has changed since" in report.stdout
    assert lines_in(project.path / ".coverage")["work.py"] == [3, 4, 7]


def test_an_edited_file_without_reload_is_stale(project: Project) -> None:
    """A process that goes on with its old code after an edit claims no line of the new source."""
    project.package("app", work="def run():\n    return 1\n")
    project.write(
        "main.py",
        """
        from app import work
        with open(work.__file__, "w") as file:
            file.write("# new\\n" * 9)
        work.run()
        """,
    )
    project.run("python", "main.py", env={"VMPILOT_COV": "."})
    report = project.run("vmpilot-cov", "combine")
    assert "2 lines that pipeline reached in app/work.py do not count" in report.stdout + report.stderr


OUTER = """
import threading

thread = threading.Thread(target=__import__, args=["late"])
thread.start()
thread.join()
print("outer")
"""


def test_looking_for_the_source_imports_nothing(project: Project) -> None:
    """After a change of sys.path coverage.py looks anew, and takes away no module that another thread has imported."""
    project.write(".coveragerc", "[run]\nsource = outer.inner\n")
    project.write(
        "main.py",
        "import sys\nsys.path.append('elsewhere')\nimport new\nprint(sorted({'late', 'outer'} & set(sys.modules)))\nimport outer.inner\nprint('late' in sys.modules)\n",
    )
    files = {"new": "", "late": "", "elsewhere/outer/__init__": OUTER, "elsewhere/outer/inner/__init__": "x = 1\n"}
    for name, text in files.items():
        project.write(f"{name}.py", text)
    ran = project.run("python", "main.py", env={"VMPILOT_COV": "."})
    assert (ran.stdout, ran.stderr) == ("[]\nouter\nTrue\n", "")
    assert lines_in(project.path / ".coverage.pipeline") == {"__init__.py": [1]}


LATE_PATH = """
import sys
sys.path.append("lib")
import server_hook
server_hook.start()
sys.path.append(sys.argv[1])
server_hook.start()
import app
"""


def test_who_has_coverage_later_may_start_again(project: Project) -> None:
    """Where coverage.py can't be imported yet, as in a pex, the log says so, and the entry point's start records."""
    project.package("app", __init__="x = 1\n")
    project.write("main.py", LATE_PATH)
    project.write("lib/nothing", "")
    (project.path / "lib/server_hook").symlink_to(Path(server_hook.__file__).parent)
    places = str(Path(coverage.__file__).parent.parent)
    ran = project.run("python", "-S", "main.py", places, env={"VMPILOT_COV": "."})
    assert ran.stderr.count("No module named 'coverage' (start-failed)") == ran.stderr.count("\n") == 1
    assert lines_in(project.path / ".coverage.pipeline") == {"__init__.py": [1]}
