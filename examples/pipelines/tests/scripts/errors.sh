#!/usr/bin/env bash
# Mistakes at the command line: one line on the standard error, and an exit status of 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python="${PYTHON:-python3}"
ASSISTANT_HOME="$(mktemp -d)"
export ASSISTANT_HOME
trap 'rm -rf "$ASSISTANT_HOME"' EXIT

refused() { # expected message, arguments...
    local expected="error: $1" actual status=0
    shift
    actual="$("$python" -m assistant "$@" 2>&1 > /dev/null)" || status=$?
    if [[ "$status" != 1 || "$actual" != "$expected" ]]; then
        printf 'errors.sh: %s: expected status 1 and\n%s\nbut got status %s and\n%s\n' \
            "$*" "$expected" "$status" "$actual" >&2
        exit 1
    fi
}

refused "me has no conversation 'gone'" export gone
refused "there is no question to answer" chat " "
ASSISTANT_MAX_STEPS=99 refused "max_steps=99 (from ASSISTANT_MAX_STEPS) is out of range; use 1 to 20" tools

if [[ "$("$python" -m assistant tools | wc -l)" -ne 7 ]]; then
    printf 'errors.sh: expected a list of 7 tools\n' >&2
    exit 1
fi
