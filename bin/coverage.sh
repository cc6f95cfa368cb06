#!/usr/bin/env bash
# The server with coverage on: vmpilot-cov serve in the project's root.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bin/coverage.sh [-h] [--] [CMD...]

Run CMD in the project's root with coverage on, and record it as the pipeline server. The default CMD is
server_command in the configuration. Signals and the exit code pass through.

  -h       show this help

Set PYTHON to choose the Python; the default is .venv/bin/python, else python3.

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
        -f) fail "-f has no effect on a server alone; use it with bin/full_coverage.sh or bin/combine_coverage.sh" ;;
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
# CMD must find the same Python: it has the recorder.
PATH="$(cd -- "$(dirname -- "$python")" && pwd):$PATH"
command -v vmpilot-cov > /dev/null || fail "vmpilot-cov is missing; try: $python -m pip install pytest-vmpilot-cov"

exec vmpilot-cov serve ${1:+-- "$@"}
