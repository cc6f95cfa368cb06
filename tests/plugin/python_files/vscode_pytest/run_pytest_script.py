"""A stand-in for the script by which VS Code's Python extension runs tests: what it adds, and that it ends with 0."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    options = sys.argv[1:]
    if os.environ.get("COVERAGE_ENABLED") == "True" and not any("--cov" in option for option in options):
        options += ["--cov=.", "--cov-branch"]
    ids = Path(os.environ["RUN_TEST_IDS_PIPE"]).read_text().splitlines()
    pytest.main(["-p", "vscode_pytest", *options, *ids])
