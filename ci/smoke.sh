#!/usr/bin/env bash
# Runs every workload of the benchmark program once, tiny, and every example of the facade once, on
# each of the three models, and every workload with threads that migrate; where Go or Java is installed, every workload also on `go` or `java`. Nothing is timed: it checks that they run, end, and say what they promise
# (the benchmark: one JSON line, after it has checked its own result).
# Seen red: a workload without a row below, a row without a workload, a program that hangs, one that
# prints no JSON, one whose operations are 0, an example that panics, a Go workload whose sum was
# wrong, and a Java one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# SIZES: one row per workload, `name key=value…`, each pair handed on by --set. Small enough that a
# run takes well under a second on every model, large enough that threads meet.
sizes='
spawn_join    threads=200
spawn_batch   threads=200
skynet_channel width=4 depth=3
skynet_join   width=4 depth=3
yield         threads=20 yields=400
ping_pong     rounds=200
timers_cancelled rounds=200 standing=50
ring          threads=20 rounds=10
sieve         primes=20
mpmc          producers=3 consumers=2 capacity=2 messages=500
select        messages=500 capacity=2
mutex         threads=5 locks=500
primes        limit=2000
fib           n=12 cutoff=6
echo          connections=4 requests=10
echo_compute  connections=4 requests=10
echo_pipelined connections=4 requests=10 pin=1
accept_churn  connections=4 lives=5
idle_connections idle=50 requests=20
blocking      calls=4
parked        threads=100 stack=128 rounds=2
sleepers      threads=100 milliseconds=20
fairness      slice=1000 milliseconds=20
'

# A program that is still running after so many seconds hangs. After the third failure the script
# gives up, so that programs which all hang do not hold up everything for an hour.
limit=60

target="${CARGO_TARGET_DIR:-target}"
runtimes='kernel green hybrid migrating'
features=()
if "${TREFOIL_GO:-go}" version >/dev/null 2>&1; then
    runtimes+=' go'
    features=(--features peers)
    (cd benches/peers/go && GOTOOLCHAIN=local GOFLAGS=-mod=mod GOPROXY=off "${TREFOIL_GO:-go}" vet .)
fi
# Java has to be 25 or newer, and its compiler 17: what is older the benchmark program refuses.
at_least() { "$2" --version 2>/dev/null | awk -v oldest="$1" 'NR == 1 { split($2, v, "."); found = v[1] + 0 >= oldest } END { exit !found }'; }
if at_least 25 "${TREFOIL_JAVA:-java}" && at_least 17 "${TREFOIL_JAVAC:-javac}"; then
    runtimes+=' java'
    features=(--features peers)
fi
cargo build --release -p trefoil-bench "${features[@]}"
cargo build -p trefoil --examples --all-features

python3 - "$target" "$limit" "$sizes" "$runtimes" <<'PYTHON'
import json
import os
import pathlib
import re
import subprocess
import sys

MODELS = ["kernel", "green", "hybrid"]
FIELDS = ["runtime", "workload", "params", "ops", "seconds", "ns_per_op"]
MOST_FAILURES = 3

target, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
rows = [row.split() for row in sys.argv[3].split("\n") if row.strip()]
sizes = {name: pairs for name, *pairs in rows}
runtimes = sys.argv[4].split()
bench = target / "release" / "trefoil-bench"


class Failed(Exception):
    """What a program did wrong."""


def output_of(command, **environment):
    """What the program prints, if it ends in time and with success."""
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            env=os.environ | environment,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"still running after {limit} s") from None
    if ran.returncode != 0:
        raise Failed(f"exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def check_json(text, workload, runtime):
    """One line, with the fields and with numbers that a real run has."""
    lines = text.splitlines()
    if len(lines) != 1:
        raise Failed(f"{len(lines)} lines instead of one of JSON\n{text}")
    try:
        result = json.loads(lines[0])
    except json.JSONDecodeError as error:
        raise Failed(f"no JSON: {error}\n{text}") from None
    missing = [field for field in FIELDS if field not in result]
    if missing:
        raise Failed(f"fields {missing} are missing\n{text}")
    if result["workload"] != workload or result["runtime"] != runtime:
        raise Failed(f"it says that it ran something else\n{text}")
    for field in ("ops", "seconds", "ns_per_op"):
        if not isinstance(result[field], (int, float)) or result[field] <= 0:
            raise Failed(f"{field} is no positive number\n{text}")


def run_workload(workload, runtime):
    pairs = [word for pair in sizes[workload] for word in ("--set", pair)]
    command = [bench, "run", workload, "--runtime", runtime, *pairs, "--json"]
    check_json(output_of(command), workload, runtime)


def workloads():
    """The first column of `trefoil-bench list`, without its head."""
    words = [line.split()[0] for line in output_of([bench, "list"]).splitlines() if line.strip()]
    return [word for word in words if re.fullmatch(r"[a-z][a-z0-9_]*", word) and word != "workload"]


def attempt(what, action, *arguments):
    try:
        action(*arguments)
        print(f"smoke: {what}: ok", flush=True)
    except Failed as failure:
        failures.append(what)
        print(f"smoke: {what}: {failure}", file=sys.stderr, flush=True)
        if len(failures) == MOST_FAILURES:
            give_up()


def give_up():
    sys.exit(f"smoke: {len(failures)} failed: {', '.join(failures)}")


def check_list():
    names = workloads()
    unsized = [name for name in names if name not in sizes]
    gone = [name for name in sizes if name not in names]
    if unsized:
        raise Failed(f"{', '.join(unsized)} need a row in SIZES of ci/smoke.sh")
    if gone:
        raise Failed(f"{', '.join(gone)} in SIZES of ci/smoke.sh, but not in `trefoil-bench list`")


failures = []
attempt("trefoil-bench list", check_list)
for workload in sizes:
    for runtime in runtimes:
        if (workload, runtime) == ("select", "java"):
            continue  # Java has no select over several queues.
        attempt(f"{workload} on {runtime}", run_workload, workload, runtime)

examples = sorted(path.stem for path in pathlib.Path("crates/trefoil/examples").glob("*.rs"))
if not examples:
    failures.append("examples")
    print("smoke: crates/trefoil/examples has no example", file=sys.stderr)
for example in examples:
    for model in MODELS:
        program = target / "debug" / "examples" / example
        run_example = lambda: output_of([program], TREFOIL_MODEL=model)
        attempt(f"example {example} on {model}", run_example)

if failures:
    give_up()
PYTHON
