#!/bin/sh
# install.sh [--prefix DIR]: installs Jauge from this archive, without asking anything of the network. Run it from a newer archive to upgrade.
#
# Without --prefix, as root: the program in /opt/jauge, the account jauge, /etc/jauge, the command /usr/local/bin/jauge, and the unit of
# systemd, which is not started. Nothing that is in /etc/jauge is touched. With --prefix DIR: the program in DIR, and nothing else.
# JAUGE_PYTHON names a Python. Exit codes: 0 installed; 2 wrong arguments; 3 something is missing, and the text says what.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 3
}

prefix=
case ${1:-} in
    "") [ "$(id -u)" = 0 ] || fail "run me as root, or with --prefix DIR" ;;
    --prefix)
        [ -n "${2:-}" ] || { echo "usage: install.sh [--prefix DIR]" >&2; exit 2; }
        mkdir -p "$2"
        prefix=$(cd "$2" && pwd)
        ;;
    *) echo "usage: install.sh [--prefix DIR]" >&2; exit 2 ;;
esac
home=${prefix:-/opt/jauge}

(cd "$here" && sha256sum --quiet -c SHA256SUMS) || fail "this archive is damaged: take it again"

python=
for candidate in ${JAUGE_PYTHON:-} python3 python3.13 python3.12 python3.11; do
    version=$("$candidate" -c 'import sys, venv; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    for known in @PYTHONS@; do
        [ "$version" != "$known" ] || { python=$candidate; break 2; }
    done
done
[ -n "$python" ] || fail "needs one of Python @PYTHONS@ (Debian 12: apt-get install python3), or its name in JAUGE_PYTHON"

# Each release has a folder of its own, and .venv leads to the one in use: a running engine keeps the files it began with.
release=$home/releases/$(sha256sum "$here/SHA256SUMS" | cut -c 1-12)
if [ -e "$home/.venv" ] && [ ! -L "$home/.venv" ]; then
    fail "$home/.venv is there already and is not mine (a checkout?): move it away"
fi
if ! [ -x "$release/venv/bin/jauge" ] || ! "$release/venv/bin/jauge" --version >/dev/null 2>&1; then
    rm -rf "$release"
    mkdir -p "$release"
    trap 'rm -rf "$release"' EXIT
    "$python" -m venv --without-pip "$release/venv"
    # pip runs out of its own wheel. What the environment or a file says about indexes is not asked.
    PIP_CONFIG_FILE=/dev/null env -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS -u PIP_REQUIRE_VIRTUALENV \
        "$release/venv/bin/python" "$(echo "$here"/wheels/pip-*.whl)/pip" install --quiet --disable-pip-version-check --no-input \
        --no-index --find-links "$here/wheels" --require-hashes --no-deps --requirement "$here/requirements.txt"
    for thing in config docs LICENSE README.md CHANGELOG.md CONTRIBUTING.md requirements.lock requirements.txt; do
        cp -R "$here/$thing" "$release/"
    done
    "$release/venv/bin/jauge" --version
    trap - EXIT
fi
before=$(readlink "$home/.venv" 2>/dev/null || true)
ln -sfn "$release/venv" "$home/.venv.new" && mv -T "$home/.venv.new" "$home/.venv"
for thing in config docs; do
    ln -sfn "$release/$thing" "$home/$thing"
done
# The release of before stays, to go back to: ln -sfn; the others go.
for old in "$home"/releases/*; do
    [ "$before" != "$release/venv" ] || break  # the same again: the one before is still the one before
    [ "$old" = "$release" ] || [ "$old/venv" = "$before" ] || rm -rf "$old"
done

[ -z "$prefix" ] || { echo "installed: $home/.venv/bin/jauge"; exit 0; }

getent passwd jauge >/dev/null ||
    useradd --system --user-group --home-dir /var/lib/jauge --no-create-home --shell /usr/sbin/nologin jauge
install -d -m 0755 /etc/jauge
install -d -m 0700 -o jauge -g jauge /var/lib/jauge
ln -sfn /opt/jauge/.venv/bin/jauge /usr/local/bin/jauge
if [ -d /etc/systemd/system ]; then
    install -m 0644 "$release/config/systemd/jauge.service" /etc/systemd/system/jauge.service
    systemctl daemon-reload 2>/dev/null || true
fi
echo "installed: /usr/local/bin/jauge"
if [ -e /etc/jauge/jauge.yaml ]; then
    echo "next: jauge check-config --config /etc/jauge/jauge.yaml && systemctl restart jauge"
else
    echo "next: jauge init /etc/jauge"
fi
