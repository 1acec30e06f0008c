#!/usr/bin/env bash
# Audit the sample models, repair one, and print where the reports are.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

out=demo-report
rm -rf "$out" # do not mistake reports of an earlier run for new ones
.venv/bin/modelaudit audit sample_models --probe-data sample_models/digits_probe.npz --out "$out"
code=$?

# Some of the samples are faulty on purpose, so exit code 1 (findings) is expected. Any other code
# is an error of the demo, and so is a model that was not fully audited.
case $code in
0 | 1) ;;
*)
    echo "demo: the audit ended with exit code $code" >&2
    exit "$code"
    ;;
esac

incomplete() {
    echo "demo: $*" >&2
    exit 3
}

[ -s "$out/index.html" ] || incomplete "no $out/index.html"
models=0
for directory in "$out"/models/*/; do
    for file in audit.json report.html report.pdf; do
        [ -s "$directory$file" ] || incomplete "no $directory$file"
    done
    verdict=$(.venv/bin/python -c 'import json, sys; print(json.load(sys.stdin)["verdict"])' \
        <"${directory}audit.json") || incomplete "no verdict in ${directory}audit.json"
    [ "$verdict" != incomplete ] || incomplete "the audit of $directory is incomplete"
    models=$((models + 1))
done

echo
echo "A model that Keras 3 refuses, as a file that it loads:"
.venv/bin/modelaudit repair sample_models/teachable_digits --for tf==2.21 \
    --out "$out/teachable_digits.h5" || incomplete "teachable_digits was not repaired"

echo
echo "$models models audited. Open in a browser:  $out/index.html"
echo "One PDF for each model:"
printf '  %s\n' "$out"/models/*/report.pdf
