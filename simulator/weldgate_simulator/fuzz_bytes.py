"""Raw material of the fuzzer: bytes damaged in the ways of lines and flash, and CBOR that is nearly right.

Everything is drawn from a `random.Random`, so that a seed gives the same bytes again.
"""

import struct
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

__all__ = ["Rows", "damage", "encode", "head", "number", "pairs", "value", "value_of"]

Rows = Sequence[tuple[int, str, str, bool, int, int]]  # key, name, kind, required, low, high: as the product has them

_EDGES = (0, 1, 23, 24, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
_MARKS = (0x00, 0x01, 0x7D, 0x7E, 0x7F, 0x80, 0xFF, 0x18, 0x1B, 0x40, 0x58, 0x84, 0xA0, 0x0A, 0x0D)
_ADDED_MAX = 12


def damage(draw: Random, data: bytes, other: bytes = b"", most: int = 4) -> bytes:
    """Return the bytes with one to `most` faults in them.

    Args:
        draw: the dice.
        data: what to damage.
        other: a second piece to splice in.
        most: faults at most.
    """
    out = bytearray(data)
    for _ in range(draw.randint(1, most)):
        at = draw.randrange(len(out) + 1)
        kind = draw.randrange(10)
        if kind < 3 and at < len(out):
            out[at] ^= 1 << draw.randrange(8)
        elif kind == 3 and at < len(out):
            out[at] = draw.choice(_MARKS)
        elif kind == 4:
            del out[at : at + draw.randint(1, 8)]
        elif kind == 5:
            out[at:at] = draw.randbytes(draw.randint(1, _ADDED_MAX))
        elif kind == 6:
            del out[at:]
        elif kind == 7:
            out[at:at] = out[at : at + draw.randint(1, 40)]
        elif kind == 8 and other:
            begin = draw.randrange(len(other))
            out[at : at + draw.randrange(20)] = other[begin : begin + draw.randint(1, 40)]
        elif at + 4 <= len(out):
            width, form = draw.choice(((2, ">H"), (4, ">I")))
            found = struct.unpack_from(form, out, at)[0]
            struct.pack_into(
                form, out, at, (found + draw.choice((-1, 1, 0x80, 1 << (8 * width - 1)))) % (1 << 8 * width)
            )
    return bytes(out)


def number(draw: Random, low: int, high: int, tame: bool = False) -> int:
    """Return a number near or between two bounds, mostly inside and often on the edge; never outside when tame."""
    kind = draw.randrange(5 if tame else 8)
    if kind < 3:
        return draw.randint(low, high)
    if kind < 5:
        return draw.choice((low, high))
    if kind == 5:
        return draw.choice((low - 1, high + 1))
    edge = draw.choice(_EDGES)
    return edge if draw.random() < 0.7 else -1 - edge


# -- CBOR ------------------------------------------------------------------------


def head(draw: Random, major: int, argument: int, sloppy: float) -> bytes:
    """Return an item's head; with the chance `sloppy` not in its shortest form, or of a kind that is not ours."""
    least = 0 if argument < 24 else 1 if argument < 256 else 2 if argument < 65536 else 4 if argument < 2**32 else 8
    if draw.random() < sloppy:
        kind = draw.randrange(4)
        if kind == 0:
            return bytes([major << 5 | 31])  # of indefinite length
        if kind == 1:
            return bytes([major << 5 | draw.randint(28, 30)])
        least = draw.choice([width for width in (1, 2, 4, 8) if width >= least])
    if not least:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | (24, 25, 0, 26, 0, 0, 0, 27)[least - 1]]) + argument.to_bytes(least, "big")


