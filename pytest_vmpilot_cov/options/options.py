"""Command line, environment and configuration -> Options: each setting, and where it was set."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import ORIGINS, TESTS_FILE, TYPED, Options, ReportRequest, Setting, Threshold
from pytest_vmpilot_cov.options.report_kinds import report_requests
from pytest_vmpilot_cov.options.thresholds import percentage, read_thresholds
from server_hook.config.files import (
    OWN_SETTINGS,
    find_config_above,
    locate,
    read_own_section,
)
from server_hook.problems import HookError

if TYPE_CHECKING:
    import pytest
    from coverage import Coverage

    from server_hook.config.settings import Settings


STALE = ("drop", "fail", "keep")
"""What to do with data whose source has changed since; the first is the default."""


def parse_require(values: Iterable[str], where: str) -> frozenset[str]:
    """Parse origins, several with commas.

    Raises:
        UsageError: when one is no origin.
    """
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in names:
        if name not in ORIGINS:
            raise UsageError(say("origin-unknown", value=name, where=where))
    return frozenset(names)


def resolve(config: pytest.Config, typed: argparse.Namespace) -> Options:
    """Resolve the settings of a pytest session, against its rootdir.

    Raises:
        UsageError: when something cannot be used.
    """
    # what was typed, without addopts: messages name the place of a setting
    words = tuple(str(arg) for arg in config.invocation_params.args)
    config_path = config_of_session(config.rootpath, str(typed.cov_config))
    fail_under = None
    if typed.cov_fail_under is not None:
        where = TYPED if _is_typed("--cov-fail-under", words) else "addopts"
        fail_under = Setting(percentage(typed.cov_fail_under, where), where)
    options = make_options(
        config.rootpath,
        config_path,
        overrides=_overrides(config, typed, locate(config_path)[1]),
        fail_under=fail_under,
        precision=typed.cov_precision,
        reports=report_requests(typed.cov_report.items()),
        places=[Setting(Path(path), "--vmpilot-cov-pipeline") for path in typed.vmpilot_cov_pipeline],
        require=parse_require(typed.vmpilot_cov_require, "--vmpilot-cov-require"),
        stale=Setting(typed.vmpilot_cov_stale, "--vmpilot-cov-stale") if typed.vmpilot_cov_stale else None,
        change=requested_change(typed.vmpilot_cov_changed, typed.vmpilot_cov_annotations, "--vmpilot-cov-changed"),
    )
    return replace(
        options,
        append=bool(typed.cov_append),
        context=typed.cov_context or "",
        no_cov_on_fail=bool(typed.no_cov_on_fail),
        reset=bool(typed.vmpilot_cov_reset),
        strict=bool(typed.vmpilot_cov_strict),
        show_sets=bool(typed.vmpilot_cov_sets),
        annotations=bool(typed.vmpilot_cov_annotations),
    )


def requested_change(ref: str | None, annotations: bool, flag: str) -> Setting[str] | None:  # noqa: FBT001 - as typed
    """Return what the change is to be compared with, if the options ask for it; annotations are about it, too."""
    if ref is None:
        return Setting("") if annotations else None
    return Setting(ref, flag)


def _overrides(config: pytest.Config, typed: argparse.Namespace, folder: str) -> dict[str, object]:
    """Return the settings of coverage.py that the command line overrides; the configuration lies in *folder*."""
    overrides: dict[str, object] = {}
    if typed.cov_branch:
        overrides["run:branch"] = True
    if typed.cov_source and True not in typed.cov_source:  # a bare --cov asks for the configured source
        overrides["run:source"] = [
            typed_source(name, folder, config.invocation_params.dir) for name in typed.cov_source
        ]
    return overrides


def make_options(  # noqa: PLR0913 - one keyword a setting, from pytest and from the command alike
    root: Path,
    config_path: str,
    *,
    overrides: dict[str, object] | None = None,
    fail_under: Setting[float] | None = None,
    precision: int | None = None,
    reports: tuple[ReportRequest, ...] = (),
    places: Sequence[Setting[Path]] = (),
    require: frozenset[str] = frozenset(),
    stale: Setting[str] | None = None,
    change: Setting[str] | None = None,
) -> Options:
    """Resolve the command line and the configuration into Options.

    Raises:
        UsageError: when something cannot be used.
    """
    settings, own, cov = _read(config_path, overrides)
    configured = read_thresholds(settings)
    thresholds = tuple(_beside_the_total(configured, fail_under))
    return Options(
        root=root,
        settings=settings,
        fail_under=_total(cov, fail_under, configured, settings.config_file),
        source_from="--cov" if "run:source" in (overrides or {}) else settings.config_file,
        precision=_digits(cov.get_option("report:precision") if precision is None else precision),
        reports=reports,
        data_places=tuple(_places(places, own, settings, root)),
        require=require,
        thresholds=thresholds,
        tests_file=_tests_file(settings),
        stale=_stale(stale or Setting(own.get("stale", STALE[0]).strip(), settings.config_file)),
        change=change or next((Setting("", each.where) for each in thresholds if each.name == "changed"), None),
    )


def _beside_the_total(configured: Iterable[Threshold], typed: Setting[float] | None) -> Iterator[Threshold]:
    """Choose the thresholds that aren't percentages of the total, which has a place of its own."""
    for each in configured:
        # one that was typed takes the place of the total's, whatever that is compared with
        is_total = each.name == "total"
        if (each.baseline and not (is_total and typed)) or (each.required and not is_total):  # 0 switches one off
            yield each


