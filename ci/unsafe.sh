#!/usr/bin/env bash
# Checks that unsafe code has addresses. A source file of crates/*/src or of benches that contains
# unsafe code is listed in docs/unsafe.md; a listed file exists and contains some; every other file
# forbids it, itself or by a module above it, unless a module below it needs it.
# Comments, strings and the lint's name `unsafe_code` are no unsafe code; `#[unsafe(no_mangle)]` is.
# Seen red: an unlisted `unsafe impl`, a row whose file was gone, a row whose file says "unsafe" only
# in a comment and a string, and a module without `#![forbid(unsafe_code)]`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python3 - <<'PYTHON'
import pathlib
import re
import sys

LIST = pathlib.Path("docs/unsafe.md")
HEAD = "| file | why unsafe is needed there | what keeps it sound |"

# What is no code, longest forms first. A lifetime (`'a`) is not a character literal.
NO_CODE = re.compile(
    r"""
      //[^\n]*
    | (?<!\w)(?:b|c|br|cr)?r(?P<hashes>\#*)".*?"(?P=hashes)
    | (?<!\w)[bc]?"(?:\\.|[^"\\])*"
    | (?<!\w)b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])'
    """,
    re.VERBOSE | re.DOTALL,
)


def without_block_comments_and_literals(text):
    """The code alone. Block comments nest, so they are cut by counting."""
    code, at = [], 0
    while at < len(text):
        if text.startswith("/*", at):
            depth, at = 1, at + 2
            while depth and at < len(text):
                if text.startswith("/*", at):
                    depth, at = depth + 1, at + 2
                elif text.startswith("*/", at):
                    depth, at = depth - 1, at + 2
                else:
                    at += 1
            code.append(" ")
            continue
        skipped = NO_CODE.match(text, at)
        if skipped:
            code.append(" ")
            at = skipped.end()
        else:
            code.append(text[at])
            at += 1
    return "".join(code)


def sources():
    for pattern in ("crates/*/src/**/*.rs", "benches/**/*.rs"):
        for path in pathlib.Path(".").glob(pattern):
            if "target" not in path.parts:
                yield path


def below(module, other):
    """Whether `other` is a module below `module`, by the paths that Rust gives them."""
    if module.name in ("lib.rs", "main.rs", "mod.rs"):
        return other != module and other.is_relative_to(module.parent)
    return other.is_relative_to(module.with_suffix(""))


def listed():
    """The paths in backticks in the first column of the table."""
    text = LIST.read_text(encoding="utf-8")
    if HEAD not in text:
        sys.exit(f"unsafe: {LIST} has lost its table, which opens with\n    {HEAD}")
    return [pathlib.Path(row) for row in re.findall(r"^\|\s*`([^`]+)`\s*\|", text, re.MULTILINE)]


if not LIST.exists():
    sys.exit(f"unsafe: {LIST} is missing; it opens its table with\n    {HEAD}")

code = {
    path: without_block_comments_and_literals(path.read_text(encoding="utf-8"))
    for path in sorted(sources())
}
unsafe = {path for path, text in code.items() if re.search(r"\bunsafe\b", text)}
forbids = {
    path for path, text in code.items() if re.search(r"#!\[forbid\([^)]*\bunsafe_code\b", text)
}
rows = listed()

wrong = []
for path in sorted(unsafe - set(rows)):
    wrong.append(f"{path} contains unsafe code. Add to {LIST}:\n    | `{path}` | WHY | WHAT |")
for path in rows:
    if rows.count(path) > 1:
        wrong.append(f"{LIST} lists {path} more than once")
    if not path.exists():
        wrong.append(f"{LIST} lists {path}, which does not exist. Remove its row")
    elif path not in code:
        wrong.append(f"{LIST} lists {path}, which is no source file of crates/*/src or benches")
    elif path not in unsafe:
        wrong.append(f"{LIST} lists {path}, which contains no unsafe code. Remove its row")
for path in sorted(code.keys() - unsafe - forbids):
    covered = any(below(module, path) for module in forbids)
    needed_below = any(below(path, module) for module in unsafe)
    if not covered and not needed_below:
        wrong.append(f"{path} is free of unsafe code. Let it say so: #![forbid(unsafe_code)]")

for line in dict.fromkeys(wrong):
    print(f"unsafe: {line}", file=sys.stderr)
if wrong:
    sys.exit(1)
print(f"unsafe: {len(unsafe)} of {len(code)} files contain unsafe code, all listed in {LIST}")
PYTHON
