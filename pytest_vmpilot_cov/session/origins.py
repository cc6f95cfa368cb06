"""Whose test is it: ``unit`` or ``e2e``, by marker or by path."""

from __future__ import annotations

from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vmpilot_cov.model.value import Value
from pytest_vmpilot_cov.options.options import listed
from server_hook.config.files import read_own_section

if TYPE_CHECKING:
    import pytest

    from pytest_vmpilot_cov.model import Options


class OriginRules(Value):
    """What makes a test an E2E test."""

    root: Path
    """What the patterns are read against."""
    patterns: tuple[str, ...] = ()
    """Folders or patterns of ``[vmpilot_cov] e2e``; without any, every folder with the name ``e2e``."""

    @cache  # noqa: B019 - there is one a session
    def of_path(self, path: Path) -> str:
        """Return the origin of what the test file or folder at *path* runs."""
        try:
            relative = path.relative_to(self.root)
        except ValueError:
            relative = path  # a test outside the root
        if not self.patterns:
            return "e2e" if "e2e" in relative.parts else "unit"
        # a pattern may name the file, or any folder above it
        candidates = [str(relative), *(str(parent) for parent in relative.parents)]
        wanted = [pattern.rstrip("/").removeprefix("./") for pattern in self.patterns]
        return "e2e" if any(fnmatch(name, pattern) for name in candidates for pattern in wanted) else "unit"

    def of_item(self, item: pytest.Item) -> str:
        """Return the origin of what a test runs; its marker takes precedence over its path."""
        return "e2e" if item.get_closest_marker("e2e") else self.of_path(item.path)


def rules_of(options: Options) -> OriginRules:
    """Read the rules of the configuration."""
    patterns = read_own_section(options.settings.config_file).get("e2e", "")
    return OriginRules(Path(options.settings.folder), tuple(listed(patterns)))
