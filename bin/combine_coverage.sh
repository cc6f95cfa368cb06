#!/usr/bin/env bash
# Combine existing data without running tests: vmpilot-cov combine in the project's root.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bin/combine_coverage.sh [-h] [-f MIN]

Ask live servers for their data, combine it with that of the last session and of ended servers, and judge the total.

  -f MIN   fail if the total coverage is less than MIN percent; the default is fail_under in the configuration
  -h       show this help

Set PYTHON to choose the Python; the default is .venv/bin/python, else python3.
The exit code is 1 if the verdict failed or there was nothing to combine.

example: bin/combine_coverage.sh -f 75
TEXT
}

fail() { # message
    printf 'bin/combine_coverage.sh: %s; see bin/combine_coverage.sh -h\n' "$1" >&2
    exit 2
}

words=()
while (($#)); do
    case "$1" in
        -h | --help) usage; exit ;;
        -f) (($# > 1)) || fail "-f needs a percentage"; words+=(-f "$2"); shift 2 ;;
        -*) fail "unknown option $1" ;;
        *) fail "unexpected word $1 (vmpilot-cov combine takes paths)" ;;
    esac
done

unset CDPATH
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
python="${PYTHON:-$PWD/.venv/bin/python}"
[[ -n "${PYTHON:-}" || -x "$python" ]] || python=python3
python="$(command -v -- "$python")" || fail "there is no Python at ${PYTHON:-python3}"
PATH="$(cd -- "$(dirname -- "$python")" && pwd):$PATH"
command -v vmpilot-cov > /dev/null || fail "vmpilot-cov is missing; try: $python -m pip install pytest-vmpilot-cov"

exec vmpilot-cov combine ${words[@]+"${words[@]}"}
