#!/usr/bin/env bash
# Install modelaudit with its locked dependencies: contrib/container/install.sh light|full DIRECTORY
#
#   PYTHON=/path/to/python  the interpreter, which needs pip and venv; python3 by default.
#
# The Dockerfile runs this, and scripts/image.sh, where there is no Docker.
set -euo pipefail
cd "$(dirname "$0")/../.."

level=$1
place=$2
python=${PYTHON:-python3}
case $level in
light) lock=requirements/light.txt ;;
full) lock=requirements/runtime.txt ;;
*) echo "install: light or full, not $level" >&2 && exit 2 ;;
esac

"$python" -m venv --without-pip "$place"
pip=("$python" -m pip --python "$place/bin/python" install --quiet --disable-pip-version-check)
"${pip[@]}" --require-hashes --requirement "$lock"
"${pip[@]}" --no-deps .
"$place/bin/modelaudit" --version
