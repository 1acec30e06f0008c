#!/usr/bin/env bash
# The hook of pre-commit: `modelaudit scan` with the light environment, made on the first run in
# pre-commit's own clone of this repository. (Language `python` would install TensorFlow.)
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)

"$here/scripts/setup.sh" light
exec "$here/.venv/bin/modelaudit" scan "$@"
