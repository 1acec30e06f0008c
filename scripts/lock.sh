#!/usr/bin/env bash
# Pin every dependency, of every platform and Python that the project supports, with its hashes.
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
# What is in both has one version: what the tests run with is what users get.
compile requirements/dev.txt --group dev --constraint requirements/runtime.txt
compile requirements/samples.txt --group samples --constraint requirements/runtime.txt
compile requirements/fuzz.txt --group fuzz --constraint requirements/runtime.txt
