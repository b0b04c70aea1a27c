"""What a line can bring: frames, streams, CBOR, messages; and who checks it.

Each target makes cases and says of one that a parser took whether that was wrong. The judges here are written anew
from SPEC, with cbor2 and the standard library, and share nothing with the chip's code but its tables.
"""

import struct
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import cbor2

from weldgate_protocol import messages
from weldgate_protocol.frame import to_wire
from weldgate_simulator import fuzz_bytes

__all__ = ["Case", "Target", "payload", "wire_targets"]

_CALM = Random(0)  # noqa: S311 - for an encoder that makes no faults
_POLYNOMIAL = 0x8408  # CRC-16/X-25, reflected


class Case(NamedTuple):
    """One input; `allowed` is what its target needs to know to judge an acceptance."""

    data: bytes
    allowed: Any = None


class Target(NamedTuple):
    """One parser to be fed.

    Attributes:
        parser: its name in `fuzz_parsers.PARSERS`.
        share: of all cases, in parts of the sum.
        make: gives cases for ever.
        wrong: tells whether what the parser understood of a case must not have been taken.
    """

    parser: str
    share: int
    make: Callable[[Random], Iterator[Case]]
    wrong: Callable[[Case, bytes], bool]


def _crc_table() -> list[int]:
    """Return the CRC of each byte, bit by bit."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_CRCS = _crc_table()


def _crc16(data: bytes) -> int:
    """Return CRC-16/X-25."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRCS[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF


# -- messages and frames ------------------------------------------------------------


def payload(draw: Random, type_: int) -> bytes:
    """Return a payload for a type, by its table or nearly so."""
    sloppy = draw.choice((0.0, 0.0, 0.0, 0.03))
    if type_ in messages.MESSAGES and draw.random() < 0.95:
        return fuzz_bytes.encode(draw, fuzz_bytes.pairs(draw, messages.MESSAGES[type_][1]), sloppy)[:1100]
    return fuzz_bytes.encode(draw, fuzz_bytes.value(draw), sloppy)[:1100]


def _type(draw: Random) -> int:
    return draw.choice(list(messages.MESSAGES)) if draw.random() < 0.95 else draw.randrange(256)


def _raw(draw: Random) -> bytes:
    """Return an unstuffed frame, header perhaps wrong."""
    type_ = _type(draw)
    body = payload(draw, type_) if draw.random() < 0.8 else draw.randbytes(draw.choice((0, 1, 66, 1024)))
    flags = 0x20 | draw.randrange(3) | (0x10 if type_ >= 0x80 else 0x08 if type_ >= 0x40 else 0)
    length, millis, seq = len(body), draw.randrange(1000), draw.randint(1, 2**32 - 1)
    device = draw.randbytes(8)
    if draw.random() < 0.5:
        device = bytes([device[0] & 0x7F]) + device[1:]
    kind = draw.randrange(12)
    if kind == 0:
        flags = draw.randrange(256)
    elif kind == 1:
        length = draw.choice((length + 1, abs(length - 1), 1025, 65535, 0))
    elif kind == 2:
        millis = draw.choice((999, 1000, 65535))
    elif kind == 3:
        seq = 0
    head = struct.pack(
        ">BB8s4sIIHH", flags, type_, device, draw.randbytes(4), seq, draw.randrange(2**32), millis, length
    )
    return head + body + draw.randbytes(8)


def _inner(draw: Random) -> bytes:
    """Return what stands between two delimiters, CRC and stuffing mostly right."""
    raw = _raw(draw)
    if draw.random() < 0.8:
        return to_wire(raw)[1:-1]
    return fuzz_bytes.damage(draw, to_wire(raw)[1:-1], raw)


def _frames(draw: Random) -> Iterator[Case]:
    while True:
        yield Case(_inner(draw))


def _open_frame(inner: bytes) -> bytes | None:
    """Return the raw frame of what stood between delimiters by SPEC, None where it is none."""
    if len(inner) > 2120 or b"\x7e" in inner:
        return None
    out = bytearray()
    at = 0
    while at < len(inner):
        if inner[at] == 0x7D:
            if at + 1 == len(inner) or inner[at + 1] not in (1, 2):
                return None
            out.append(0x7D if inner[at + 1] == 1 else 0x7E)
            at += 2
        else:
            out.append(inner[at])
            at += 1
    if len(out) < 36 or struct.unpack(">H", out[-2:])[0] != _crc16(bytes(out[:-2])):
        return None
    raw = bytes(out[:-2])
    flags, type_, device, _, seq, _, millis, length = struct.unpack_from(">BB8s4sIIHH", raw)
    both = flags & 0x18
    demanded = 0 if type_ < 0x40 else 0x08 if type_ < 0x80 else 0x10
    good = (
        flags >> 5 == 1
        and length <= 1024
        and len(raw) == 34 + length
        and flags & 3 != 3
        and (both != 0x18 if type_ >= 0xF0 else both == demanded)
        and not device[0] & 0x80
        and seq > 0
        and millis < 1000
    )
    return raw if good else None


