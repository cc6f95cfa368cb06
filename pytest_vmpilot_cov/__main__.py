"""``python -m pytest_vmpilot_cov``: the command ``vmpilot-cov``, by the interpreter that has it."""

from __future__ import annotations

import gc
import sys

from pytest_vmpilot_cov.cli.output import show_problem
from server_hook.environment import unsupported

SELDOM = 20_000
"""How many objects a command makes between two looks for garbage: most that it makes stays until its end."""


def main() -> int:
    """Run the command, unless this system or this coverage.py lacks what it needs; return its exit code."""
    reason = unsupported()
    if reason:
        show_problem(reason)
        return 2
    gc.set_threshold(SELDOM)
    try:
        from pytest_vmpilot_cov.cli.main import main as run  # what it imports is not on every system

        return run()
    except (ImportError, AttributeError, TypeError) as error:
        from pytest_vmpilot_cov.cli.tried import lacks

        reason = lacks(error)
        if not reason:
            raise
    finally:
        gc.freeze()  # Python looks through all that is left three times before it lets it go with the process
    show_problem(reason)
    return 2


if __name__ == "__main__":
    sys.exit(main())
