from __future__ import annotations

from pathlib import Path

import pytest

from pytest_vmpilot_cov.messages import UsageError
from pytest_vmpilot_cov.model import ReportRequest, Setting, Threshold
from pytest_vmpilot_cov.options.options import make_options, requested_change

OWN = (
    "e2e, e2e_scripts, e2e_scripts_args, e2e_scripts_cwd, e2e_scripts_env, interval_s, pipeline_data, "
    "script_timeout_s, server_command, signals, stale, tag_requests"
)


def configure(folder: Path, text: str, name: str = ".coveragerc") -> str:
    """Write a configuration; return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "typed", "expected"),
    [
        ("", None, Setting(None)),
        ("[report]\nfail_under = 70\n", None, Setting(70.0, ".coveragerc")),
        ("[report]\nfail_under = 70\n", Setting(75.0, "addopts"), Setting(75.0, "addopts")),
        ("", Setting(75.0, "the command line"), Setting(75.0, "the command line")),
        ("[report]\nfail_under = 70\n", Setting(0.0, "the command line"), Setting(None, "the command line")),
        ("[report]\nfail_under = 0\n", None, Setting(None)),
    ],
)
def test_the_threshold_knows_where_it_comes_from(
    tmp_path: Path, text: str, typed: Setting[float] | None, expected: Setting[float | None]
) -> None:
    """What was typed goes before the configuration; 0 is no threshold; each knows its place."""
    options = make_options(tmp_path, configure(tmp_path, text), fail_under=typed)
    assert expected == options.fail_under


SECTION = "[vmpilot_cov:fail_under]"
TABLE = "[tool.vmpilot_cov.fail_under]"


@pytest.mark.parametrize(
    ("own", "typed", "expected"),
    [
        ("total = 80", None, Setting(80.0, f"{SECTION} in .coveragerc")),
        ("total = 80", Setting(75.0, "addopts"), Setting(75.0, "addopts")),
        ("total = 80", Setting(0.0, "the command line"), Setting(None, "the command line")),
        ("total = 0", None, Setting(None, f"{SECTION} in .coveragerc")),
        ("unit = 80", None, Setting(70.0, ".coveragerc")),
    ],
)
def test_our_total_goes_before_coverages(
    tmp_path: Path, own: str, typed: Setting[float] | None, expected: Setting[float | None]
) -> None:
    """The total of our section goes behind what was typed and before ``[report] fail_under``; 0 is no threshold."""
    config = configure(tmp_path, f"[report]\nfail_under = 70\n{SECTION}\n{own}\n")
    assert expected == make_options(tmp_path, config, fail_under=typed).fail_under


@pytest.mark.parametrize(
    ("name", "section", "quote"),
    [(".coveragerc", SECTION, ""), ("pyproject.toml", "[tool.vmpilot_cov.fail_under]", '"')],
)
def test_thresholds_stand_in_the_order_of_the_configuration(
    tmp_path: Path, name: str, section: str, quote: str
) -> None:
    """Thresholds of origins, patterns and each file keep their order; patterns are read against the configuration."""
    named = {"total": 1, "each": 50, f"{quote}src/App/*{quote}": 80, "unit": 60.5, "e2e": 0, f"{quote}*/x.py{quote}": 5}
    text = "\n".join([section, *(f"{key} = {value}" for key, value in named.items())])
    options = make_options(tmp_path, configure(tmp_path / "conf", text, name))
    where = f"{section} in {name}"
    expected = (
        Threshold("each", 50.0, where),
        Threshold("src/App/*", 80.0, where, f"{tmp_path}/conf/src/App/*"),
        Threshold("unit", 60.5, where),
        Threshold("*/x.py", 5.0, where, "*/x.py"),
    )
    assert expected == options.thresholds


def test_a_pattern_is_read_as_its_files_are_known(tmp_path: Path) -> None:
    """A pattern below a symbolic link is that of the folder it leads to: coverage.py knows files by that name."""
    (tmp_path / "real" / "src").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    config = configure(tmp_path / "link", f"{SECTION}\nsrc/* = 80\n")
    (threshold,) = make_options(tmp_path, config).thresholds
    assert f"{tmp_path}/real/src/*" == threshold.pattern


@pytest.mark.parametrize(("name", "section"), [(".coveragerc", SECTION), ("pyproject.toml", TABLE)])
def test_a_threshold_can_be_the_baseline(tmp_path: Path, name: str, section: str) -> None:
    """The total, an origin and a pattern may be compared with the baseline; the total then has no percentage."""
    lines = ["total", "unit", "src/*" if name == ".coveragerc" else '"src/*"']
    value = "baseline" if name == ".coveragerc" else '"baseline"'
    text = "\n".join([section, *(f"{each} = {value}" for each in lines)])
    more = "[report]\nfail_under = 70\n" if name == ".coveragerc" else ""
    options = make_options(tmp_path, configure(tmp_path, f"{more}{text}\n", name))
    where = f"{section} in {name}"
    assert options.thresholds == (
        Threshold("total", 0.0, where, baseline=True),
        Threshold("unit", 0.0, where, baseline=True),
        Threshold("src/*", 0.0, where, f"{tmp_path}/src/*", baseline=True),
    )
    assert options.fail_under == Setting(None, where)


@pytest.mark.parametrize("typed", [75.0, 0.0])
def test_a_total_that_was_typed_takes_the_place_of_the_baseline(tmp_path: Path, typed: float) -> None:
    """The command line decides what the total is compared with; 0 is no threshold there, too."""
    config = configure(tmp_path, f"{SECTION}\ntotal = baseline\nunit = baseline\n")
    options = make_options(tmp_path, config, fail_under=Setting(typed, "the command line"))
    assert [each.name for each in options.thresholds] == ["unit"]
    assert options.fail_under.value == (typed or None)


@pytest.mark.parametrize(
    ("line", "typed", "expected"),
    [
        ("unit = 5", None, None),
        ("changed = 0", None, None),
        ("changed = 90", None, Setting("", f"{SECTION} in .coveragerc")),
        ("changed = 90", Setting("v1", "--vmpilot-cov-changed"), Setting("v1", "--vmpilot-cov-changed")),
    ],
)
def test_a_threshold_of_the_change_asks_for_it(
    tmp_path: Path, line: str, typed: Setting[str] | None, expected: Setting[str] | None
) -> None:
    """The threshold alone makes git be asked, about the default base unless another one was named."""
    config = configure(tmp_path, f"{SECTION}\n{line}\n")
    assert make_options(tmp_path, config, change=typed).change == expected


@pytest.mark.parametrize(
    ("ref", "annotations", "expected"),
    [
        (None, False, None),
        (None, True, Setting("")),
        ("", False, Setting("", "--x")),
        ("v1", True, Setting("v1", "--x")),
    ],
)
def test_annotations_are_about_the_change(ref: str | None, expected: Setting[str] | None, *, annotations: bool) -> None:
    """Whoever asks for annotations asks for the change; the option without a commit stands for the default one."""
    assert requested_change(ref, annotations, "--x") == expected


NO_PERCENTAGE = "is not a percentage; use 0 to 100 (fail-under-range)"
NO_NAME = (
    "is not a threshold; use total, each, changed, unit, e2e, pipeline, or a path pattern such as src/app/* "
    "(fail-under-unknown)"
)
NO_PATTERN = "has a pattern that coverage.py refuses: File pattern can't include 'x**' (fail-under-pattern)"


@pytest.mark.parametrize(
    ("line", "shown", "why"),
    [
        ("unit = 175", "unit=175", NO_PERCENTAGE),
        ("each = many", "each=many", NO_PERCENTAGE),
        ("total =", "total=", NO_PERCENTAGE),
        ("src/a=b/* = -1", "src/a=b/*=-1", NO_PERCENTAGE),
        ("each = baseline", "each=baseline", NO_PERCENTAGE),
        ("changed = baseline", "changed=baseline", NO_PERCENTAGE),
        ("Unit = 60", "Unit=60", NO_NAME),
        ("src/x** = 5", "src/x**=5", NO_PATTERN),
    ],
)
def test_a_threshold_that_means_nothing_is_refused(tmp_path: Path, line: str, shown: str, why: str) -> None:
    """A value that is no percentage, an unknown name and a wrong pattern are refused with the value and the place."""
    config = configure(tmp_path, f"{SECTION}\n{line}\n")
    with pytest.raises(UsageError) as caught:
        make_options(tmp_path, config, fail_under=Setting(75.0, "the command line"))
    assert f"{shown} (from {SECTION} in {config}) {why}" == str(caught.value)


def test_a_misspelt_section_of_thresholds_is_refused(tmp_path: Path) -> None:
    """A section of a name that is not known is an option error, too."""
    with pytest.raises(UsageError, match=r"\[vmpilot_cov:failunder\] in .* \(setting-unknown\)$"):
        make_options(tmp_path, configure(tmp_path, "[vmpilot_cov:failunder]\nunit = 60\n"))


def test_a_threshold_from_a_project_file_names_that_file(tmp_path: Path) -> None:
    """A threshold of pyproject.toml says so."""
    config = configure(tmp_path, "[tool.coverage.report]\nfail_under = 72.5\n", "pyproject.toml")
    assert Setting(72.5, "pyproject.toml") == make_options(tmp_path, config).fail_under


def test_a_configured_threshold_that_is_no_percentage_is_refused(tmp_path: Path) -> None:
    """A threshold in the configuration that is no percentage is refused with the path of the file."""
    config = configure(tmp_path, "[report]\nfail_under = 175\n")
    expected = f"fail_under=175.0 (from {config}) is not a percentage; use 0 to 100 (fail-under-range)"
    with pytest.raises(UsageError) as caught:
        make_options(tmp_path, config)
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("text", "typed", "expected"), [("", None, 0), ("[report]\nprecision = 2\n", None, 2), ("", 3, 3)]
)
def test_the_precision_is_typed_or_configured(tmp_path: Path, text: str, typed: int | None, expected: int) -> None:
    """The digits of percentages are those typed, else those configured, else none."""
    assert expected == make_options(tmp_path, configure(tmp_path, text), precision=typed).precision


def test_a_typed_precision_goes_before_the_configured_one(tmp_path: Path) -> None:
    """A typed 0 is a precision, too."""
    config = configure(tmp_path, "[report]\nprecision = 2\n")
    expected = 0
    assert expected == make_options(tmp_path, config, precision=0).precision


@pytest.mark.parametrize("typed", [None, -2])
def test_a_negative_precision_is_refused(tmp_path: Path, typed: int | None) -> None:
    """A number of digits below 0, typed or configured, is refused before any test is run."""
    config = configure(tmp_path, "[report]\nprecision = -2\n" if typed is None else "")
    with pytest.raises(UsageError, match="precision=-2"):
        make_options(tmp_path, config, precision=typed)


@pytest.mark.parametrize("name", ["e2e_script", "interval", "fail_under"])
def test_an_unknown_setting_is_refused(tmp_path: Path, name: str) -> None:
    """A name in our section that means nothing is refused with the file and all names that do."""
    config = configure(tmp_path, f"[vmpilot_cov]\nsignals = on\n{name} = 1\n")
    expected = f"[vmpilot_cov] {name} in {config} is not a setting; use one of {OWN} (setting-unknown)"
    with pytest.raises(UsageError) as caught:
        make_options(tmp_path, config)
    assert expected == str(caught.value)


def test_a_broken_configuration_is_an_option_error(tmp_path: Path) -> None:
    """What the hook refuses in a configuration, a session refuses in the same words."""
    config = configure(tmp_path, "[vmpilot_cov]\ninterval_s = soon\n")
    expected = f"interval_s=soon (from [vmpilot_cov] in {config}) is not a number of seconds above 0 (setting-invalid)"
    with pytest.raises(UsageError) as caught:
        make_options(tmp_path, config)
    assert expected == str(caught.value)


def test_places_are_searched_in_the_order_of_their_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipeline data is looked for where it was typed, configured, set in the environment, and in the usual places."""
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("VMPILOT_COV_DATA_DIR", "/var/data")
    monkeypatch.chdir("/")
    config = configure(
        tmp_path / "conf",
        "[run]\ndata_file = data/.coverage\n[vmpilot_cov]\npipeline_data = ../server, /srv/one\n    ~/two\n",
    )
    typed = [Setting(Path("typed/../first"), "--vmpilot-cov-pipeline"), Setting(Path("~/second"), "--x")]
    expected = (
        Setting(tmp_path / "first", "--vmpilot-cov-pipeline"),
        Setting(Path("/home/someone/second"), "--x"),
        Setting(tmp_path / "server", "pipeline_data in .coveragerc"),
        Setting(Path("/srv/one"), "pipeline_data in .coveragerc"),
        Setting(Path("/home/someone/two"), "pipeline_data in .coveragerc"),
        Setting(Path("/var/data"), "VMPILOT_COV_DATA_DIR"),
        Setting(tmp_path / "conf"),
        Setting(tmp_path / "conf" / "data"),
        Setting(Path("/home/someone/pipelines")),
    )
    assert expected == make_options(tmp_path, config, places=typed).data_places


