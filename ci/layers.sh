#!/usr/bin/env bash
# Checks that the crates depend on each other only along the allowed arrows. Cargo refuses cycles;
# this refuses the arrows that would be no cycle yet, such as a runtime that imports another one.
# Seen red: trefoil-hybrid on trefoil-green, trefoil-sync with a dev-dependency on trefoil-kernel,
# and a new package without a room.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The metadata goes by a file: standard input is the program's.
metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
cargo metadata --format-version 1 --no-deps >"$metadata"

python3 - "$metadata" <<'PYTHON'
import json
import sys

RUNTIMES = {"trefoil-kernel", "trefoil-green", "trefoil-hybrid"}

# Who may depend on whom. What is not written here is forbidden.
ALLOWED = {
    "trefoil-runtime": {"trefoil-fiber"},
    "trefoil-fiber": set(),
    "trefoil-reactor": set(),
    "trefoil-macros": set(),
    "trefoil-sync": {"trefoil-runtime"},
    "trefoil-net": {"trefoil-runtime", "trefoil-sync"},
    "trefoil-worker": {"trefoil-runtime", "trefoil-fiber", "trefoil-reactor"},
    "trefoil-kernel": {"trefoil-runtime"},
    "trefoil-green": {"trefoil-runtime", "trefoil-worker", "trefoil-fiber"},
    "trefoil-hybrid": {"trefoil-runtime", "trefoil-worker", "trefoil-fiber"},
    "trefoil-conformance": {"trefoil-runtime", "trefoil-sync", "trefoil-net"},
    "trefoil": RUNTIMES
    | {
        "trefoil-runtime",
        "trefoil-sync",
        "trefoil-net",
        "trefoil-fiber",
        "trefoil-reactor",
        "trefoil-worker",
        "trefoil-macros",
    },
    "trefoil-bench": {"trefoil"},
    "trefoil-examples": {"trefoil"},
}

# Tests may also use these: each runtime takes the conformance suite, and the objects it needs.
ALSO_IN_TESTS = {
    runtime: {"trefoil-conformance", "trefoil-sync", "trefoil-net"} for runtime in RUNTIMES
} | {"trefoil": {"trefoil-conformance"}}

with open(sys.argv[1], encoding="utf-8") as file:
    packages = json.load(file)["packages"]
ours = {package["name"] for package in packages}

wrong = []
arrows = 0
for package in sorted(packages, key=lambda package: package["name"]):
    name = package["name"]
    if name not in ALLOWED:
        wrong.append(f"{name} has no room: give it its arrows in ci/layers.sh")
        continue
    for dependency in package["dependencies"]:
        target, kind = dependency["name"], dependency["kind"] or "normal"
        if target not in ours:
            continue
        arrows += 1
        allowed = ALLOWED[name]
        if kind == "dev":
            allowed = allowed | ALSO_IN_TESTS.get(name, set())
        if target not in allowed:
            wrong.append(
                f"{name} -> {target} ({kind} dependency) is no allowed arrow; allowed: "
                + (", ".join(sorted(allowed)) or "none")
            )

for room in sorted(ALLOWED.keys() - ours):
    wrong.append(f"{room} has a room in ci/layers.sh, but is no package of the workspace")

for line in wrong:
    print(f"layers: {line}", file=sys.stderr)
if wrong:
    sys.exit(1)
print(f"layers: {len(ours)} packages, {arrows} arrows between them, all allowed")
PYTHON
