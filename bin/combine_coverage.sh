#!/usr/bin/env bash
# Combine existing data without running tests: vmpilot-cov combine in the project's root, with its options and paths.
# Set PYTHON to choose the Python; the default is .venv/bin/python, else python3.
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-$PWD/.venv/bin/python}"
[[ -n "${PYTHON:-}" || -x "$python" ]] || python=python3

exec "$python" -m pytest_vmpilot_cov combine "$@"
