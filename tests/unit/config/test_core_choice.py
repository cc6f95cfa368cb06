from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from server_hook.config import settings
from server_hook.config.settings import choose_core, open_coverage, read_settings


def choose(folder: Path, text: str = "", *, branch: bool = False, concurrency: tuple[str, ...] = ()) -> tuple[str, str]:
    """Choose the core for a configuration."""
    config = folder / ".coveragerc"
    config.write_text(text)
    return choose_core(open_coverage(str(config)), branch=branch, concurrency=concurrency)


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Let the choice see the version of Python that a test names."""
    monkeypatch.setattr(settings, "sys", SimpleNamespace(version_info=(*request.param, 0, "final", 0)))


@pytest.mark.parametrize(
    ("python", "branch", "expected"),
    [
        ((3, 11), False, ("ctrace", "sys.monitoring needs Python 3.12")),
        ((3, 11), True, ("ctrace", "sys.monitoring needs Python 3.12")),
        ((3, 12), False, ("sysmon", "the fastest for this Python")),
        ((3, 13), True, ("ctrace", "sysmon measures branches from Python 3.14")),
        ((3, 14), True, ("sysmon", "the fastest for this Python")),
    ],
    indirect=["python"],
)
@pytest.mark.usefixtures("python")
def test_the_core_is_the_fastest_for_the_python(tmp_path: Path, expected: tuple[str, str], *, branch: bool) -> None:
    """Lines are measured by sysmon from Python 3.12, branches from 3.14, and by the C tracer before."""
    assert expected == choose(tmp_path, branch=branch)


@pytest.mark.parametrize("python", [(3, 14)], indirect=True)
@pytest.mark.usefixtures("python")
@pytest.mark.parametrize("name", ["gevent", "greenlet", "eventlet"])
def test_light_threads_rule_sysmon_out(tmp_path: Path, name: str) -> None:
    """Where light threads switch, the C tracer follows them and sysmon cannot."""
    expected = ("ctrace", "sysmon has no concurrency=gevent, greenlet or eventlet")
    assert expected == choose(tmp_path, concurrency=("thread", name))


@pytest.mark.parametrize("python", [(3, 14)], indirect=True)
@pytest.mark.usefixtures("python")
def test_threads_are_no_reason_against_sysmon(tmp_path: Path) -> None:
    """Real threads are measured by sysmon as well."""
    expected = ("sysmon", "the fastest for this Python")
    assert expected == choose(tmp_path, concurrency=("thread",))


@pytest.mark.parametrize("python", [(3, 14)], indirect=True)
@pytest.mark.usefixtures("python")
def test_plugins_rule_sysmon_out(tmp_path: Path) -> None:
    """Where coverage plugins trace files, the C tracer asks them and sysmon cannot."""
    expected = ("ctrace", "sysmon supports no coverage plugins")
    assert expected == choose(tmp_path, "[run]\nplugins = some_plugin\n")


@pytest.mark.parametrize("python", [(3, 11), (3, 14)], indirect=True)
@pytest.mark.usefixtures("python")
def test_a_configured_core_always_wins(tmp_path: Path) -> None:
    """The core that the configuration names is used, whatever speaks against it."""
    expected = ("ctrace", "from [run] core")
    assert expected == choose(tmp_path, "[run]\ncore = ctrace\ntimid = true\nplugins = some_plugin\n")


@pytest.mark.parametrize("python", [(3, 14)], indirect=True)
@pytest.mark.usefixtures("python")
def test_timid_means_the_python_tracer(tmp_path: Path) -> None:
    """The old word for the pure-Python tracer is understood."""
    expected = ("pytrace", "from [run] timid")
    assert expected == choose(tmp_path, "[run]\ntimid = true\n")


def test_the_environment_goes_before_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core in COVERAGE_CORE is used, whatever the configuration names."""
    monkeypatch.setenv("COVERAGE_CORE", "pytrace")
    expected = ("pytrace", "from COVERAGE_CORE")
    assert expected == choose(tmp_path, "[run]\ncore = ctrace\n")


def test_the_choice_is_made_for_what_is_asked(tmp_path: Path) -> None:
    """The core is chosen for the branches and the concurrency of the settings, the command line's included."""
    (tmp_path / ".coveragerc").write_text("[run]\nconcurrency = multiprocessing, thread\n")
    cov = open_coverage("")
    for branch in (False, True):
        read = read_settings(str(tmp_path), {"run:branch": branch})
        assert choose_core(cov, branch=branch, concurrency=("thread",)) == (read.core, read.core_reason)
