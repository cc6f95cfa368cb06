from __future__ import annotations

from pathlib import Path

import pytest
from coverage import Coverage, version_info

from pytest_vmpilot_cov.messages import UsageError
from pytest_vmpilot_cov.options.options import config_of_session
from server_hook.config.files import find_config, find_config_above, locate, read_fail_under, read_own_section
from server_hook.problems import HookError

INI = "[coverage:run]\nbranch = true\n"
TOML = "[tool.coverage.run]\nbranch = true\n"
OTHER_INI = "[metadata]\nname = app\n"
OTHER_TOML = '[tool.ruff]\nline-length = 120\n[project]\nname = "coverage.py"\n'


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ""),
        ({".coveragerc": ""}, ".coveragerc"),
        ({"setup.cfg": INI}, "setup.cfg"),
        ({"tox.ini": INI}, "tox.ini"),
        ({"pyproject.toml": TOML}, "pyproject.toml"),
        ({"setup.cfg": OTHER_INI, "tox.ini": "[tox]\n", "pyproject.toml": OTHER_TOML}, ""),
        ({"setup.cfg": OTHER_INI, "pyproject.toml": TOML}, "pyproject.toml"),
        ({".coveragerc": "", "setup.cfg": INI, "tox.ini": INI, "pyproject.toml": TOML}, ".coveragerc"),
        ({"setup.cfg": INI, "tox.ini": INI, "pyproject.toml": TOML}, "setup.cfg"),
        ({"tox.ini": INI, "pyproject.toml": TOML}, "tox.ini"),
        ({"pyproject.toml": OTHER_TOML + TOML}, "pyproject.toml"),
        ({"coveragerc": "", "coverage.toml": TOML}, ""),
        pytest.param(
            {".coveragerc.toml": "[run]\nbranch = true\n", "setup.cfg": INI},
            ".coveragerc.toml",
            marks=pytest.mark.xfail(version_info < (7, 13), reason="earlier versions of coverage.py do not read it"),
        ),
    ],
)
def test_the_configuration_is_found_as_coverage_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: str
) -> None:
    """The configuration of a folder is the file that coverage.py reads there."""
    write(tmp_path, files)
    monkeypatch.chdir(tmp_path)
    read_by_coverage = Coverage(data_file=None).config.config_file or ""
    assert (expected, expected) == (Path(find_config(str(tmp_path))).name, Path(read_by_coverage).name)


@pytest.mark.parametrize(
    "text",
    [
        "[tool.coverage]\nrun.branch = true\n",
        "[tool.coverage]\nrun = {branch = true}\n",
        '[tool."coverage".run]\nbranch = true\n',
    ],
)
def test_every_form_of_toml_table_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A pyproject.toml that coverage.py reads is found in whatever form its table is written."""
    write(tmp_path, {"pyproject.toml": text})
    monkeypatch.chdir(tmp_path)
    expected = Coverage(data_file=None).config.config_file
    assert expected == find_config(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[vmpilot_cov]\n"),
        ("tox.ini", "[vmpilot_cov:fail_under]\n"),
        ("pyproject.toml", "[tool.vmpilot_cov]\nsignals = true\n"),
        ("pyproject.toml", "[tool.vmpilot_cov.fail_under]\nunit = 60\n"),
    ],
)
def test_our_own_section_makes_a_configuration(tmp_path: Path, name: str, text: str) -> None:
    """A file that has nothing but our own section is the configuration."""
    write(tmp_path, {name: text})
    assert str(tmp_path / name) == find_config(str(tmp_path))


def test_the_nearest_configuration_above_is_found(tmp_path: Path) -> None:
    """A folder without a configuration of its own takes the nearest one above it."""
    write(tmp_path, {".coveragerc": ""})
    inner = write(tmp_path / "app", {"setup.cfg": INI})
    folder = write(inner / "tests" / "unit", {"setup.cfg": OTHER_INI})
    assert str(inner / "setup.cfg") == find_config_above(str(folder))


@pytest.mark.parametrize(("top", "expected"), [("app", ""), ("app/tests", ""), ("", ".coveragerc")])
def test_the_search_ends_at_the_top_of_the_repository(tmp_path: Path, top: str, expected: str) -> None:
    """A configuration above the repository is somebody else's."""
    write(tmp_path, {".coveragerc": ""})
    folder = write(tmp_path / "app" / "tests", {})
    (tmp_path / top / ".git").mkdir()
    assert expected == Path(find_config_above(str(folder))).name


