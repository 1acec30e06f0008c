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
    (cd "$core" && "$python" -m hatchling build -d "$1")
}

# The core is the same files with another pyproject.toml.
core=$again/core
mkdir "$core"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t "$core"
cp distributions/tf-modelaudit-core/pyproject.toml "$core"

rm -rf "$out"
build "$out"
(umask 077 && build "$again/dist") # as another user might
diff -r "$out" "$again/dist" || {
    echo "dist: two builds of the same files differ" >&2
    exit 1
}
"$python" -m twine check --strict "$out"/*
"$python" -m check_wheel_contents "$out"/*.whl
