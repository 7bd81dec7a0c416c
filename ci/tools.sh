#!/usr/bin/env bash
# Installs the programs of others that are clients in the tests of the examples: curl, wrk, and redis-cli with
# redis-benchmark, by apt-get, where they are missing. Where all are there it does nothing. Where they cannot be
# installed it says so, and fails if CI is set: the tests that need them fail then, and are left out else.
# Seen red, with CI set: with a package that does not exist.
set -euo pipefail

missing=()
need() {
    command -v "$1" >/dev/null || missing+=("$2")
}
need curl curl
need wrk wrk
need redis-cli redis-tools

install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ ${#missing[@]} -eq 0 ]; then
    echo "tools: all are there"
elif install "${missing[@]}"; then
    echo "tools: installed ${missing[*]}"
else
    echo "tools: NOT INSTALLED: ${missing[*]}" >&2
    [ -z "${CI:-}" ]
fi
