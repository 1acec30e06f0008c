#!/usr/bin/env bash
# Audit the sample models and say where the reports are.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

out=demo-report
.venv/bin/modelaudit audit sample_models --probe-data sample_models/digits_probe.npz --out "$out"
code=$?

# Some of the samples are broken on purpose, so findings (1) are what a working audit ends with.
# Anything else, or a model without its three files, is a failure of the demo.
case $code in
0 | 1) ;;
*)
    echo "demo: the audit ended with exit code $code" >&2
    exit "$code"
    ;;
esac
models=0
for directory in "$out"/models/*/; do
    for file in audit.json report.html report.pdf; do
        [ -s "$directory$file" ] || { echo "demo: no $directory$file" >&2; exit 3; }
    done
    models=$((models + 1))
done
[ "$models" -gt 0 ] && [ -s "$out/index.html" ] || { echo "demo: no reports in $out" >&2; exit 3; }

echo
echo "$models models audited (exit code $code: $([ $code = 1 ] && echo findings || echo clean))."
echo "Index of the registry:  $out/index.html"
echo "One PDF for each model: $out/models/*/report.pdf"
