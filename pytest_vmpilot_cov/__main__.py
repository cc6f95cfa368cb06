"""``python -m pytest_vmpilot_cov``: the command ``vmpilot-cov``, by the interpreter that has it."""

from __future__ import annotations

import sys

from pytest_vmpilot_cov.cli.output import show_problem
from server_hook.environment import unsupported


def main() -> int:
    """Run the command, unless nothing can be recorded on this system; return its exit code."""
    reason = unsupported()
    if reason:
        show_problem(reason)
        return 2
    from pytest_vmpilot_cov.cli.main import main as run  # what it imports is not on every system

    return run()


if __name__ == "__main__":
    sys.exit(main())
