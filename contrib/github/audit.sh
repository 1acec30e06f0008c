#!/usr/bin/env bash
# The step of action.yml: audit, then show the result in the job's summary, in code scanning and in
# the pull request. All inputs are environment variables, so that none is ever part of a script.
#
#   MODELAUDIT=/path/to/modelaudit  use this instead of installing it beside the action
set -euo pipefail

if [ -z "${MODELAUDIT:-}" ]; then
    level=light # which reads and judges files
    [ -z "$PROBE_DATA" ] && [ "$RUN_MODELS" != true ] && [[ " $FORMATS " != *" pdf "* ]] || level=runtime
    "$GITHUB_ACTION_PATH/scripts/setup.sh" "$level"
    MODELAUDIT=$GITHUB_ACTION_PATH/.venv/bin/modelaudit
fi

mapfile -t paths < <(grep -v '^[[:space:]]*$' <<<"$MODELS")
options=(--out "$OUT" --fail-on "$FAIL_ON" -f "sarif=$OUT/report.sarif" -f "markdown=$OUT/report.md")
read -ra wanted <<<"$FORMATS"
for format in "${wanted[@]}"; do
    options+=(-f "$format")
done
[ -z "$BASELINE" ] || options+=(--baseline "$BASELINE")
if [ -n "$PROBE_DATA" ]; then
    options+=(--probe-data "$PROBE_DATA")
elif [ "$RUN_MODELS" != true ]; then
    options+=(--no-probe)
fi

code=0
"$MODELAUDIT" audit "${options[@]}" -- "${paths[@]}" || code=$?
{
    echo "report=$OUT"
    echo "exit-code=$code"
} >>"$GITHUB_OUTPUT"

# GitHub takes summaries of 1 MiB and comments of 65,536 characters. A pull request from a fork has a
# token that may only read: then the findings are in the summary alone, and decide the exit code.
if [ -f "$OUT/report.md" ]; then
    head -c 1000000 "$OUT/report.md" >>"$GITHUB_STEP_SUMMARY"
    if [ "$COMMENT" = true ] && [ -n "$PULL_REQUEST" ]; then
        head -c 60000 "$OUT/report.md" |
            gh pr comment "$PULL_REQUEST" --repo "$GITHUB_REPOSITORY" --body-file - ||
            echo "::warning::the pull request could not be commented on"
    fi
fi
if [ "$UPLOAD_SARIF" = true ] && [ -f "$OUT/report.sarif" ]; then
    # The request is a file: a SARIF log is longer than an argument may be.
    gzip -c "$OUT/report.sarif" | base64 -w0 >"$OUT/sarif.base64"
    gh api --method POST "repos/$GITHUB_REPOSITORY/code-scanning/sarifs" --silent \
        -f "commit_sha=$GITHUB_SHA" -f "ref=$GITHUB_REF" -F "sarif=@$OUT/sarif.base64" ||
        echo "::warning::the findings could not be sent to code scanning"
    rm "$OUT/sarif.base64"
fi
exit "$code"
