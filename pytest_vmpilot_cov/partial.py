"""Which thresholds are in force. Pure rules."""

from __future__ import annotations

from pytest_vmpilot_cov.model import Options


def asked(options: Options) -> str:
    """Say all thresholds, each with where it was set: ``fail_under 75 from addopts and each 50 from ...``."""
    by_place: dict[str, list[str]] = {}
    total = options.fail_under
    if total.value is not None:
        by_place[total.where] = [f"fail_under {total.value:g}"]
    for each in options.thresholds:
        by_place.setdefault(each.where, []).append(f"{each.name} {each.required:g}")
    return " and ".join(f"{', '.join(names)} from {place}" for place, names in by_place.items())
