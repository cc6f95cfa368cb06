#!/usr/bin/env bash
# What the command line remembers: history, search, usage and export.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python="${PYTHON:-python3}"
ASSISTANT_HOME="$(mktemp -d)"
export ASSISTANT_HOME
trap 'rm -rf "$ASSISTANT_HOME"' EXIT

assistant() { "$python" -m assistant --user ann "$@"; }
expect() { # what, expected, actual
    if [[ "$2" != "$3" ]]; then
        printf 'history.sh: %s: expected\n%s\nbut got\n%s\n' "$1" "$2" "$3" >&2
        exit 1
    fi
}

expect "usage before the first question" "ann has used nothing" "$(assistant usage)"

assistant chat --conversation sums "calculate 1 + 1" > /dev/null
assistant chat --conversation talk "hello" > /dev/null

expect "the list" "talk	2	hello
sums	2	calculate 1 + 1" "$(assistant history)"
expect "one conversation" "user: calculate 1 + 1
assistant: The result is 2." "$(assistant history sums)"
expect "a search" "sums: The result is 2." "$(assistant history --search result)"
expect "an export" "# calculate 1 + 1

**user**: calculate 1 + 1

**assistant**: The result is 2." "$(assistant export sums --format markdown)"

usage="$(assistant usage)"
if [[ ! "$usage" =~ ^"scripted-1: 3 calls, "[0-9]+" + "[0-9]+" tokens, 0."[0-9]+" cents"$ ]]; then
    printf 'history.sh: unexpected usage: %s\n' "$usage" >&2
    exit 1
fi
