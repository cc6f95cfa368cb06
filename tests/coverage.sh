#!/usr/bin/env bash
# The tests with coverage: pytest --vmpilot-cov in the project's root.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tests/coverage.sh [-h] [-f MIN] [--] [WORDS...]

Run pytest --vmpilot-cov in the project's root. WORDS go to pytest. If the first one begins with -, put -- in front.

  -f MIN   fail if the total coverage is less than MIN percent; the default is fail_under in the configuration
  -h       show this help

Set PYTHON to choose the Python; the default is .venv/bin/python, else python3.
The exit code is pytest's: 1 if a test or the verdict failed.

example: tests/coverage.sh -f 75 -- -k chat --cov-report=term-missing
TEXT
}

fail() { # message
    printf 'tests/coverage.sh: %s; see tests/coverage.sh -h\n' "$1" >&2
    exit 2
}

words=()
while (($#)); do
    case "$1" in
        -h | --help) usage; exit ;;
        -f) (($# > 1)) || fail "-f needs a percentage"; words+=("--cov-fail-under=$2"); shift 2 ;;
        --) shift; break ;;
        -*) fail "unknown option $1 (an option of pytest comes after --)" ;;
        *) break ;;
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

exec "$python" -m pytest --vmpilot-cov ${words[@]+"${words[@]}"} "$@"
