#!/usr/bin/env bash
# The server with coverage on: vmpilot-cov serve in the project's root.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bin/coverage.sh [-h] [--] [CMD...]

Run CMD in the project's root with coverage on, and record it as the pipeline server. Without CMD the
configuration's server_command ([vmpilot_cov] in .coveragerc) is run. Signals and the exit code pass through.

  -h       show this help

PYTHON names the Python to use; without it .venv/bin/python, or else python3.

example: bin/coverage.sh python -m uvicorn main:app --port 9099
TEXT
}

fail() { # message
    printf 'bin/coverage.sh: %s; see bin/coverage.sh -h\n' "$1" >&2
    exit 2
}

while (($#)); do
    case "$1" in
        -h | --help) usage; exit ;;
        -f) fail "-f has no meaning for the server alone, which is not judged; bin/full_coverage.sh and bin/combine_coverage.sh take it" ;;
        --) shift; break ;;
        -*) fail "unknown option $1" ;;
        *) break ;;
    esac
done

unset CDPATH
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-$PWD/.venv/bin/python}"
[[ -n "${PYTHON:-}" || -x "$python" ]] || python=python3
python="$(command -v -- "$python")" || fail "there is no Python at ${PYTHON:-python3}"
# CMD should find the same Python: the one that records.
PATH="$(cd -- "$(dirname -- "$python")" && pwd):$PATH"
command -v vmpilot-cov > /dev/null || fail "vmpilot-cov is missing; try: $python -m pip install pytest-vmpilot-cov"

exec vmpilot-cov serve ${1:+-- "$@"}
