#!/usr/bin/env bash
# The server with coverage on: vmpilot-cov serve in the project's root. The words are its command; without any the
# configuration's server_command is run. Signals and the exit code pass through.
# Set PYTHON to choose the Python; the default is .venv/bin/python, else python3.
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-$PWD/.venv/bin/python}"
[[ -n "${PYTHON:-}" || -x "$python" ]] || python=python3
folder="$(dirname -- "$(command -v -- "$python")")"
PATH="$(cd -- "$folder" && pwd):$PATH" # CMD must find the same Python: it has the recorder

[[ "${1:--}" == -* ]] || set -- -- "$@"
exec "$python" -m pytest_vmpilot_cov serve "$@"