def test_without_any_setting_the_usual_places_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any setting, pipeline data is looked for in the project and in ~/pipelines."""
    monkeypatch.setenv("HOME", "/home/someone")
    expected = (Setting(tmp_path), Setting(tmp_path), Setting(Path("/home/someone/pipelines")))
    assert expected == make_options(tmp_path, str(tmp_path)).data_places


def test_what_was_asked_for_is_kept(tmp_path: Path) -> None:
    """Reports and required origins travel as they were given."""
    reports = (ReportRequest("xml", "cov.xml"),)
    options = make_options(tmp_path, str(tmp_path), reports=reports, require=frozenset(["unit"]))
    expected = (tmp_path, reports, frozenset(["unit"]))
    assert expected == (options.root, options.reports, options.require)


def test_the_data_folder_is_that_of_the_data_file(tmp_path: Path) -> None:
    """What a session measures lies beside ``.coverage``, wherever that is configured to be."""
    config = configure(tmp_path, "[run]\ndata_file = data/.coverage\n")
    assert tmp_path / "data" == make_options(tmp_path, config).data_folder


def test_the_command_line_goes_before_the_configuration(tmp_path: Path) -> None:
    """Sources and branches that were typed replace the configured ones."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    config = configure(tmp_path, "[run]\nsource = one\n")
    settings = make_options(tmp_path, config, overrides={"run:source": ["two"], "run:branch": True}).settings
    expected = ((str(tmp_path / "two"),), True)
    assert expected == (settings.source, settings.branch)