def test_the_search_ends_at_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration above the home is somebody else's; the home's own counts."""
    write(tmp_path, {".coveragerc": ""})
    folder = write(tmp_path / "home" / "app", {})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = ""
    assert expected == find_config_above(str(folder))
    write(tmp_path / "home", {"tox.ini": INI})
    assert str(tmp_path / "home" / "tox.ini") == find_config_above(str(folder))


def test_a_file_is_located_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of a configuration becomes an absolute file and the folder that it lies in."""
    write(tmp_path / "conf", {"my.ini": ""})
    monkeypatch.chdir(tmp_path)
    assert (str(tmp_path / "conf" / "my.ini"), str(tmp_path / "conf")) == locate("conf/my.ini")


def test_a_folder_is_located_with_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project's folder is located with the configuration in it, or with none; ``~`` is the home."""
    monkeypatch.setenv("HOME", str(write(tmp_path / "home", {})))
    app = write(tmp_path / "home" / "app", {"tox.ini": INI})
    assert (str(app / "tox.ini"), str(app)) == locate("~/app")
    assert ("", str(tmp_path / "home")) == locate("~")


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """What is neither a file nor a folder is refused with its absolute path and what to name instead."""
    missing = tmp_path / "gone.ini"
    expected = (
        f"{missing} is neither a configuration file nor a folder; "
        "name a .coveragerc or the project's folder (config-not-found)"
    )
    with pytest.raises(HookError) as caught:
        locate(str(missing))
    assert expected == str(caught.value)


@pytest.mark.parametrize("name", ["", ".coveragerc"])
def test_a_session_takes_the_configuration_of_its_root(tmp_path: Path, name: str) -> None:
    """Without a name, and with coverage's default one, it is the rootdir's own configuration, or its folder."""
    (tmp_path / ".git").mkdir()
    assert str(tmp_path) == config_of_session(tmp_path, name)
    write(tmp_path, {"setup.cfg": INI})
    assert str(tmp_path / "setup.cfg") == config_of_session(tmp_path, name)


def test_a_session_takes_the_named_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named configuration is read against the rootdir, and goes before COVERAGE_RCFILE, which goes before files."""
    write(tmp_path, {".coveragerc": "", "one.ini": "", "two.ini": ""})
    monkeypatch.chdir("/")
    monkeypatch.setenv("COVERAGE_RCFILE", "two.ini")
    expected = [str(tmp_path / "one.ini"), str(tmp_path / "two.ini")]
    assert expected == [config_of_session(tmp_path, name) for name in ("one.ini", ".coveragerc")]


def test_a_session_takes_a_named_folder(tmp_path: Path) -> None:
    """A folder that was named is the project, with the configuration in it or without any."""
    folder = write(tmp_path / "app", {})
    assert str(folder) == config_of_session(tmp_path, "app")


def test_a_session_refuses_a_named_configuration_that_is_missing(tmp_path: Path) -> None:
    """A configuration that was named and is not there is refused, not passed over."""
    with pytest.raises(UsageError, match=r"/gone\.ini is neither .* \(config-not-found\)$"):
        config_of_session(tmp_path, "gone.ini")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (".coveragerc", "[run]\nbranch = true\n", {}),
        (".coveragerc", "[vmpilot_cov]\nserver_command = a %(b)s ${C} 100%\n", {"server_command": "a %(b)s ${C} 100%"}),
        ("setup.cfg", "[vmpilot_cov]\ne2e =\n    a\n    # not b\n    c\n", {"e2e": "\na\nc"}),
        ("pyproject.toml", '[tool.vmpilot_cov]\ne2e = ["a", "c"]\n', {"e2e": "a\nc"}),
        (
            "pyproject.toml",
            "[tool.vmpilot_cov]\ninterval_s = 0.5\nsignals = false\n",
            {"interval_s": "0.5", "signals": "False"},
        ),
        ("my.toml", '[vmpilot_cov]\ne2e = "a"\n', {"e2e": "a"}),
        ("pyproject.toml", "[tool.ruff]\nline-length = 120\n", {}),
    ],
)
def test_our_own_section_is_read_as_text(tmp_path: Path, name: str, text: str, expected: dict[str, str]) -> None:
    """Our own section is plain text values in every kind of file, with one item of a list in a line."""
    write(tmp_path, {name: text})
    assert expected == read_own_section(str(tmp_path / name))


def test_no_configuration_has_no_section() -> None:
    """Without a configuration there are no settings and no thresholds of our own."""
    assert not read_own_section("")
    assert not read_fail_under("")


PATTERNS = """\
[run]
branch = true
[vmpilot_cov:fail_under]  # what must be reached
total = 75
  unit: 60.5
