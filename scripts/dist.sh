#!/usr/bin/env bash
# Build both distributions twice, require the same bytes, and check them: scripts/dist.sh [DIRECTORY]
#
#   PYTHON=/path/to/python  an interpreter with the development dependencies; .venv's by default.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath -m "${1:-dist}")
python=$(realpath -s "${PYTHON:-.venv/bin/python}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

build() { # DIRECTORY
    "$python" -m hatchling build -d "$1"
    (cd "$core" && "$python" -m hatchling build -d "$1")
}

# The core is the same files with another pyproject.toml.
core=$work/core
mkdir "$core"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t "$core"
cp distributions/tf-modelaudit-core/pyproject.toml "$core"

build "$work/dist"
(umask 077 && build "$work/again") # as another user might
diff -r "$work/dist" "$work/again" || {
    echo "dist: two builds of the same files differ" >&2
    exit 1
}
"$python" -m twine check --strict "$work/dist"/*
"$python" -m check_wheel_contents "$work/dist"/*.whl
mkdir -p "$out"
rm -f "$out"/tf_modelaudit*.whl "$out"/tf_modelaudit*.tar.gz # of earlier versions; nothing else is ours
cp "$work/dist"/* "$out"
