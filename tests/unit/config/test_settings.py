from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from server_hook.config.settings import Settings, apply_settings, open_coverage, read_settings
from server_hook.problems import HookError
from tests.unit.conftest import some_settings

TOML = """\
[tool.coverage.run]
source = ["src"]
branch = true
[tool.vmpilot_cov]
interval_s = 0.5
signals = false
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project's folder, while the working folder is another one that looks like it."""
    for folder in ("app/src/pkg", "elsewhere/src/pkg"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "app"


def read(folder: Path, text: str, name: str = ".coveragerc") -> Settings:
    """Write a configuration and read it."""
    (folder / name).write_text(text)
    return read_settings(str(folder))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["."]),
        ("[run]\nsource = src\n", ["src"]),
        ("[run]\nsource = ./src/../src\n", ["src"]),
        ("[run]\nsource = .\n", ["."]),
        ("[run]\nsource =\n    src\n    src/pkg\n", ["src", "src/pkg"]),
        ("[run]\nsource_dirs = src\n", ["src"]),
        ("[run]\nsource = src\nsource_dirs = src/pkg\n", ["src", "src/pkg"]),
        ("[run]\nsource = pkg\n", ["src/pkg"]),
        ("[run]\nsource = src.pkg\n", ["src/pkg"]),
        ("[run]\nsource_pkgs = pkg\n", ["src/pkg"]),
    ],
)
def test_relative_sources_are_read_against_the_configuration(app: Path, text: str, expected: list[str]) -> None:
    """A relative source, or a package, lies below the configuration's folder; no source at all is that folder."""
    assert tuple(str(app / name) for name in expected) == read(app, text).source


def test_an_absolute_source_stays(app: Path, tmp_path: Path) -> None:
    """An absolute source is that folder."""
    assert (str(tmp_path / "other"),) == read(app, f"[run]\nsource = {tmp_path}/other\n").source


def test_a_source_in_the_home_is_found(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that begins with ``~`` is below the home."""
    monkeypatch.setenv("HOME", str(app))
    assert (str(app / "src"),) == read(app, "[run]\nsource = ~/src\n").source


def test_a_source_may_be_a_package(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is no folder here is the package of that name, by its own folder where it has just one."""
    libraries = app.parent / "libraries"
    for place in ("installed", "one/spread", "two/spread"):
        (libraries / place).mkdir(parents=True)
    (libraries / "installed" / "__init__.py").touch()
    (libraries / "single.py").touch()
    for name in ("two", "one", "."):
        monkeypatch.syspath_prepend(libraries / name)
    settings = read(app, "[run]\nsource =\n    installed\n    single\n    spread\n    missing\n    a.module\n    src\n")
    expected = (str(libraries / "installed"), "single", "spread", "missing", "a.module", str(app / "src"))
    assert expected == settings.source


def test_a_package_of_the_project_may_be_installed_too(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a source package in another place of ``sys.path`` is known, the same place by another name is none."""
    site = app.parent / "site"
    for place in (app / "src" / "pack", app / "src" / "edited", site / "pack"):
        place.mkdir(parents=True)
        (place / "__init__.py").touch()
    (app.parent / "link").symlink_to(app / "src")
    monkeypatch.syspath_prepend(app.parent / "link")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    settings = read(app, "[run]\nsource =\n    pack\n    edited\n    src\n")
    sources = tuple(str(app / "src" / name) for name in ("pack", "edited", "."))
    expected = (tuple(os.path.normpath(name) for name in sources), (str(app / "src"),), (str(site / "pack"),))
    assert expected == (settings.source, settings.source_folders, settings.copies)


def test_a_source_package_is_not_any_folder_of_its_name(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is named in source_pkgs is the package, even where a folder that is none has the same name."""
    package = app.parent / "libraries" / "src"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)
    assert (str(package),) == read(app, "[run]\nsource_pkgs = src\n").source


def test_finding_a_package_does_not_import_it(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for a source package runs none of its code."""
    (app / "explosive").mkdir()
    (app / "explosive" / "__init__.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(app)
    assert (str(app / "explosive"),) == read(app, "[run]\nsource_pkgs = explosive\n").source
    assert "explosive" not in sys.modules


def test_relative_patterns_are_read_against_the_configuration(app: Path, tmp_path: Path) -> None:
    """Relative patterns are made absolute below the configuration's folder; those with a leading wildcard stay."""
    patterns = "src/*.py\n    ./src/pkg/*\n    */generated.py\n    ?pkg/*\n    /abs/*.py\n    ../lib/*\n"
    settings = read(app, f"[run]\ninclude =\n    {patterns}omit =\n    {patterns}")
    expected = (
        f"{app}/src/*.py",
        f"{app}/src/pkg/*",
        "*/generated.py",
        "?pkg/*",
        "/abs/*.py",
        f"{tmp_path}/lib/*",
    )
    assert (expected, expected) == (settings.include, settings.omit)


def test_include_takes_the_place_of_a_source(app: Path) -> None:
    """With patterns of what to include and no source, the patterns alone decide."""
    settings = read(app, "[run]\ninclude = src/*\n")
    expected = ((), (f"{app}/src/*",))
    assert expected == (settings.source, settings.include)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".coveragerc", "[run]\nsource = src\nbranch = true\n[vmpilot_cov]\ninterval_s = 0.5\nsignals = no\n"),
        ("setup.cfg", "[coverage:run]\nsource = src\nbranch = true\n[vmpilot_cov]\ninterval_s = 0.5\nsignals = No\n"),
        ("tox.ini", "[coverage:run]\nsource = src\nbranch = true\n[vmpilot_cov]\ninterval_s = 0.5\nsignals = 0\n"),
        ("pyproject.toml", TOML),
    ],
)
def test_every_kind_of_file_says_the_same(app: Path, name: str, text: str) -> None:
    """The same settings are read from each kind of file that coverage.py reads."""
    settings = read(app, text, name)
    expected = (str(app / name), str(app), (str(app / "src"),), True, 0.5, False)
    actual = settings.config_file, settings.folder, settings.source, settings.branch, settings.interval_s
    assert expected == (*actual, settings.signals)


