#!/usr/bin/env bash
# Checks that the facade works with every single feature: its tests and the programs of its documents
# pass. With every pair of them all of that compiles but the documents, and a model is selected as
# documented. All three together are what `cargo test --workspace` tests, since the benchmark program
# enables them. Without any feature it compiles, and says so when it is run.
# Seen red: documents that took for granted that the kernel model is there (five programs failed
# with `green` alone), or the hybrid one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Most of these tests wait for programs that they have started.
export RUST_TEST_THREADS=4

# Runs a command of Cargo on the facade with these features.
facade() {
    local features=$1 begin=$SECONDS
    shift
    cargo "$@" --quiet -p trefoil --no-default-features --features "$features" || {
        echo "features: the facade with $features alone failed: cargo $*" >&2
        exit 1
    }
    echo "features: $features: cargo $*: ok, $((SECONDS - begin)) s"
}

facade "" check
for model in kernel green hybrid; do
    facade "$model" test
done
# As Cargo takes them.
for pair in kernel,green kernel,hybrid green,hybrid; do
    facade "$pair" check --tests --examples
    facade "$pair" test --test selection
done
