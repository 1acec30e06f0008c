#!/usr/bin/env bash
# Pin every dependency, for every supported platform and Python, with its hashes.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v uv >/dev/null || {
    echo "make lock needs uv (https://docs.astral.sh/uv/): pip install uv" >&2
    exit 1
}

compile() { # OUTPUT ARGUMENT...
    local output=$1
    shift
    uv pip compile pyproject.toml --group build "$@" --output-file "$output" --quiet \
        --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command "make lock"
}

compile requirements/runtime.txt
# A package in both files has the same version, so that tests run with what users get.
compile requirements/dev.txt --group dev --constraint requirements/runtime.txt
compile requirements/samples.txt --group samples --constraint requirements/runtime.txt
compile requirements/fuzz.txt --group fuzz --constraint requirements/runtime.txt
compile requirements/mutants.txt --group dev --group mutants --constraint requirements/dev.txt