def test_without_a_configuration_the_folder_is_measured(app: Path) -> None:
    """A project's folder without any configuration is measured whole, with the defaults."""
    settings = read_settings(str(app))
    expected = some_settings(app, core=settings.core, core_reason=settings.core_reason)
    assert expected == settings


@pytest.mark.parametrize(
    ("text", "expected"), [("", ".coverage"), ("data_file = data/cov", "data/cov"), ("data_file = ../.c", "../.c")]
)
def test_the_data_file_is_read_against_the_configuration(app: Path, text: str, expected: str) -> None:
    """The data file lies where the configuration says, seen from its own folder."""
    assert str((app / expected).resolve()) == read(app, f"[run]\n{text}\n").data_file


def test_a_typed_data_file_is_read_against_the_working_folder(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """COVERAGE_FILE goes before the configuration, and is seen from where it was typed."""
    monkeypatch.setenv("COVERAGE_FILE", "typed/.coverage")
    assert str(app.parent / "elsewhere" / "typed" / ".coverage") == read(app, "[run]\ndata_file = data/cov\n").data_file


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ("relative_files = false", None), ("relative_files = on", "")]
)
def test_relative_names_are_relative_to_the_configuration(app: Path, text: str, expected: str | None) -> None:
    """With relative_files, published files name sources as seen from the configuration's folder; else absolutely."""
    wanted = "" if expected is None else str(app / expected)
    assert wanted == read(app, f"[run]\n{text}\n").relative_to


def test_multiprocessing_is_no_concurrency_of_ours(app: Path) -> None:
    """Processes are followed by the recorder; of the configured concurrency the kinds of threads are left."""
    expected = ("thread", "greenlet")
    assert expected == read(app, "[run]\nconcurrency = multiprocessing, thread, greenlet\n").concurrency


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        *[("interval_s", text, "a number of seconds above 0") for text in ("0", "-1", "soon", "nan", "inf", "", "1,5")],
        *[("signals", text, "on or off") for text in ("maybe", "", "2", "on off")],
    ],
)
def test_a_setting_without_meaning_is_refused(app: Path, name: str, text: str, wanted: str) -> None:
    """A setting of ours that has no meaning is refused with its value, its file and what is wanted."""
    config = app / ".coveragerc"
    expected = f"{name}={text} (from [vmpilot_cov] in {config}) is not {wanted} (setting-invalid)"
    with pytest.raises(HookError) as caught:
        read(app, f"[vmpilot_cov]\n{name} = {text}\n")
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("on", True), ("Yes", True), ("true", True), ("1", True), ("OFF", False), ("no", False), ("false", False)],
)
def test_a_switch_is_read_as_people_write_it(app: Path, text: str, *, expected: bool) -> None:
    """A switch may be written in any of the usual ways."""
    assert expected == read(app, f"[vmpilot_cov]\nsignals = {text}\n").signals


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".coveragerc", "branch = true\n"),
        (".coveragerc", "[run]\nbranch = perhaps\n"),
        (".coveragerc", "[report]\nfail_under = many\n"),
        (".coveragerc", "[report]\nexclude_also = (\n"),
        (".coveragerc", "[run]\nsource = ${NOT_SET?}\n"),
        ("setup.cfg", "[coverage:run]\nbranch = perhaps\n"),
        ("pyproject.toml", "[tool.coverage.run]\nbranch = 'perhaps'\n"),
        ("pyproject.toml", "[tool.coverage.run]\nbranch = \n"),
    ],
)
def test_a_broken_configuration_is_refused_with_its_path(app: Path, name: str, text: str) -> None:
    """What coverage.py does not accept is refused in one line with the path of the file."""
    with pytest.raises(HookError) as caught:
        read(app, text, name)
    assert str(app / name) in str(caught.value)
    assert str(caught.value).endswith(" (config-broken)")
    assert "\n" not in str(caught.value)


def test_settings_travel_in_a_record(app: Path) -> None:
    """Settings come back from the JSON of a process's record as they were."""
    settings = read(app, "[run]\nsource = src\nomit = */x\nconcurrency = thread\n[vmpilot_cov]\nserver_command = a b\n")
    assert settings == Settings.from_record(json.loads(json.dumps(settings._asdict())))


def test_a_coverage_is_given_the_settings_and_nothing_else(app: Path) -> None:
    """A Coverage measures by the settings, and does nothing that the recorder does in its place."""
    (app / ".coveragerc").write_text(
        "[run]\nsource = other\nsource_dirs = src\nsource_pkgs = json\nparallel = true\nsigterm = true\n"
        "patch = subprocess\nrelative_files = true\ncontext = mine\ndynamic_context = test_function\ntimid = true\n"
    )
    cov = open_coverage(str(app / ".coveragerc"))
    apply_settings(cov, some_settings(app, omit=("*/x",), branch=True, concurrency=("greenlet",)))
    names = ["source", "include", "omit", "branch", "concurrency", "core", "timid", "source_dirs", "source_pkgs"]
    off = ["parallel", "sigterm", "patch", "relative_files", "context", "dynamic_context"]
    expected = [[str(app)], None, ["*/x"], True, ["greenlet"], "ctrace", False, [], []]
    assert expected == [cov.get_option(f"run:{name}") for name in names]
    assert not any(cov.get_option(f"run:{name}") for name in off)
