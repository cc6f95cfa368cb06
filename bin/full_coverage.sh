#!/usr/bin/env bash
# Everything in one: the tests, the data of pipeline servers where there is some, the combined report, the verdict.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bin/full_coverage.sh [-h] [-f MIN]

Run all tests with coverage on, combine their data with that of the pipeline servers where there is some, and print the
combined report with the missing lines. The HTML report is written, too.

  -f MIN   fail if the total coverage is less than MIN percent; without it the configuration's fail_under counts
  -h       show this help

PYTHON names the Python to use; without it .venv/bin/python, or else python3.
The exit code is pytest's: 1 when a test failed, and when the verdict did.

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
# Scripts and servers that the tests start should find the same Python: the one that records.
PATH="$(cd -- "$(dirname -- "$python")" && pwd):$PATH"
command -v vmpilot-cov > /dev/null || fail "vmpilot-cov is missing; try: $python -m pip install pytest-vmpilot-cov"

exec "$python" -m pytest --vmpilot-cov --cov-report=term-missing --cov-report=html ${words[@]+"${words[@]}"}
