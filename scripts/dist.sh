#!/usr/bin/env bash
# Build both distributions twice, require the same bytes, and check them: scripts/dist.sh [DIRECTORY]
#
#   PYTHON=/path/to/python  an interpreter with the development dependencies; .venv's by default.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath -m "${1:-dist}")
python=$(realpath -s "${PYTHON:-.venv/bin/python}")
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT

build() { # DIRECTORY
    "$python" -m hatchling build -d "$1"
    (cd distributions/tf-modelaudit && "$python" -m hatchling build -d "$1")
}

rm -rf "$out"
build "$out"
(umask 077 && build "$again") # as another user might
diff -r "$out" "$again" || {
    echo "dist: two builds of the same files differ" >&2
    exit 1
}
"$python" -m twine check --strict "$out"/*
"$python" -m check_wheel_contents "$out"/tf_modelaudit_core-*.whl
# W007, W008: a wheel without files. That is what this one is.
"$python" -m check_wheel_contents --ignore W007,W008 "$out"/tf_modelaudit-*.whl
