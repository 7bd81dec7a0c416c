#!/usr/bin/env bash
# Runs the tests of the runtimes of fibers and of the facade once more, optimized. `cargo test --workspace` runs
# them without the optimizer; but that a thread finds itself after a switch (accessors that are not
# inlined across it, no cached thread-local address) can only go wrong in optimized code.
# The optimizer works on each crate, with what others let it inline. The release profile's slow link
# would take the conformance suite more than ten minutes, and `ci/smoke.sh` runs programs that have it;
# this one is what a user has who sets nothing.
# Seen red: a test that fails only where `debug_assertions` are off.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_PROFILE_RELEASE_LTO=false
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16

# Kernel threads do not leave their stacks: with the optimizer nothing else goes wrong with them.
packages=(-p trefoil-green -p trefoil-hybrid -p trefoil)
# With a choice of targets, `cargo test` does not build the examples as programs; a test runs them.
cargo build --release --examples "${packages[@]}"
cargo test --release --lib --tests "${packages[@]}"
