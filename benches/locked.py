#!/usr/bin/env python3
"""Counts the atomic read-modify-writes and fences of a workload, for each operation and by the line of the source.

They are what an operation costs other processors: instructions with the prefix `lock`, `xchg` with memory, and
`mfence`. It runs the workload under callgrind, small and twice as large, and takes the difference, so that what
is done once does not count. Nothing is timed: the numbers are the same on every machine, but for what depends on
how the threads meet.

    cargo build --release -p trefoil-bench
    benches/locked.py spawn_join threads=2000
    benches/locked.py ring threads=20 rounds=100 --vary rounds --workers 2

It needs valgrind, objdump and addr2line.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

COST = re.compile(r"^0x([0-9a-f]+) \S+ (\d+)")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workload")
    parser.add_argument("parameters", nargs="+", help="key=value")
    parser.add_argument("--vary", help="which of them is doubled; else the first")
    parser.add_argument("--workers", default="1")
    parser.add_argument("--runtime", default="hybrid")
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    parser.add_argument("--program", type=pathlib.Path, default=target / "release" / "trefoil-bench")
    return parser.parse_args()


def locked(program):
    """The addresses of the instructions that count."""
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True
    ).stdout
    found = set()
    for line in listing.splitlines():
        address, colon, code = line.partition(":\t")
        if colon and (
            code.startswith(("lock ", "mfence")) or (code.startswith("xchg ") and "(" in code)
        ):
            found.add(int(address, 16))
    return found


def run(asked, parameters):
    """How often each instruction of the program ran, and how many operations there were."""
    words = [word for pair in parameters for word in ("--set", "=".join(pair))]
    with tempfile.NamedTemporaryFile() as counts:
        command = [
            *("valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no"),
            *("--compress-strings=no", f"--callgrind-out-file={counts.name}", asked.program),
            *("run", asked.workload, "--runtime", asked.runtime, "--workers", asked.workers),
            *(*words, "--json"),
        ]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"locked: it failed:\n{ran.stderr}")
        with open(counts.name, encoding="utf-8") as lines:
            return instructions(lines, asked.program.name), json.loads(ran.stdout)["ops"]


def instructions(lines, program):
    counts = collections.Counter()
    ours = after_call = False
    for line in lines:
        if line.startswith("ob="):
            ours = line.strip().endswith(program)
        elif line.startswith("calls="):
            after_call = True
        elif match := COST.match(line):
            # The line after a call has what the call cost.
            if ours and not after_call:
                counts[int(match[1], 16)] += int(match[2])
            after_call = False
    return counts


def sources(program, addresses):
    """Where each instruction comes from: the innermost line of the source that is ours."""
    found = {}
    for address in addresses:
        said = subprocess.run(
            ["addr2line", "-i", "-e", program, hex(address)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        ours = re.findall(r"(?:crates|benches)/(\S+:\d+)", said)
        # What only `std` has of it, an `Arc` that is dropped for instance, by the end of its path.
        found[address] = " < ".join(ours[:2]) or said.split("\n")[0].split("/library/")[-1]
    return found


def main():
    asked = arguments()
    parameters = [pair.split("=") for pair in asked.parameters]
    vary = asked.vary or parameters[0][0]
    larger = [[key, str(int(value) * 2) if key == vary else value] for key, value in parameters]
    (few, few_ops), (many, many_ops) = run(asked, parameters), run(asked, larger)
    ops = many_ops - few_ops
    more = {
        address: (many[address] - few[address]) / ops
        for address in locked(asked.program)
        if many[address] - few[address] > ops / 100
    }
    print(f"{asked.workload} on {asked.runtime}, {asked.workers} workers, for each of {ops} operations:")
    by_line = collections.Counter()
    for address, source in sources(asked.program, more).items():
        by_line[source] += more[address]
    for source, number in by_line.most_common():
        print(f"  {number:6.2f}  {source}")
    print(f"  {sum(more.values()):6.2f}  in all; {sum((many - few).values()) / ops:.0f} instructions")


main()
