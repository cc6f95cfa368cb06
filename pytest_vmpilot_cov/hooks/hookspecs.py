"""The hooks that we offer to others: contribute data, take part in the verdict, add a report (docs/hooks.md).

They are hooks of pytest: a ``conftest.py`` or a plugin implements them. The command ``vmpilot-cov`` calls those of
installed packages that name their module under the entry point group ``vmpilot_cov``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from coverage import Coverage

    from pytest_vmpilot_cov.model import Check, Combined, Figures, Options, Outcome

# the same markers as pytest's, without importing pytest: `vmpilot-cov combine` does not need it
hookspec, hookimpl = pluggy.HookspecMarker("pytest"), pluggy.HookimplMarker("pytest")


class PluginObject:
    """The base of plugins that are objects: it lists their hooks alone.

    pytest looks for fixtures at every name that a plugin lists, ten percent of a start.
    """

    def __dir__(self) -> list[str]:
        """List the hooks."""
        return [name for name in super().__dir__() if name.startswith("pytest_")]


@hookspec
def pytest_vmpilot_cov_data(options: Options, folder: Path) -> Iterable[Path] | None:
    """Contribute data before anything is combined: copied out of a container, say.

    Args:
        options: the options of the session or the command.
        folder: an empty folder of this plugin call's own to copy into; it is removed after the verdict.

    Returns:
        data files and data folders to read. ``.coverage.tests`` counts for ``unit`` and any other data file for
        ``pipeline``, unless vmpilot-cov has written it: then it says itself what it holds.
    """


@hookspec
def pytest_vmpilot_cov_checks(figures: Figures, combined: Combined, options: Options) -> Iterable[Check] | None:
    """Take part in the verdict, which passes when every check does.

    Args:
        figures: what each origin reached, and all together.
        combined: the data that counts, and what was left out of it.
        options: the same, thresholds included.

    Returns:
        checks, each with a name, whether it passed, and the line that says so.
    """


@hookspec
def pytest_vmpilot_cov_report(outcome: Outcome, options: Options, cov: Coverage) -> str | None:
    """Add a report, after the verdict has been reached and before it is printed.

    Args:
        outcome: data, figures and verdict.
        options: the options of the session or the command.
        cov: a Coverage that holds all that was counted, for coverage.py's own ways to report. The working folder is
            the root while this runs.

    Returns:
        what the section in the terminal is to say of it.
    """
