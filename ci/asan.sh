#!/usr/bin/env bash
# Runs the conformance suite on every model, and the tests of the stacks, under the address sanitizer:
# memory that is used after it was freed, or after its function returned, on fibers' stacks too; and
# memory that is lost. That takes a nightly toolchain with the sanitizer's library. Where it is missing
# this checks nothing, says so, and is no failure.
# `-Zsanitizer=address` alone also brings the switch that tells the sanitizer of each change of stacks
# (crates/fiber/Cargo.toml). What is lost on purpose is listed in ci/asan.supp. Left out are
# * of `overflow` the frame that is larger than the whole stack: what the sanitizer adds to a frame is not
#   probed page by page, so that one jumps over the guard page. The rest runs while the sanitizer leaves
#   SIGSEGV to us, as documented;
# * of `memory` what asserts how much a process has, of which the sanitizer has a multiple, what takes as
#   many mappings as there may be, of which it takes some of its own and ends the process where it is
#   refused, and what locks memory: the sanitizer makes `mlockall` do nothing;
# * of the hybrid runtime one worker, which is as the green model.
# `ci/asan.sh full` is for people: also the tests of the other crates. `TREFOIL_NIGHTLY=nightly-2026-05-20`
# names another toolchain.
# Seen red: a fiber that read a box after it was freed, one that read a local of a function that had
# returned, one that lost a box; without the sanitizer's switch; and an overflow while the sanitizer
# handles SIGSEGV.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

host=x86_64-unknown-linux-gnu
toolchain="${TREFOIL_NIGHTLY:-nightly}"

not_checked() {
    echo "asan: NOT CHECKED: $1. Install it: rustup toolchain install $toolchain"
    exit 0
}
# Without a look at the list, rustup might install what is missing.
rustup toolchain list 2>/dev/null | grep -q "^$toolchain" || not_checked "there is no toolchain \`$toolchain\`"
libraries="$(rustc "+$toolchain" --print sysroot)/lib/rustlib/$host/lib"
compgen -G "$libraries/librustc*_rt.asan.a" >/dev/null ||
    not_checked "the toolchain \`$toolchain\` has no library of the address sanitizer for $host"

packages=(-p trefoil-fiber -p trefoil-kernel -p trefoil-green -p trefoil-hybrid)
if [ "${1:-}" = full ]; then
    packages+=(-p trefoil-runtime -p trefoil-reactor -p trefoil-worker -p trefoil-sync -p trefoil-net)
elif [ $# -ne 0 ]; then
    echo "asan: \`$1\` is no mode: give none, or \`full\`" >&2
    exit 2
fi

# Apart from the others: the flags change every crate. With --target they spare build scripts.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/asan"
export RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
export TREFOIL_OVERFLOW=off
export LSAN_OPTIONS="suppressions=$PWD/ci/asan.supp:print_suppressions=0"

output=$(mktemp)
trap 'rm -f "$output"' EXIT

# Runs tests: what they are about, how many there are on a model at least, as a pattern, the sanitizer's
# options, and which.
run() {
    local about=$1 least=$2 options=$3
    shift 3
    ASAN_OPTIONS=$options cargo "+$toolchain" test --quiet --no-fail-fast --target "$host" \
        "${packages[@]}" --lib --tests -- "$@" 2>&1 | tee "$output" || {
        echo "asan: $about: failed" >&2
        exit 1
    }
    # Where it does not know the stacks, the sanitizer only grumbles, and sees less.
    if grep -q 'ASan is ignoring' "$output"; then
        echo "asan: $about: the sanitizer does not know where the stacks are" >&2
        exit 1
    fi
    # A filter that matches nothing passes silently.
    if [ "$(grep -Ec "^running $least tests$" "$output")" -lt "$models" ]; then
        echo "asan: $about: the conformance suite has not run on every model" >&2
        exit 1
    fi
    echo "asan: $about: ok"
}

models=3
hundreds='[1-9][0-9]{2,}'
some='[1-9][0-9]+'

# `address_space` limits the process's address space, of which the sanitizer wants terabytes.
run "freed and lost memory" "$hundreds" detect_leaks=1:detect_stack_use_after_return=0 \
    --skip overflow:: --skip address_space --skip memory::a_parked_thread_costs_little \
    --skip memory::a_burst_leaves_no_memory_behind --skip memory::a_thread_too_many_is_refused \
    --skip memory::locked_memory_is_no_obstacle --skip one_worker::

# The report of an overflow, and a process that aborts by it.
run "overflows" "$some" \
    detect_leaks=1:detect_stack_use_after_return=0:handle_segv=0:handle_sigbus=0 \
    overflow:: --skip overflow::a_large_frame_is_reported

# To find a use after return the sanitizer gives each fiber a second stack for its locals, which
# corosensei 0.3 does not give back at the fiber's end: 100 000 short threads would take all the address
# space. So not `memory`; nor `process`, for the kernel refuses to fork what has so much. And not what is
# about the depth of stacks, or on whose stack something runs, where locals are not any more. Kernel threads
# never leave their stacks: what is found there would be found by the other runs, or is `std`'s. Of the hybrid runtime
# two workers do: no function's locals depend on how many there are.
packages=(-p trefoil-fiber -p trefoil-green -p trefoil-hybrid)
models=2
run "what is used after its function returned" "$hundreds" \
    detect_leaks=0:detect_stack_use_after_return=1 \
    --skip overflow:: --skip memory:: --skip process:: --skip address_space --skip stack:: --skip usage:: \
    --skip inline:: --skip one_worker:: --skip four_workers::
