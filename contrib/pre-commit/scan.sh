#!/usr/bin/env bash
# The hook of pre-commit: `modelaudit scan` with the light environment, made on the first run in
# pre-commit's own clone of this repository. (Language `python` would install TensorFlow.)
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)

# Two repositories share the clone, so that their first commits may come here at once.
exec 9<"$here"
! command -v flock >/dev/null || flock 9
"$here/scripts/setup.sh" light
exec 9<&-
exec "$here/.venv/bin/modelaudit" scan "$@"
