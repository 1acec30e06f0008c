#!/usr/bin/env bash
# Do what the Dockerfile does, without Docker; root only. scripts/routes.py measures it.
#
#   scripts/image.sh base DIRECTORY               a bare Debian with Python, by debootstrap
#   scripts/image.sh build DIRECTORY light|full   what .dockerignore lets in, installed into it
#   scripts/image.sh run DIRECTORY COMMAND...     without privileges, network and write access, the
#                                                 working directory as /models
#
#   MIRROR=http://...   where Debian's packages are.
set -euo pipefail
models=$PWD
cd "$(dirname "$0")/.."

step=$1
image=$(realpath -m "$2")
shift 2
# Variables of this machine mean nothing in there, but for those by which pip finds its index.
outside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/tmp "$@"; }
index=()
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || index+=("$name=${!name}")
done

case $step in
base)
    suite=$(sed -n 's/^ARG PYTHON=.*-//p' Dockerfile)
    outside debootstrap --variant=minbase --include=ca-certificates,python3-venv \
        "$suite" "$image" "${MIRROR:-http://deb.debian.org/debian}" >"$image.log" ||
        { tail "$image.log" "$image/debootstrap/debootstrap.log" >&2 && exit 1; }
    umount "$image/proc" "$image/sys" 2>/dev/null || true # which debootstrap leaves mounted
    cp /etc/resolv.conf "$image/etc"
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs"
    ;;
build)
    level=$1
    mkdir "$image/src" "$image/models"
    sed -n 's/^!//p' .dockerignore | tar --create --exclude __pycache__ --files-from - |
        tar --extract --no-same-owner --directory "$image/src"
    inside=(outside "${index[@]}" chroot "$image")
    "${inside[@]}" python3 -m venv /tmp/tools # the Dockerfile's base has pip
    "${inside[@]}" env PYTHON=/tmp/tools/bin/python /src/contrib/container/install.sh "$level" /opt/modelaudit
    if [ "$level" = full ]; then # the line of the Dockerfile
        "${inside[@]}" sh -c "$(sed -n '/^RUN apt-get/,/lists/ { s/^RUN //; p }' Dockerfile)" >/dev/null
    fi
    rm -r "$image/src" "$image/tmp/tools"
    ;;
run)
    exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs \
        bwrap --ro-bind "$image" / --tmpfs /tmp --proc /proc --dev /dev --unshare-all --die-with-parent \
        --clearenv --setenv HOME /tmp --setenv LANG C.UTF-8 \
        --setenv PATH /opt/modelaudit/bin:/usr/bin:/bin --setenv PYTHONDONTWRITEBYTECODE 1 \
        --ro-bind "$models" /models --chdir /models "$@"
    ;;
*)
    echo "image: base, build or run, not $step" >&2
    exit 2
    ;;
esac
