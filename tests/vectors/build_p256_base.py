"""Compute the generator's comb table, `protocol/weldgate_protocol/_p256_base.py`. `--check` writes nothing.

By the textbook's arithmetic of `p256_examples`, so the product's own table builder can be held against it.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from p256_examples import G, P, add, negative, times

TARGET = Path(__file__).resolve().parents[2] / "protocol" / "weldgate_protocol" / "_p256_base.py"
TEETH, COLUMNS = 7, 37
LINE_BYTES = 28
HEAD = '''"""The comb table of P-256's generator: computed by tests/vectors/build_p256_base.py, used by `p256_comb`.

64 points of 64 bytes, x and y times 2^260 modulo p, little-endian; and a byte to spare, since the machine code reads
three bytes for a limb.
"""

'''


def entries(point: tuple[int, int]) -> bytes:
    """Return a point's table: entry e = tooth 6 ± the others, + where e has the bit; and a byte to spare."""
    teeth = [times(1 << (COLUMNS * i), point) for i in range(TEETH)]
    data = b""
    for e in range(1 << (TEETH - 1)):
        entry = teeth[-1]
        for i in range(TEETH - 1):
            entry = add(entry, teeth[i] if e >> i & 1 else negative(teeth[i]))
        assert entry is not None
        data += b"".join(((value << 260) % P).to_bytes(32, "little") for value in entry)
    return data + b"\0"


def lines(data: bytes) -> str:
    """Return bytes as lines of one literal."""
    pieces = [data[i : i + LINE_BYTES] for i in range(0, len(data), LINE_BYTES)]
    return "".join('    b"' + "".join(f"\\x{byte:02x}" for byte in piece) + '"\n' for piece in pieces)


def main() -> int:
    """Write the module, or with --check say that it differs."""
    data = entries(G)
    text = f"{HEAD}BASE_SHA256 = (\n{lines(hashlib.sha256(data).digest())})\nBASE = (\n{lines(data)})\n"
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET.name} is not what {Path(__file__).name} makes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
