#!/usr/bin/env bash
# Runs the loom models: the protocols that only work if no interleaving loses anything (the state
# word, the wait queue, the idle workers), tried in every interleaving. A model is a test whose path
# contains `loom`, in a module that is `#[cfg(all(test, trefoil_loom))]`.
# Fails too when a package of the list runs no model: a filter that matches nothing passes silently.
# `ci/loom.sh trefoil-sync` runs one package; LOOM_LOG and LOOM_CHECKPOINT_FILE work as in loom.
# Seen red: a package without a model, and a model of two threads that load and then store a counter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
    packages=(trefoil-runtime trefoil-sync trefoil-hybrid)
fi

# A target directory of its own: the flag changes every crate, and would rebuild the others' twice.
target="${CARGO_TARGET_DIR:-target}/loom"
# Models need the optimizer and their assertions, but not the release profile's slow link.
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true
export CARGO_PROFILE_RELEASE_LTO=off
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

output=$(mktemp)
trap 'rm -f "$output"' EXIT

for package in "${packages[@]}"; do
    RUSTFLAGS="${RUSTFLAGS:-} --cfg trefoil_loom" CARGO_TARGET_DIR="$target" \
        timeout 600 cargo test --release -p "$package" --lib loom 2>&1 | tee "$output" || {
        echo "loom: $package failed" >&2
        exit 1
    }
    if ! grep -Eq '^running [1-9][0-9]* tests?$' "$output"; then
        echo "loom: $package runs no model (no test whose path contains \`loom\`)" >&2
        exit 1
    fi
done
