#!/usr/bin/env bash
# Create .venv: scripts/setup.sh [light|runtime|dev|samples|fuzz|mutants]. Does nothing if it is up to date.
#
#   PYTHON=/path/to/python  the interpreter to use (3.11 to 3.13); found automatically by default.
set -euo pipefail
cd "$(dirname "$0")/.."

level=${1:-runtime}
lock=requirements/$level.txt
venv=.venv
[ -f "$lock" ] || { echo "setup: no such level: $level (light, runtime, dev, samples, fuzz or mutants)" >&2; exit 2; }

say() { echo "setup: $*" >&2; }

supported() { # INTERPRETER
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local name
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" && echo "$PYTHON" && return
        say "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13"
        return 1
    fi
    # An existing environment keeps its interpreter.
    for name in "$venv/bin/python" python3 python3.13 python3.12 python3.11 /usr/bin/python3 /usr/local/bin/python3; do
        supported "$name" && echo "$name" && return
    done
    say "modelaudit needs Python 3.11, 3.12 or 3.13; none was found on the PATH"
    say "(python3 is $(python3 --version 2>/dev/null || echo missing))."
    say "Install one, then run: PYTHON=/path/to/python make setup"
    return 1
}

# The missing Debian packages, detected by the library or command that each provides, not by dpkg.
missing_packages() {
    local library
    [ "$level" = light ] || for library in libpango-1.0.so.0:libpango-1.0-0 libpangoft2-1.0.so.0:libpangoft2-1.0-0 \
        libharfbuzz-subset.so.0:libharfbuzz-subset0; do
        "$python" -c "import ctypes; ctypes.CDLL('${library%%:*}')" 2>/dev/null || echo "${library##*:}"
    done
    # uv creates environments without Python's venv module.
    [ -x "$venv/bin/python" ] || have_uv || "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        echo python3-venv
    if [ "$level" = dev ]; then
        command -v pdftoppm >/dev/null || echo poppler-utils
        command -v groff >/dev/null || echo groff-base
        command -v bwrap >/dev/null || [ "$(uname)" != Linux ] || echo bubblewrap
        # The numbers of system calls in the sandbox's filter are compared with these headers.
        [ -e /usr/include/asm-generic/unistd.h ] || [ "$(uname)" != Linux ] || echo linux-libc-dev
        command -v chromium >/dev/null || command -v google-chrome >/dev/null || echo chromium
    fi
}

system_packages() {
    local package packages
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -gt 0 ] || return 0
    # The light level runs inside commits, where nobody expects the system to change.
    if [ "$level" != light ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing ${packages[*]}"
        apt-get update -qq >&2
        for package in "${packages[@]}"; do # one by one: a distribution may not have all of them
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
                "$package" >&2 || say "apt-get could not install $package; continuing without it"
        done
    else
        say "missing from the system: ${packages[*]}"
        [ "$level" = light ] || say "PDF reports need Pango and HarfBuzz; the tests need the others."
        say "Install them with:"
        say "    sudo apt-get install ${packages[*]}        (macOS: brew install pango poppler)"
    fi
}

have_uv() { uv --version >/dev/null 2>&1; }

make_venv() {
    if [ -x "$venv/bin/python" ] && supported "$venv/bin/python" &&
        [ "$(version "$venv/bin/python")" = "$(version "$python")" ]; then
        return
    fi
    rm -rf "$venv"
    say "creating $venv with $("$python" --version)"
    if have_uv; then
        uv venv --quiet --seed --python "$python" "$venv"
    else
        "$python" -m venv "$venv"
    fi
}

version() { "$1" -c 'import sys; print(sys.version_info[:2])'; }

install() {
    local pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
    if have_uv; then
        pip=(uv pip install --quiet --python "$venv/bin/python")
    fi
    say "installing $lock"
    "${pip[@]}" --require-hashes -r "$lock"
    if [ "$level" = light ]; then # no development dependencies, so no build backend either
        "${pip[@]}" --no-deps --editable .
        return
    fi
    "${pip[@]}" --no-deps --no-build-isolation --editable .
}

# What the installation depends on; if any of it changes, install again.
key() { # LEVEL
    cat "requirements/$1.txt" pyproject.toml scripts/setup.sh | cksum
    version "$python"
    pwd
}

python=$(find_python)
if [ -x "$venv/bin/modelaudit" ] && [ "$(cat "$venv/.setup-$level" 2>/dev/null)" = "$(key "$level")" ]; then
    exit 0
fi
system_packages
make_venv
install
key "$level" >"$venv/.setup-$level"
# Other levels include the runtime.
[ "$level" = runtime ] || [ "$level" = light ] || key runtime >"$venv/.setup-runtime"
say "ready: $venv/bin/modelaudit"
