"""Thresholds: of the total, of an origin, of a path pattern, of each file, of the change; percentages or a baseline."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import ORIGINS, Threshold
from server_hook.config.files import (
    FAIL_UNDER,
    read_fail_under,
)
from server_hook.problems import HookError

if TYPE_CHECKING:
    from server_hook.config.settings import Settings

_OF_PERCENTAGES = ("each", "changed")
"""Names that have no baseline."""


def percentage(value: object, where: str, name: str = "fail_under") -> float:
    """Turn a threshold into a percentage.

    Raises:
        UsageError: when it is no number from 0 to 100.
    """
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    # not "number < 0 or number > 100": nan has to be refused, too
    if not 0 <= number <= 100:  # noqa: PLR2004 - percentages
        raise UsageError(say("fail-under-range", name=name, value=value, where=where))
    return number


def read_thresholds(settings: Settings) -> tuple[Threshold, ...]:
    """Read and check the thresholds of ``[vmpilot_cov:fail_under]``, including the total's and those of 0.

    Raises:
        UsageError: when a name or a value means nothing; it says which, and where it stands.
    """
    path = settings.config_file
    section = "[tool.vmpilot_cov.fail_under]" if path.endswith(".toml") else f"[{FAIL_UNDER}]"
    try:
        values = read_fail_under(path)
    except HookError as error:
        raise UsageError(str(error)) from None
    return tuple(_thresholds(values, section, settings))


def _thresholds(values: Mapping[str, str], section: str, settings: Settings) -> Iterator[Threshold]:
    from pytest_vmpilot_cov.coverage_private import absolute_pattern
    from server_hook.coverage_private import REFUSALS

    exact = f"{section} in {settings.config_file}"
    for name, value in values.items():
        pattern = ""
        if name not in ("total", *_OF_PERCENTAGES, *ORIGINS):
            # a misspelled origin must not become a pattern that matches nothing
            if not set(name) & set("/*?[."):
                raise UsageError(say("fail-under-unknown", name=name, value=value, where=exact))
            try:
                pattern = absolute_pattern(name, settings.folder)
            except REFUSALS as error:
                raise UsageError(say("fail-under-pattern", name=name, value=value, where=exact, why=error)) from None
        where = f"{section} in {os.path.basename(settings.config_file)}"
        if value == "baseline" and name not in _OF_PERCENTAGES:
            yield Threshold(name, 0.0, where, pattern, baseline=True)
        else:
            yield Threshold(name, percentage(value, exact, name), where, pattern)
