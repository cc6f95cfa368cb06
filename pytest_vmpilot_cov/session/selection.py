"""Which tests this session selects, and how far it has come."""

from __future__ import annotations

import argparse

import pytest

from pytest_vmpilot_cov.chdir import working_in
from pytest_vmpilot_cov.integrations.vscode import ran_all_discovered
from pytest_vmpilot_cov.session.partial import early_end, selection


class Progress:
    """How far a session has come; a plugin of its own, because pytest's hook does not say whose test has ended."""

    def __init__(self, parser: pytest.Parser) -> None:
        """Begin to count.

        Args:
            parser: pytest's own, which knows the options of every plugin when it is asked.
        """
        self.parser = parser
        self.selected = ""
        self.finished: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Note what was typed, as long as the folder is there in which it was."""
        typed = config.invocation_params
        try:
            with working_in(typed.dir):
                known, unknown = self.parser.parse_known_and_unknown_args(list(typed.args), argparse.Namespace())
        except pytest.UsageError:  # an option that some plugin requires stands in addopts
            return
        # before Python 3.12.8 argparse does not take paths that stand behind an option for paths
        paths = [*known.file_or_dir, *(word for word in unknown if not word.startswith("-"))]
        self.selected = selection(known, paths, lambda path: (typed.dir / path).is_file())

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note a test that was run to its end, here or by a worker."""
        self.finished.add(nodeid)

    def part(self, session: pytest.Session, error: BaseException | None) -> str:
        """Say which part of the tests was run; empty for all of them."""
        # each test was typed where VS Code has run all that it knows
        selected = "" if ran_all_discovered(session.config, self.finished) else self.selected
        return ", ".join(filter(None, (selected, early_end(error, len(self.finished), session.testscollected))))