def _frame_wrong(case: Case, taken: bytes) -> bool:
    return taken != case.data or _open_frame(case.data) is None


def _streams(draw: Random) -> Iterator[Case]:
    while True:
        data = bytearray(draw.randbytes(1))
        for _ in range(draw.randint(1, 6)):
            kind = draw.randrange(8)
            if kind == 0:
                data += draw.randbytes(draw.randrange(60))
            elif kind == 1:
                data += b"\x7e" * draw.randint(1, 4)
            elif kind == 2 and draw.random() < 0.2:
                data += b"\x55" * draw.choice((2120, 2121, 5000))
            else:
                data += b"\x7e" + _inner(draw) + b"\x7e"
        yield Case(bytes(data if draw.random() < 0.6 else fuzz_bytes.damage(draw, bytes(data))))


def _stream_wrong(case: Case, taken: bytes) -> bool:
    """Whole frames, each of them, and nothing else: what does not depend on the pieces."""
    found = b""
    for piece in case.data[1:].split(b"\x7e")[:-1]:
        if _open_frame(piece) is not None:
            found += b"\x7e" + piece + b"\x7e"
    return taken != found


def _cbors(draw: Random) -> Iterator[Case]:
    while True:
        data = fuzz_bytes.encode(draw, fuzz_bytes.value(draw), draw.choice((0.0, 0.05)))
        yield Case(data if draw.random() < 0.5 else fuzz_bytes.damage(draw, data))


def _same(data: bytes) -> bool:
    """Whether the bytes are the deterministic form (RFC 8949 §4.2.1) of what cbor2 reads in them."""
    try:
        return fuzz_bytes.encode(_CALM, cbor2.loads(data)) == data
    except (ValueError, EOFError, UnicodeError, RecursionError, TypeError, OverflowError):
        return False


def _cbor_wrong(case: Case, taken: bytes) -> bool:
    return taken != case.data or not _same(case.data)


def _message_cases(draw: Random) -> Iterator[Case]:
    while True:
        type_ = _type(draw)
        data = payload(draw, type_)
        yield Case(bytes([type_]) + (data if draw.random() < 0.8 else fuzz_bytes.damage(draw, data)))


def _fits(item: Any, kind: str, low: int, high: int) -> bool:
    if kind in ("uint", "int"):
        return type(item) is int and low <= item <= high
    if kind == "bool":
        return type(item) is bool
    wanted = {"bytes": bytes, "text": str, "uints": list, "ids": list, "map": dict}[kind]
    if not isinstance(item, wanted) or not low <= len(item.encode() if kind == "text" else item) <= high:
        return False
    if kind == "uints":
        return all(type(one) is int and 0 <= one <= 65535 for one in item)
    return kind != "ids" or all(isinstance(one, bytes) and len(one) == 8 for one in item)


def _message_wrong(case: Case, taken: bytes) -> bool:
    """A map of known fields that fit; on the downlink strangers are left out, elsewhere they stay."""
    type_, body = case.data[0], case.data[1:]
    if type_ not in messages.MESSAGES or not _same(body):
        return True
    found, rows = cbor2.loads(body), messages.MESSAGES[type_][1]
    known = {row[0] for row in rows}
    for key, _name, kind, required, low, high in rows:
        if (required and key not in found) or (key in found and not _fits(found[key], kind, low, high)):
            return True
    kept = {key: one for key, one in found.items() if key in known} if type_ >= 0x80 else found
    return taken != case.data[:1] + fuzz_bytes.encode(_CALM, kept)


def wire_targets() -> list[Target]:
    """Return the targets of the wire."""
    return [
        Target("frame", 24, _frames, _frame_wrong),
        Target("stream", 6, _streams, _stream_wrong),
        Target("cbor", 24, _cbors, _cbor_wrong),
        Target("message", 22, _message_cases, _message_wrong),
    ]
