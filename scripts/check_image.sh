#!/usr/bin/env bash
# Run what the Dockerfile runs, without Docker: scripts/check_image.sh [light|full]
#
# What .dockerignore lets into the image is copied, and installed from there; then a user without
# privileges judges a model, with a read-only installation.
#
#   PYTHON=/path/to/python  the interpreter, which needs pip and which every user can read.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-light}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-$(command -v /usr/local/bin/python3 /usr/bin/python3 python3 | head -1)}

mkdir "$work/src"
sed -n 's/^!//p' .dockerignore | tar --create --exclude __pycache__ --files-from - |
    tar --extract --directory "$work/src"
PYTHON=$python "$work/src/contrib/container/install.sh" "$level" "$work/modelaudit"
cp sample_models/digits_one_unit.keras "$work"
chmod -R go=u,a-w "$work/modelaudit"
chmod a+rx "$work"

user=()
[ "$(id -u)" != 0 ] || user=(setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs)
code=0
mkdir -m 1777 "$work/tmp"
said=$("${user[@]}" env -i PATH=/usr/bin:/bin HOME="$work/tmp" TMPDIR="$work/tmp" \
    PYTHONDONTWRITEBYTECODE=1 "$work/modelaudit/bin/modelaudit" scan "$work/digits_one_unit.keras") ||
    code=$?
echo "$said"
if [ "$code" != 1 ] || ! grep -q "softmax over a single value" <<<"$said"; then
    echo "check_image: not the right verdict (exit code $code)" >&2
    exit 1
fi
du -sm "$work/modelaudit" | sed 's/\t.*/ MiB installed/'
