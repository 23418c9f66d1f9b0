#!/bin/sh
# Make the development environment: setup.sh run|test
#   run   what the demo needs        test   that and the test tools
# Writes only into the repository (.venv, .collections, .cache) and pip's own cache. Cached: with nothing to do it ends at once.
set -eu

stage=${1:?usage: setup.sh run|test}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${VENV:-$root/.venv}
collections=$root/.collections
log=$venv/setup.log

# ---- is there anything to do?
fingerprint() { # what the installed environment depends on
    cat "$here/setup.sh" "$here/$1.lock" "$here/legacy.lock" "$here/ansible.txt" "$here/node/package-lock.json" | cksum
}
current() { [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.stamp-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]; }
peers() { # what only the tests use, outside the virtual environment
    [ "$stage" = run ] || { [ -d "$root/.cache/node/node_modules" ] && [ -x "$root/.venv-legacy/bin/python" ]; }
}
wanted_python() { # "" when any will do
    [ -z "${PYTHON:-}" ] || "$here/find-python"
}
if current "$stage" && peers && [ -d "$collections/ansible_collections/kubernetes/core/plugins" ]; then
    [ -n "${PYTHON:-}" ] || exit 0
    [ "$(cat "$venv/.python" 2>/dev/null)" != "$(wanted_python)" ] || exit 0
fi

started=$(date +%s)
say() { printf '[setup %3ds] %s\n' $(($(date +%s) - started)) "$*"; }
fail() { printf '\nSet-up stopped: %s\n' "$*" >&2; exit 1; }

# ---- virtual environment
if [ -n "${PYTHON:-}" ] || [ ! -x "$venv/bin/python" ]; then
    python=$("$here/find-python") || exit 1
    if [ "$(cat "$venv/.python" 2>/dev/null)" != "$python" ]; then
        say "virtual environment in $(basename "$venv") from $("$python" --version) ($python)"
        rm -rf "$venv"
        "$python" -m venv "$venv" || fail "$python -m venv failed; on Debian or Ubuntu: apt install python3-venv"
        printf '%s' "$python" >"$venv/.python"
    fi
fi

# ---- Python packages, every one pinned by version and hash
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }
total=$(grep -c '^[a-zA-Z0-9].*==' "$here/$stage.lock")
say "about $total Python packages (the first time a download of some 300 MB)"
: >"$log"
pip install --progress-bar off --require-hashes -r "$here/$stage.lock" >>"$log" 2>&1 &
pip_pid=$!
trap 'kill "$pip_pid" 2>/dev/null || true' INT TERM
shown=0
unpacking=''
while kill -0 "$pip_pid" 2>/dev/null; do # a line every 20 packages shows that it lives
    found=$(grep -c '^Collecting ' "$log" || true)
    if [ "$found" -ge $((shown + 20)) ]; then
        shown=$found
        say "  $found packages found"
    fi
    if [ -z "$unpacking" ] && grep -q '^Installing collected' "$log"; then
        unpacking=yes
        say "  unpacking them"
    fi
    sleep 0.3
done
trap - INT TERM
if ! wait "$pip_pid"; then
    tail -n 15 "$log" >&2
    if grep -qiE 'connection|resolve|timed out|no matching distribution' "$log"; then
        fail "pip could not reach a package index. Check the network or pip's configuration (pip config list), then run it again."
    elif grep -qiE "error: command .*(gcc|cc)|compiler" "$log"; then
        fail "a package had to be compiled and no C compiler worked. Debian or Ubuntu: apt install build-essential; Fedora: dnf install gcc."
    fi
    fail "pip failed; the whole log is $log"
fi

# ---- the two source trees beside the collection, importable without being installed
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
printf '%s\n' "$root/tests" "$root/broker/src" "$collections" >"$site/mcpops-development.pth"
cat >"$venv/bin/mcpops-broker" <<SCRIPT
#!$venv/bin/python
from mcpops_broker.__main__ import main
raise SystemExit(main())
SCRIPT
chmod 755 "$venv/bin/mcpops-broker"

# ---- collections: this one by a link, kubernetes.core out of the community package
mkdir -p "$collections/ansible_collections/mcpops"
ln -sfn ../../.. "$collections/ansible_collections/mcpops/gateway"
if [ ! -d "$collections/ansible_collections/kubernetes/core/plugins" ]; then
    say "collection kubernetes.core (out of a 50 MB package)"
    download=$(mktemp -d "$venv/download.XXXXXX")
    pip download --quiet --progress-bar off --no-deps --only-binary :all: --python-version 3.13 --require-hashes \
        -r "$here/ansible.txt" -d "$download" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; fail "kubernetes.core could not be downloaded; the whole log is $log"; }
    "$venv/bin/python" - "$download" "$collections" <<'PYTHON'
import pathlib, sys, zipfile

download, target = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(next(download.glob("ansible-*.whl"))) as wheel:
    wheel.extractall(target, [n for n in wheel.namelist() if n.startswith("ansible_collections/kubernetes/core/")])
PYTHON
    rm -rf "$download"
fi

# ---- peers that the tests use: MCP clients of Node.js, the conformance suite, the MCP SDK of the older revisions
if [ "$stage" = test ]; then
    node=$root/.cache/node
    if ! cmp -s "$here/node/package-lock.json" "$node/package-lock.json"; then
        say "MCP Inspector, TypeScript SDK and conformance suite (Node.js programs, used by the tests only)"
        rm -rf "$node"
        mkdir -p "$node"
        cp "$here/node/package.json" "$here/node/package-lock.json" "$node"
        PATH=$venv/bin:$PATH npm ci --prefix "$node" --no-audit --no-fund --ignore-scripts >>"$log" 2>&1 || {
            rm -rf "$node"
            tail -n 5 "$log" >&2
            fail "npm could not install the Node.js programs of the tests; the whole log is $log"
        }
    fi
    legacy=$root/.venv-legacy
    if ! cmp -s "$here/legacy.lock" "$legacy/legacy.lock" || ! "$legacy/bin/python" -c '' 2>/dev/null; then
        say "MCP SDK 1.x in a virtual environment of its own, $(basename "$legacy") (used by the tests only)"
        rm -rf "$legacy"
        "$venv/bin/python" -m venv "$legacy" || fail "$venv/bin/python -m venv failed"
        "$legacy/bin/python" -m pip --disable-pip-version-check --no-input install --progress-bar off \
            --require-hashes -r "$here/legacy.lock" >>"$log" 2>&1 || {
            rm -rf "$legacy"
            tail -n 5 "$log" >&2
            fail "pip could not install the MCP SDK 1.x of the tests; the whole log is $log"
        }
        cp "$here/legacy.lock" "$legacy/legacy.lock"
    fi
fi

[ "$stage" = run ] || fingerprint run >"$venv/.stamp-run"
fingerprint "$stage" >"$venv/.stamp-$stage"
say "ready"
