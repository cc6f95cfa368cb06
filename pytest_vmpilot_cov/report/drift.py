"""Configurations in step? What a process measured with, against what is judged with, setting by setting."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_vmpilot_cov.messages import say
from pytest_vmpilot_cov.model import Delivery
from server_hook.config.settings import Settings
from server_hook.store.records import Record

COMPARED = ("branch", "source", "include", "omit", "concurrency")
"""Settings whose difference changes the figures. The core differs with the Python, and changes none of them."""


def differences(deliveries: Iterable[Delivery], here: Settings) -> Iterator[str]:
    """Name each setting that servers measured with and that is another one here, with both values."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for each in deliveries:
        if each.record.origin == "pipeline" and each.executed and each.record.settings:
            for name, theirs, ours in differing(each.record.settings, here):
                found.setdefault((name, theirs, ours), []).append(each.record)
    for (name, theirs, ours), records in found.items():
        number, pid = sum(record.folded for record in records), records[0].pid
        who = f"process {pid}" if number == 1 else f"{number} processes (pid {pid}, ...)"
        yield say("settings-differ", who=who, name=name, theirs=theirs, ours=ours)


def differing(theirs: Mapping[str, Any], here: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield the name and both values of each setting that differs; paths are compared below their own folders."""
    folder = str(theirs.get("folder") or "")
    for name in COMPARED:
        one, other = _shown(theirs.get(name), folder), _shown(getattr(here, name), here.folder)
        if one != other:
            yield name, one, other
    asked = str(theirs.get("core_reason") or "")
    if "from " in asked + here.core_reason and theirs.get("core") != here.core:
        yield "core", f"{theirs.get('core')} ({asked})", f"{here.core} ({here.core_reason})"


def _shown(value: object, folder: str) -> str:
    """Show a setting so that the same one looks the same wherever its project lies."""
    if isinstance(value, bool):
        return "on" if value else "off"
    names = [str(name) for name in value] if isinstance(value, (list, tuple)) else []
    return ", ".join(sorted(os.path.relpath(name, folder) if os.path.isabs(name) else name for name in names)) or "none"
