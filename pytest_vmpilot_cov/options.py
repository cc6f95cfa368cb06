"""Command line, environment and configuration -> Options: each setting once, with the place that it came from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import ORIGINS, Options, ReportRequest, Setting
from server_hook.configuration import OWN_SETTINGS, find_config_above, locate, read_own_section
from server_hook.problems import HookError

if TYPE_CHECKING:
    import pytest
    from coverage import Coverage

    from server_hook.settings import Settings


class OptionError(Exception):
    """A setting that cannot be used; its text says where it stands and what is allowed."""


def percentage(value: object, where: str) -> float:
    """Turn a threshold into a percentage.

    Raises:
        OptionError: when it is no number from 0 to 100.
    """
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:  # noqa: PLR2004 - percentages
        raise OptionError(say("fail-under-range", value=value, where=where))
    return number


def parse_require(values: Iterable[str], where: str) -> frozenset[str]:
    """Parse origins, several with commas.

    Raises:
        OptionError: when one is no origin.
    """
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    for name in names:
        if name not in ORIGINS:
            raise OptionError(say("origin-unknown", value=name, where=where))
    return frozenset(names)


def resolve(config: pytest.Config, known: argparse.Namespace) -> Options:
    """Resolve everything that a pytest session was told, against its rootdir.

    Raises:
        OptionError: when something cannot be used.
    """
    typed = tuple(str(arg) for arg in config.invocation_params.args)
    config_path = config_of_session(config.rootpath, str(known.cov_config))
    overrides: dict[str, object] = {}
    if known.cov_branch:
        overrides["run:branch"] = True
    sources = [str(name) for name in known.cov_source if name is not True]
    if sources:
        overrides["run:source"] = sources
    fail_under = None
    if known.cov_fail_under is not None:
        where = "the command line" if _is_typed("--cov-fail-under", typed) else "addopts"
        fail_under = Setting(percentage(known.cov_fail_under, where), where)
    return make_options(
        config.rootpath,
        config_path,
        overrides=overrides,
        fail_under=fail_under,
        precision=known.cov_precision,
        reports=_report_requests(known.cov_report),
        places=[Setting(Path(path), "--vmpilot-cov-pipeline") for path in known.vmpilot_cov_pipeline],
        require=parse_require(known.vmpilot_cov_require, "--vmpilot-cov-require"),
        append=bool(known.cov_append),
        reset=bool(known.vmpilot_cov_reset),
    )


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
    append: bool = False,
    reset: bool = False,
) -> Options:
    """Resolve what was typed and what the configuration says into Options.

    Raises:
        OptionError: when something cannot be used.
    """
    from server_hook.settings import open_coverage, read_settings

    try:
        settings = read_settings(config_path, overrides)
        own = read_own_section(settings.config_file)
        cov = open_coverage(settings.config_file)
    except HookError as error:
        raise OptionError(str(error)) from None
    check_own_section(own, settings.config_file)
    return Options(
        root=root,
        settings=settings,
        fail_under=_threshold(cov, fail_under, settings.config_file),
        precision=_digits(cov.get_option("report:precision") if precision is None else precision),
        reports=reports,
        places=tuple(_places(places, own, settings, root)),
        require=require,
        append=append,
        reset=reset,
    )


def _digits(value: object) -> int:
    """Check the precision: how many digits percentages have after the decimal point."""
    text = str(value or 0)
    if not text.isdecimal():
        raise OptionError(say("precision-range", value=text))
    return int(text)


def _threshold(cov: Coverage, typed: Setting[float] | None, config_file: str) -> Setting[float | None]:
    """Choose the threshold: what was typed, else what the configuration says; 0 is none."""
    configured = cov.get_option("report:fail_under")
    if typed is None and configured:
        typed = Setting(percentage(configured, config_file), os.path.basename(config_file))
    return Setting(typed.value or None, typed.where) if typed else Setting(None)


def config_of_session(root: Path, named: str) -> str:
    """Find the configuration: the one named, else COVERAGE_RCFILE, else the rootdir's own.

    Raises:
        OptionError: when one was named and is not there.
    """
    named = named if named != ".coveragerc" else os.environ.get("COVERAGE_RCFILE", "")
    if not named:
        return find_config_above(str(root)) or str(root)
    path = root / Path(named).expanduser()
    try:
        config_file, folder = locate(str(path if path.exists() else Path(named).expanduser()))
    except HookError as error:
        raise OptionError(str(error)) from None
    return config_file or folder


def check_own_section(own: dict[str, str], config_file: str) -> None:
    """Refuse names in ``[vmpilot_cov]`` that mean nothing: a misspelt setting would be silently without effect.

    Raises:
        OptionError: naming the first such name and all that are known.
    """
    for name in own:
        if name not in OWN_SETTINGS:
            known = ", ".join(sorted(OWN_SETTINGS))
            raise OptionError(say("setting-unknown", name=name, where=config_file, known=known))


def listed(text: str) -> list[str]:
    """Split a setting that is a list: items by lines or commas."""
    return [item.strip() for line in text.splitlines() for item in line.split(",") if item.strip()]


def _places(
    typed: Iterable[Setting[Path]], own: dict[str, str], settings: Settings, root: Path
) -> Iterable[Setting[Path]]:
    """List where pipeline data may lie: typed, configured, from the environment, and the two usual places."""
    for place in typed:
        yield Setting(Path(os.path.normpath(root / place.value.expanduser())), place.where)
    for name in listed(own.get("pipeline_data", "")):
        path = Path(settings.folder) / Path(name).expanduser()
        yield Setting(Path(os.path.normpath(path)), f"pipeline_data in {os.path.basename(settings.config_file)}")
    if os.environ.get("VMPILOT_COV_DATA_DIR"):
        yield Setting(Path(os.environ["VMPILOT_COV_DATA_DIR"]).absolute(), "VMPILOT_COV_DATA_DIR")
    yield Setting(Path(settings.folder))
    yield Setting(Path(settings.data_file).parent)
    yield Setting(Path("~/pipelines").expanduser())


def _report_requests(asked: dict[str, str | None]) -> tuple[ReportRequest, ...]:
    if not asked:
        return (ReportRequest("term"),)
    return tuple(report_request(kind, dest) for kind, dest in asked.items() if kind)


def report_request(kind: str, dest: str | None) -> ReportRequest:
    """Make the request of one parsed ``--cov-report`` value."""
    if kind.startswith("term"):
        return ReportRequest(kind, skip_covered=dest == "skip-covered")
    return ReportRequest(kind, dest or "")


def _is_typed(flag: str, typed: Sequence[str]) -> bool:
    return any(arg == flag or arg.startswith(flag + "=") for arg in typed)
