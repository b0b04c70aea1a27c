"""Write both CDDL files and the printed parts of SPEC.md from the code; with `--check` only say what differs.

A printed part stands between `<!-- printed: NAME -->` and `<!-- end of NAME -->`.
"""

import re
import sys
from pathlib import Path

from weldgate_protocol import cddl, claim_docs

HERE = Path(__file__).resolve().parent
PARTS = {
    "example": cddl.example_markdown,
    "messages": cddl.tables_markdown,
    "token-claims": claim_docs.token_markdown,
    "order-claims": claim_docs.orders_markdown,
    "key-set-claims": claim_docs.key_set_markdown,
    "reasons": cddl.reasons_markdown,
}


def with_parts(spec: str) -> str:
    """Return SPEC.md's text with its printed parts renewed.

    Raises:
        ValueError: a marker is missing.
    """
    for name, render in PARTS.items():
        start, end = f"<!-- printed: {name} -->\n", f"<!-- end of {name} -->"
        found = re.search(re.escape(start) + ".*?" + re.escape(end), spec, re.DOTALL)
        if found is None:
            raise ValueError(f"SPEC.md has no part {name}")
        spec = spec[: found.start()] + start + "\n" + render() + "\n" + end + spec[found.end() :]
    return spec


def stale(write: bool) -> list[str]:
    """Return the names of the files that differ from the code, written anew where asked."""
    names = []
    spec = HERE / "SPEC.md"
    wanted = {
        HERE / "weldgate.cddl": cddl.render(),
        HERE / "signed.cddl": claim_docs.render(),
        spec: with_parts(spec.read_text(encoding="utf-8")),
    }
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            names.append(path.name)
            if write:
                path.write_text(text, encoding="utf-8")
    return names


def main() -> int:
    """Run; exit code 1 when `--check` finds a difference."""
    check = "--check" in sys.argv[1:]
    for name in stale(write=not check):
        sys.stderr.write(f"protocol/{name} {'is not what the code prints' if check else 'written'}\n")
        if check:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
