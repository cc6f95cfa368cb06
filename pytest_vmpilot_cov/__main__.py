"""``python -m pytest_vmpilot_cov``: the command ``vmpilot-cov``, by the interpreter that has it."""

import sys

from pytest_vmpilot_cov.cli.main import main

sys.exit(main())