# pipeline = 40
; e2e = 50

src/App/* = 80
src/a=b/* = 70
src/c:d/*.py: 60
[ab]*/x.py = 50
[report]
fail_under = 90
"""
READ = {
    "total": "75",
    "unit": "60.5",
    "src/App/*": "80",
    "src/a=b/*": "70",
    "src/c:d/*.py": "60",
    "[ab]*/x.py": "50",
}
TABLE = """\
[tool.vmpilot_cov.fail_under]
total = 75
unit = 60.5
"src/App/*" = 80
"src/a=b/*" = "70"
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (".coveragerc", PATTERNS, READ),
        ("tox.ini", PATTERNS, READ),
        ("pyproject.toml", TABLE, {"total": "75", "unit": "60.5", "src/App/*": "80", "src/a=b/*": "70"}),
        (".coveragerc.toml", TABLE, {"total": "75", "unit": "60.5", "src/App/*": "80", "src/a=b/*": "70"}),
        ("my.toml", "[vmpilot_cov.fail_under]\neach = 50\n", {"each": "50"}),
        (".coveragerc", "[vmpilot_cov:fail_under]\nunit =\n    60\n", {"unit": "", "60": ""}),  # refused later
        (".coveragerc", "[vmpilot_cov]\nsignals = on\n", {}),
        ("pyproject.toml", "[tool.vmpilot_cov]\nsignals = true\n", {}),
    ],
)
def test_thresholds_are_read_as_they_are_written(
    tmp_path: Path, name: str, text: str, expected: dict[str, str]
) -> None:
    """Names keep their case and their signs; only the last = or : of a line parts a name from its value."""
    write(tmp_path, {name: text})
    assert expected == read_fail_under(str(tmp_path / name))


def test_thresholds_are_no_settings(tmp_path: Path) -> None:
    """The table of thresholds is none of the settings; a setting of its name is one, which nobody knows."""
    write(
        tmp_path, {"a.toml": TABLE + "[tool.vmpilot_cov]\ninterval_s = 1\n", "b.toml": "vmpilot_cov.fail_under = 7\n"}
    )
    assert [*read_own_section(str(tmp_path / "a.toml"))] == ["interval_s"]
    assert [*read_own_section(str(tmp_path / "b.toml"))] == ["fail_under"]


def test_a_section_of_another_name_is_refused(tmp_path: Path) -> None:
    """A misspelt section would be silently without effect."""
    write(tmp_path, {".coveragerc": "[vmpilot_cov:failunder]\ntotal = 75\n"})
    expected = (
        f"[vmpilot_cov:failunder] in {tmp_path}/.coveragerc is no section; known is [vmpilot_cov:fail_under] "
        "(setting-unknown)"
    )
    with pytest.raises(HookError) as caught:
        read_fail_under(str(tmp_path / ".coveragerc"))
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        (".coveragerc", b"branch = true\n"),
        (".coveragerc", b"[vmpilot_cov\n"),
        (".coveragerc", b"[vmpilot_cov]\nsignals = on\nsignals = off\n"),
        (".coveragerc", b"[vmpilot_cov]\n# \xe4\n"),
        ("setup.cfg", b"\xff\xfe"),
        ("pyproject.toml", b"[tool.vmpilot_cov\n"),
        ("pyproject.toml", b"[tool]\nvmpilot_cov = 5\n"),
        ("pyproject.toml", b"tool = 5\n"),
    ],
)
def test_a_broken_configuration_is_refused_with_its_path(tmp_path: Path, name: str, octets: bytes) -> None:
    """What cannot be parsed is refused in one line, with the path and the reason."""
    path = tmp_path / name
    path.write_bytes(octets)
    with pytest.raises(HookError) as caught:
        read_own_section(str(path))
    text = str(caught.value)
    assert text.startswith(f"the configuration {path} cannot be read: ")
    assert text.endswith(" (config-broken)")
    assert "\n" not in text
