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
    uv pip compile "$@" --constraint requirements/limits.in --output-file "$output" --quiet \
        --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command "make lock"
}

full=(pyproject.toml --group build)
compile requirements/runtime.txt "${full[@]}"
# What `tf-modelaudit-core` needs. A package in two files has the same version.
compile requirements/light.txt distributions/tf-modelaudit-core/pyproject.toml --constraint requirements/runtime.txt
compile requirements/dev.txt "${full[@]}" --group dev --constraint requirements/runtime.txt
compile requirements/samples.txt "${full[@]}" --group samples --constraint requirements/runtime.txt
compile requirements/fuzz.txt "${full[@]}" --group fuzz --constraint requirements/runtime.txt
compile requirements/mutants.txt "${full[@]}" --group dev --group mutants --constraint requirements/dev.txt
# A server for tests, in an environment of its own (docs/adr/0025-mlflow-by-rest.md).
compile requirements/mlflow.txt requirements/mlflow.in
# Libraries and servers of stores for tests: behind the packages of dev.txt on the same path.
compile requirements/stores.txt requirements/stores.in --constraint requirements/dev.txt
