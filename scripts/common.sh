# What the scripts share. Read by them with ".", from the root of the checkout; POSIX sh.

say() { printf '%s\n' "$*" >&2; }

# find_python: prints a Python of 3.11 or newer; says what to install when there is none.
find_python() {
    for candidate in ${JAUGE_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    say "jauge: needs Python 3.11 or newer, and found $(python3 --version 2>&1 || true)."
    say "       Install one (Debian 12 or newer: apt-get install python3), or name it: JAUGE_PYTHON=/path/to/python3.12 $0"
    return 1
}

# as_root COMMAND...: runs it as root, or fails when this user may not become root without a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# apt_install PACKAGE...: installs Debian packages without a word unless it fails, as it does where this user may not.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    as_root true || return 1
    say "jauge: installing $* with apt-get"
    if ! output=$(
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq 2>&1 &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" 2>&1
    ); then
        say "$output"
        return 1
    fi
}

# venv_package PYTHON: the Debian package that brings venv and ensurepip to it.
venv_package() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    case $("$1" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
        /usr/bin/*) printf 'python%s-venv\n' "$version" ;;
        *) return 1 ;;
    esac
}

# make_venv PYTHON FOLDER: an empty virtual environment with pip, installing what Debian leaves out. Exits 3 when it cannot.
make_venv() {
    rm -rf "$2"
    if "$1" -m venv "$2" >/dev/null 2>&1 && "$2/bin/python" -m pip --version >/dev/null 2>&1; then
        return 0
    fi
    rm -rf "$2"
    if package=$(venv_package "$1"); then
        if apt_install "$package" && "$1" -m venv "$2" >&2 && "$2/bin/python" -m pip --version >/dev/null 2>&1; then
            return 0
        fi
        rm -rf "$2"
        say "jauge: $1 cannot make a virtual environment here, and what is missing could not be installed."
        say "       As root: apt-get update && apt-get install -y $package"
        say "       then run $0 again."
    else
        say "jauge: $1 cannot make a virtual environment: its modules venv and ensurepip are missing or broken."
        say "       Install them for this Python, or name another one: JAUGE_PYTHON=/path/to/python3 $0"
    fi
    exit 3
}

# fingerprint FILE...: one line that changes with the Python, the place of the checkout or the content of the files.
fingerprint() {
    "$python" - "$@" <<'PYTHON'
import hashlib, pathlib, sys

digest = hashlib.sha256(f"{sys.version_info[:2]} {pathlib.Path.cwd()}".encode())
for name in sys.argv[1:]:
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PYTHON
}

# alone: waits until no other setup of this checkout runs (where flock exists).
alone() {
    exec 9>.setup.lock
    if command -v flock >/dev/null 2>&1; then
        flock 9
    fi
}

# fresh FOLDER LOCK: whether FOLDER already holds what LOCK and pyproject.toml say.
fresh() {
    stamp=$1/.jauge-$(basename "$2" .lock)
    [ -x "$1/bin/jauge" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint "$2" pyproject.toml)" ]
}

# environment FOLDER LOCK: makes FOLDER hold what LOCK says, and Jauge itself from this checkout. Fast when it does.
environment() {
    fresh "$1" "$2" && return 0
    alone
    if ! same_python "$1"; then
        make_venv "$python" "$1"
    fi
    rm -f "$1"/.jauge-*
    say "jauge: installing $2 into $1 (once; a minute or so)"
    # Modules are compiled when first imported: most of what is installed never is.
    PIP_USER=0 "$1/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-compile \
        --require-hashes --only-binary :all: --no-deps --requirement "$2" >&2
    PIP_USER=0 "$1/bin/python" -m pip install -qq --disable-pip-version-check --no-input --no-deps \
        --no-build-isolation --editable . >&2
    # What a running engine imports is compiled now: the account of the service may not write here.
    env -u PYTHONDONTWRITEBYTECODE "$1/bin/python" -c \
        'from engine import service; from engine.listeners import listener; listener.declarations()'
    fingerprint "$2" pyproject.toml >"$1/.jauge-$(basename "$2" .lock)"
}

# same_python FOLDER: whether its environment works, and was made by the Python in use and in this place.
same_python() {
    [ -x "$1/bin/python" ] && "$1/bin/python" -m pip --version >/dev/null 2>&1 &&
        [ "$("$1/bin/python" -c 'import sys; print(sys.version_info[:2], sys.prefix)')" = \
            "$("$python" -c 'import sys; print(sys.version_info[:2], sys.argv[1])' "$(pwd -P)/$1")" ]
}
