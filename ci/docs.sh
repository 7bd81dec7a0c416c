#!/usr/bin/env bash
# Checks the documentation: rustdoc gives no warning (a dead link between items is one), and every
# relative link in the Markdown files leads to a file, and to a heading where it names one. And that
# docs/environment.md names the environment variables that the sources name, and no others. The Rust
# programs in README.md and docs/ are compiled and run as doc tests of the facade, by `cargo test`.
# Seen red: a link to an item that does not exist, a link to a missing file and to a missing heading;
# a variable that the document does not have, and one that only the document has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python3 - <<'PYTHON'
import pathlib
import re
import sys

INLINE_LINK = r"\]\(\s*<?([^\s)>]+)>?(?:\s+\"[^\"]*\")?\s*\)"
REFERENCE = r"^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$"
LINK = re.compile(f"{INLINE_LINK}|{REFERENCE}", re.MULTILINE)
CODE_BLOCK = re.compile(
    r"^[ \t]*(?P<fence>```+|~~~+).*?^[ \t]*(?P=fence)[`~]*[ \t]*$", re.MULTILINE | re.DOTALL
)


def without_code_blocks(path):
    text = path.read_text(encoding="utf-8")
    return CODE_BLOCK.sub("", text)


def prose(path):
    """The text without code blocks and code spans, where brackets are no links."""
    text = without_code_blocks(path)
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "`code`", text)


def headings(path):
    """The anchors that the usual renderers give a file's headings."""
    text = without_code_blocks(path)
    found = set()
    for title in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        slug = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


root = pathlib.Path(".")
files = [root / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
files += sorted(root.glob("docs/**/*.md"))

wrong = []
links = 0
for path in files:
    if not path.exists():
        wrong.append(f"{path} is missing")
        continue
    for match in LINK.finditer(prose(path)):
        link = match.group(1) or match.group(2)
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        links += 1
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        if not target.exists():
            wrong.append(f"{path} links to {link}: there is no such file")
        elif anchor and target.suffix == ".md" and anchor not in headings(target):
            wrong.append(f"{path} links to {link}: there is no such heading")

def variables(paths):
    found = set()
    for path in paths:
        found.update(re.findall(r"\bTREFOIL_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    return found


# Made up by tests of the reading itself.
MADE_UP = {"TREFOIL_TRIED", "TREFOIL_IS_NOT_SET"}
sources = [path for room in ("crates", "benches", "ci") for path in root.glob(f"{room}/**/*.*")]
sources = [path for path in sources if path.suffix in (".rs", ".sh")]
read = variables(sources) - MADE_UP
documented = variables([root / "docs/environment.md"])
wrong += [f"docs/environment.md lacks {name}" for name in sorted(read - documented)]
wrong += [f"nothing reads {name} of docs/environment.md" for name in sorted(documented - read)]

for line in wrong:
    print(f"docs: {line}", file=sys.stderr)
if wrong:
    sys.exit(1)
print(f"docs: {links} relative links in {len(files)} files, all lead somewhere")
PYTHON

RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
