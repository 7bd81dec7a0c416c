#!/usr/bin/env bash
# Checks that clippy has nothing to say about any target with any feature, and with it the lints
# that the workspace denies: missing docs, unreachable `pub`, unsafe blocks without a SAFETY note.
# Seen red: an unsafe block without its note, and a `return` at the end of a function.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo clippy --workspace --all-targets --all-features -- -D warnings
