"""Combine: what was collected, cut down to the project's files as they are now."""

from __future__ import annotations

from dataclasses import replace

from pytest_vmpilot_cov import coverage_private
from pytest_vmpilot_cov.combine.path_map import PathMap
from pytest_vmpilot_cov.combine.unite import relocate, unite, without_branches
from pytest_vmpilot_cov.messages import UsageError, say
from pytest_vmpilot_cov.model import Collected, Combined, Options
from server_hook.config.settings import apply_settings, open_coverage
from server_hook.coverage_private import REFUSALS
from server_hook.store.fingerprint import fingerprint


def combine(options: Options, collected: Collected) -> Combined:
    """Combine what was collected, by the rules of the configuration.

    Raises:
        UsageError: when the configuration cannot be used.
    """
    cov = open_coverage(options.settings.config_file)
    try:
        apply_settings(cov, options.settings)
        files, ours = coverage_private.project_files(cov), coverage_private.is_project_file(cov)
        path_map = PathMap(files, fingerprint, coverage_private.path_setting(cov, options.settings.folder))
        parts, mapped = relocate(collected.parts, path_map, ours, options.settings)
        keep_stale = options.stale == "keep"
        combined = unite(parts, project_files=files, is_project_file=ours, keep_stale=keep_stale)
        lines_only = without_branches(parts, combined.counted)
        return replace(combined, mapped=mapped, lines_only=lines_only)
    except REFUSALS as error:
        raise UsageError(say("cannot-count", why=" ".join(str(error).split()))) from None
