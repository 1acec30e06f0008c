#!/usr/bin/env bash
# Start TensorFlow Serving only if every model that its configuration names passes: start.sh CONFIG [ARGUMENT…]
#
# The version that would be served is scanned, without running it: damaged, incomplete or replaced
# files, weights that are not those of the golden record, and code are reasons not to start. Other
# versions are not served, and a directory without a model ends the start as well.
set -euo pipefail

config=${1:?usage: start.sh CONFIG [ARGUMENT…]}
shift
# The words, texts, comments and signs of protobuf's text format, one a line, wherever they stand.
token='#.*|"([^"\\]|\\.)*"|'"'([^'\\\\]|\\\\.)*'"'|[[:alnum:]_]+|[^[:space:]]'
mapfile -t tokens < <(LC_ALL=C grep -aoE "$token" "$config" | grep -av '^#')
plain='^"[^"\]+"$|'"^'[^'\\]+'$" # a text in quotes, without escapes
models=()
for i in "${!tokens[@]}"; do
    [ "${tokens[i]}" = base_path ] || continue
    value=${tokens[i + 2]:-}
    # A text that goes on in another one is one path as well.
    [[ ${tokens[i + 1]:-} == : && $value =~ $plain && ! ${tokens[i + 3]:-} =~ ^[\"\'] ]] || {
        echo "$config: a base_path is not one text in quotes, without escapes" >&2
        exit 2
    }
    models+=("${value:1:-1}")
done
[ ${#models[@]} -gt 0 ] || {
    echo "$config names no base_path" >&2
    exit 2
}
for model in "${models[@]}"; do # one by one: together, a directory without a model would not be noticed
    modelaudit scan -- "$model" || {
        code=$?
        echo "$model must not be served (exit code $code)" >&2
        exit "$code"
    }
done
exec tensorflow_model_server --model_config_file="$config" "$@"
