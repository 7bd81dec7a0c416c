#!/usr/bin/env python3
"""HTTP plaintext by wrk: http_server of the examples on each model, beside may_minihttp and hyper.

    benches/http.py [--rounds 5] [--seconds 3] [--pipelined] [--workers 1]

The server runs on the first processor and wrk on the last where there is one worker, the servers by turns.
Prints the median of requests per second and of the latency that 99 % of the requests keep to.
Needs wrk: apt-get install wrk.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PIPELINED = ROOT / "examples/tests/servers/wrk_pipelined.lua"
UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000}


def build():
    """The programs, and where they are."""
    for package in (["-p", "trefoil-examples", "--bin", "http_server"], ["-p", "trefoil-bench", "--features", "peers", "--bins"]):
        subprocess.run(["cargo", "build", "--quiet", "--release", *package], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"


def servers(target, workers):
    """For each name, how it is started on this address."""
    ours = lambda model: lambda at: ([target / "http_server", "--listen", at], {"TREFOIL_MODEL": model})
    theirs = lambda name: lambda at: ([target / name, at, str(workers)], {})
    return {
        "may": theirs("http_may"),
        "hyper": theirs("http_hyper"),
        **{model: ours(model) for model in ("kernel", "green", "hybrid")},
    }


def measure(command, environment, options, port):
    """Requests per second, and the latency of all but one in a hundred, in microseconds."""
    processors = sorted(os.sched_getaffinity(0))
    pinned = options.workers == 1 and len(processors) > 1
    keep = lambda processor: (lambda: os.sched_setaffinity(0, {processor})) if pinned else None
    server = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, preexec_fn=keep(processors[0]))
    try:
        if not server.stdout.readline().startswith("listening on"):
            sys.exit(f"{command[0]} does not listen")
        wrk = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", f"http://127.0.0.1:{port}/"]
        wrk += ["-s", str(PIPELINED)] if options.pipelined else []
        report = subprocess.run(wrk, capture_output=True, text=True, check=True, preexec_fn=keep(processors[-1])).stdout
    finally:
        server.kill()
        server.wait()
    if "Socket errors" in report or "Non-2xx" in report:
        sys.exit(f"{command[0]}: {report}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    late, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", report).groups()
    return float(rate.group(1)), float(late) * UNITS[unit]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pipelined", action="store_true", help="16 requests at once on each connection")
    parser.add_argument("--only", nargs="+", help="only these servers")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not here: apt-get install wrk")
    known = servers(build(), options.workers)
    chosen = {name: start for name, start in known.items() if not options.only or name in options.only}
    results = {name: [] for name in chosen}
    port = 18_080
    for _ in range(options.rounds):
        for name, start in chosen.items():
            port += 1
            results[name].append(measure(*start(f"127.0.0.1:{port}"), options, port))
    for name, measured in results.items():
        rates, late = zip(*measured)
        spread = f"{min(rates):9,.0f} .. {max(rates):9,.0f}"
        print(f"{name:8}{statistics.median(rates):10,.0f} requests/s ({spread})  99 % within {statistics.median(late):8,.0f} us")


if __name__ == "__main__":
    main()
