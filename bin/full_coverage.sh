#!/usr/bin/env bash
# Everything in one: the tests, any data of pipeline servers, the combined report, the verdict.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bin/full_coverage.sh [-h] [-f MIN]

Run all tests with coverage on, combine their data with any data of pipeline servers, and print the combined report with
missing lines. Also write the HTML report.

  -f MIN   fail if the total coverage is less than MIN percent; the default is fail_under in the configuration
  -h       show this help

Set PYTHON to choose the Python; the default is .venv/bin/python, else python3.
The exit code is pytest's: 1 if a test or the verdict failed.

example: bin/full_coverage.sh -f 75
TEXT
}

fail() { # message
    printf 'bin/full_coverage.sh: %s; see bin/full_coverage.sh -h\n' "$1" >&2
    exit 2
}

words=()
while (($#)); do
    case "$1" in
        -h | --help) usage; exit ;;
        -f) (($# > 1)) || fail "-f needs a percentage"; words+=("--cov-fail-under=$2"); shift 2 ;;
        -*) fail "unknown option $1" ;;
        *) fail "unexpected word $1 (tests/coverage.sh passes words on to pytest)" ;;
    esac
done

unset CDPATH
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-$PWD/.venv/bin/python}"
[[ -n "${PYTHON:-}" || -x "$python" ]] || python=python3
python="$(command -v -- "$python")" || fail "there is no Python at ${PYTHON:-python3}"
# Scripts and servers that the tests start must find the same Python: it has the recorder.
PATH="$(cd -- "$(dirname -- "$python")" && pwd):$PATH"
command -v vmpilot-cov > /dev/null || fail "vmpilot-cov is missing; try: $python -m pip install pytest-vmpilot-cov"

exec "$python" -m pytest --vmpilot-cov --cov-report=term-missing --cov-report=html ${words[@]+"${words[@]}"}
