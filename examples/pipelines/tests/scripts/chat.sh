#!/usr/bin/env bash
# Chat by the command line: questions as arguments and as lines of the standard input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python="${PYTHON:-python3}"
ASSISTANT_HOME="$(mktemp -d)"
export ASSISTANT_HOME
trap 'rm -rf "$ASSISTANT_HOME"' EXIT

expect() { # what, expected, actual
    if [[ "$2" != "$3" ]]; then
        printf 'chat.sh: %s: expected\n%s\nbut got\n%s\n' "$1" "$2" "$3" >&2
        exit 1
    fi
}

expect "an answer" "The result is 42." "$("$python" -m assistant chat "calculate 6 * 7")"

expect "answers line by line" "Note 1 is saved
Note 2 is saved
Note 1 is done
1. [x] milk
2. [ ] bread" "$("$python" -m assistant chat <<'LINES'
remember: milk
remember: bread
done 1
my notes
LINES
)"

mkdir "$ASSISTANT_HOME/files"
echo "from a file" > "$ASSISTANT_HOME/files/hello.txt"
expect "a file" "from a file" "$("$python" -m assistant chat "read hello.txt")"

expect "a text in numbers" \
    "3 words, 1 sentences, 11 characters; the longest word is one, the most common one one" \
    "$("$python" -m assistant chat "describe: one two one")"
