#!/usr/bin/env bash
# Checks that every file is formatted as `cargo fmt` would.
# Seen red: two statements put on one line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo fmt --all --check