def _tests_file(settings: Settings) -> str:
    """Name the data file of the tests: each COVERAGE_FILE, as tox sets them, has its own."""
    # runs side by side, as of tox, share the folder and must not overwrite each other's data
    own = os.path.basename(settings.data_file)
    if not os.environ.get("COVERAGE_FILE") or own == ".coverage":
        return TESTS_FILE
    return f"{TESTS_FILE}.{own.removeprefix('.coverage.')}"


def _stale(setting: Setting[str]) -> str:
    if setting.value not in STALE:
        raise UsageError(say("stale-unknown", value=setting.value, where=setting.where))
    return setting.value


def _read(path: str, overrides: Mapping[str, object] | None) -> tuple[Settings, dict[str, str], Coverage]:
    """Read a configuration: its settings, our section of it, and coverage.py's view of it."""
    # imported late, as coverage.py comes with it, which takes more than 100 ms
    from server_hook.config.settings import read_with_coverage

    try:
        settings, cov = read_with_coverage(path, overrides)
        own = read_own_section(settings.config_file)
    except HookError as error:
        raise UsageError(str(error)) from None
    check_own_section(own, settings.config_file)
    return settings, own, cov


def _digits(value: object) -> int:
    """Check the precision: how many digits percentages have after the decimal point."""
    text = str(value or 0)
    if not text.isdecimal():
        raise UsageError(say("precision-range", value=text))
    return int(text)


def _total(
    cov: Coverage, typed: Setting[float] | None, configured: Iterable[Threshold], config_file: str
) -> Setting[float | None]:
    """Choose the total's threshold: the command line's, else our section's, else coverage.py's own; 0 is none."""
    chosen = typed or next((Setting(each.required, each.where) for each in configured if each.name == "total"), None)
    coverages = cov.get_option("report:fail_under")
    if chosen is None and coverages:
        chosen = Setting(percentage(coverages, config_file), os.path.basename(config_file))
    return Setting(chosen.value or None, chosen.where) if chosen else Setting(None)


def typed_source(name: str, folder: str, started_in: Path) -> str:
    """Resolve one ``--cov=SOURCE``: a folder relative to the configuration, else to where pytest was started.

    What is neither is left as it is: the name of a package.
    """
    # pytest started in a subfolder still finds what is typed relative to it
    seen_from_there = started_in / name
    if os.path.isdir(os.path.join(folder, name)) or not seen_from_there.is_dir():
        return name
    return os.path.abspath(seen_from_there)


def config_of_session(root: Path, config_option: str) -> str:
    """Find the configuration: that of ``--cov-config``, else COVERAGE_RCFILE, else the rootdir's own.

    Raises:
        UsageError: when the requested one does not exist.
    """
    # the option's default is pytest-cov's: typed or not, it reads the same
    requested = config_option if config_option != ".coveragerc" else os.environ.get("COVERAGE_RCFILE", "")
    if not requested:
        return find_config_above(str(root)) or str(root)
    path = root / Path(requested).expanduser()
    try:
        # below the rootdir first, then below the working folder
        config_file, folder = locate(str(path if path.exists() else Path(requested).expanduser()))
    except HookError as error:
        raise UsageError(str(error)) from None
    return config_file or folder


def check_own_section(own: dict[str, str], config_file: str) -> None:
    """Refuse names in ``[vmpilot_cov]`` that mean nothing: a misspelt setting would have no effect, without a word.

    Raises:
        UsageError: naming the first such name and all that are typed.
    """
    for name in own:
        if name not in OWN_SETTINGS:
            names = ", ".join(sorted(OWN_SETTINGS))
            raise UsageError(say("setting-unknown", name=name, where=config_file, choices=names))


def listed(text: str) -> list[str]:
    """Split a setting that is a list: items by lines or commas."""
    return [item.strip() for line in text.splitlines() for item in line.split(",") if item.strip()]


def _places(
    typed: Iterable[Setting[Path]], own: dict[str, str], settings: Settings, root: Path
) -> Iterable[Setting[Path]]:
    """List where pipeline data may lie: the command line, the configuration, the environment, the usual places."""
    for place in typed:
        yield Setting(Path(os.path.normpath(root / place.value.expanduser())), place.where)
    for name in listed(own.get("pipeline_data", "")):
        path = Path(settings.folder) / Path(name).expanduser()
        yield Setting(Path(os.path.normpath(path)), f"pipeline_data in {os.path.basename(settings.config_file)}")
    if os.environ.get("VMPILOT_COV_DATA_DIR"):
        # absolute now: by the time it is read, the root is the working folder
        yield Setting(Path(os.environ["VMPILOT_COV_DATA_DIR"]).absolute(), "VMPILOT_COV_DATA_DIR")
    yield Setting(Path(settings.folder))
    yield Setting(Path(settings.data_file).parent)
    yield Setting(Path("~/pipelines").expanduser())


def _is_typed(flag: str, typed: Sequence[str]) -> bool:
    return any(arg == flag or arg.startswith(flag + "=") for arg in typed)
