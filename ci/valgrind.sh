#!/usr/bin/env bash
# Runs a program of many fibers under valgrind's memcheck, on green and on hybrid. Each stack is made
# known to it (crates/fiber/src/slab.rs), so it must not warn of a "client switching stacks", after
# which it would believe nothing about memory; and it must find no error and no lost memory.
# Where valgrind is not installed it checks nothing, says so, and is no failure.
# `ci/valgrind.sh ping_pong 1000` runs another example of the facade, with arguments.
# Seen red: stacks registered with a length of 0 (the warning, on both models), a thread of the
# program that read memory after it was freed, and one that lost a box.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v valgrind >/dev/null; then
    echo "valgrind: NOT CHECKED: valgrind is not installed (apt-get install valgrind)"
    exit 0
fi

program=("$@")
if [ ${#program[@]} -eq 0 ]; then
    program=(prime_sieve 60)
fi
target="${CARGO_TARGET_DIR:-target}"
cargo build --quiet -p trefoil --all-features --example "${program[0]}"

report=$(mktemp)
trap 'rm -f "$report"' EXIT

# What `std` keeps of an OS thread is pointed to from its inside, so it is `possible` that it is lost.
memcheck=(
    valgrind --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect
    --show-leak-kinds=definite,indirect --log-file="$report"
)
for model in green hybrid; do
    TREFOIL_MODEL=$model timeout 120 "${memcheck[@]}" \
        "$target/debug/examples/${program[0]}" "${program[@]:1}" || {
        cat "$report" >&2
        echo "valgrind: ${program[*]} on $model failed" >&2
        exit 1
    }
    if grep -q 'switching stacks' "$report"; then
        cat "$report" >&2
        echo "valgrind: ${program[*]} on $model: a stack is not known to valgrind" >&2
        exit 1
    fi
    if ! grep -q 'ERROR SUMMARY: 0 errors' "$report"; then
        cat "$report" >&2
        echo "valgrind: ${program[*]} on $model: valgrind has not said that all is well" >&2
        exit 1
    fi
    echo "valgrind: ${program[*]} on $model: ok"
done