def encode(draw: Random, item: Any, sloppy: float = 0.0) -> bytes:
    """Return an item's CBOR, deterministic unless `sloppy`, the chance of a fault at each head, is above 0."""
    if item is None or isinstance(item, bool):
        return b"\xf6" if item is None else b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        return head(draw, 0, item, sloppy) if item >= 0 else head(draw, 1, -1 - item, sloppy)
    if isinstance(item, bytes):
        return head(draw, 2, len(item), sloppy) + item
    if isinstance(item, str):
        text = item.encode("utf-8", "surrogatepass")
        return head(draw, 3, len(text), sloppy) + text
    if isinstance(item, list):
        return head(draw, 4, len(item), sloppy) + b"".join(encode(draw, one, sloppy) for one in item)
    if isinstance(item, dict):
        return _map(draw, item, sloppy)
    return draw.choice((b"\xf7", b"\xe0", b"\xf9\x3c\x00", b"\xfb" + bytes(8), b"\xc1\x00", b"\xff"))


def _map(draw: Random, item: dict[Any, Any], sloppy: float) -> bytes:
    found = sorted((encode(draw, key), encode(draw, one, sloppy)) for key, one in item.items())
    if found and draw.random() < sloppy:
        found[draw.randrange(len(found)) :] = [draw.choice(found)]  # twice, or out of order
    elif draw.random() < sloppy:
        draw.shuffle(found)
    return head(draw, 5, len(found), sloppy) + b"".join(key + one for key, one in found)


def value(draw: Random, depth: int = 3) -> Any:
    """Return any value CBOR can carry, and now and then one that ours cannot."""
    kind = draw.randrange(10 if depth else 7)
    if kind < 3:
        return number(draw, -24, 300)
    if kind == 3:
        return draw.randbytes(draw.choice((0, 1, 8, 23, 24, 64, 255, 256)))
    if kind == 4:
        return text(draw, draw.choice((0, 1, 8, 23, 24, 64)))
    if kind == 5:
        return draw.choice((True, False, None))
    if kind == 6:
        return object() if draw.random() < 0.1 else draw.randrange(24)
    size = draw.choice((0, 1, 2, 3, 3, 23, 24)) if depth > 2 else draw.randrange(4)
    if kind == 7:
        return [value(draw, depth - 1) for _ in range(size)]
    keys: Iterable[Any] = (
        number(draw, 0, 30) if draw.random() < 0.97 else draw.choice(("k", b"k")) for _ in range(size)
    )
    return {key: value(draw, depth - 1) for key in keys}


def text(draw: Random, size: int) -> str:
    """Return text of so many characters, now and then with what text must not have."""
    letters = "abc 0123/焊\x00é" if draw.random() < 0.2 else "abcdefgh0123"
    found = "".join(draw.choice(letters) for _ in range(size))
    return found + "\ud800" if draw.random() < 0.02 else found


# -- by table ----------------------------------------------------------------------


def value_of(draw: Random, kind: str, low: int, high: int, tame: bool) -> Any:
    """Return a value for a field of a table: one that fits when tame, else mostly."""
    if not tame and draw.random() < 0.04:
        return value(draw, 1)
    if kind in ("uint", "int"):
        return number(draw, low, high, tame)
    if kind == "bool":
        return draw.random() < 0.5
    size = number(draw, low, min(high, low + 40), tame)
    size = min(abs(size), 1100)
    if kind == "bytes":
        return draw.randbytes(size)
    if kind == "text":
        return text(draw, size)
    size = min(size, 110)
    if kind == "uints":
        return [number(draw, 0, 65535) for _ in range(size)]
    if kind == "ids":
        return [draw.randbytes(8 if tame or draw.random() < 0.98 else 7) for _ in range(size)]
    if kind == "maps":
        return [{1: draw.randbytes(8)} for _ in range(size % 4)]
    return {number(draw, 0, 20): number(draw, 0, 900) for _ in range(size % 12)}


def pairs(draw: Random, rows: Rows) -> dict[Any, Any]:
    """Return a map for a table, a good one or one with values that do not fit, fields left out, a stranger."""
    tame = draw.random() < 0.5
    found = {
        key: value_of(draw, kind, low, high, tame)
        for key, _name, kind, required, low, high in rows
        if draw.random() < ((1.0 if tame else 0.97) if required else 0.4)
    }
    if draw.random() < 0.06:
        found[number(draw, 0, 70)] = value(draw, 1)
    return found
