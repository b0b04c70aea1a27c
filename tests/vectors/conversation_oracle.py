"""Frames and keys made without the product: what build_conversation.py and build_packs.py build from.

The bytes come from `hmac`, `struct`, cbor2, crcmod-plus and a stuffing of its own.
"""

import hmac
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import crcmod.predefined
from musts import named

Case = dict[str, Any]

ROOT = bytes(range(32))
DEVICE = (4_503_599_627_370_497).to_bytes(8, "big")
OTHER = (7).to_bytes(8, "big")
EPOCH = bytes.fromhex("a1b2c3d4")
CHIP_NONCE = bytes(range(0x10, 0x20))
NONCE = bytes(range(0x80, 0x90))
TIME = (1_795_500_000, 250)
DOWN, DURABLE = 0x10, 0x08
SYNCED, FLOOR = 2, 0
crc16 = crcmod.predefined.mkPredefinedCrcFun("x-25")


def mac(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA256."""
    return hmac.digest(key, data, "sha256")


def derived(purpose: str, device: bytes = DEVICE, generation: int = 2, root: bytes = ROOT) -> bytes:
    """Return a chip's key."""
    return mac(root, b"weldgate/1/" + purpose.encode() + b"\0" + device + struct.pack(">I", generation))


UP = derived("up")
CONN = mac(derived("down"), b"weldgate/1/conn\0" + CHIP_NONCE + NONCE)


def raw(type_: int, seq: int, payload: Any, key: bytes | None, flags: int = SYNCED, **other: bytes) -> bytes:
    """Return a frame; key None gives a zero tag, bytes as payload go in as they are."""
    content = payload if isinstance(payload, bytes) else cbor2.dumps(payload, canonical=True)
    head = struct.pack(
        ">BB8s4sIIHH",
        0x20 | flags,
        type_,
        other.get("device", DEVICE),
        other.get("epoch", EPOCH),
        seq,
        *TIME,
        len(content),
    )
    body = head + content
    return body + (bytes(8) if key is None else mac(key, body)[:8])


def wire(frame: bytes) -> bytes:
    """Return a frame as it travels."""
    out = bytearray(b"\x7e")
    for byte in frame + struct.pack(">H", crc16(frame)):
        out += {0x7E: b"\x7d\x02", 0x7D: b"\x7d\x01"}.get(byte, bytes((byte,)))
    return bytes(out + b"\x7e")


def hello_map(oldest: int, highest: int) -> dict[int, Any]:
    """Return a hello's payload."""
    return {
        1: CHIP_NONCE,
        2: oldest,
        3: highest,
        4: 9,
        5: "0.1.0",
        6: "gmaw-400",
        7: 1,
        8: 2,
        9: 3,
    }


HEARTBEAT = {1: 2, 3: [], 4: 5, 5: 3, 6: 10, 7: 0, 9: 60}
ORDER_ID = bytes(range(8))


def hello(
    oldest: int = 1, highest: int = 5, seq: int = 1, key: bytes = UP, flags: int = SYNCED, **other: bytes
) -> bytes:
    """Return a hello."""
    return raw(0x01, seq, hello_map(oldest, highest), key, flags, **other)


def welcome(
    high: int = 3, status: int = 0, key: bytes | None = CONN, flags: int = SYNCED, extra: Any = (), **other: bytes
) -> bytes:
    """Return a welcome."""
    return raw(0x80, 1, {1: NONCE, 2: status, 3: high, **dict(extra)}, key, DOWN | flags, **other)


def down(
    type_: int, seq: int, payload: Any, key: bytes | None = CONN, flags: int = DOWN | SYNCED, **other: bytes
) -> bytes:
    """Return a downlink frame."""
    return raw(type_, seq, payload, key, flags, **other)


def heartbeat(seq: int = 2, key: bytes = CONN, **other: bytes) -> bytes:
    """Return a heartbeat."""
    return raw(0x02, seq, HEARTBEAT, key, SYNCED, **other)


def durable(seq: int, type_: int = 0x4C, payload: Any = None, key: bytes = UP, **other: bytes) -> bytes:
    """Return a durable frame, a power-off unless said."""
    return raw(type_, seq, {} if payload is None else payload, key, DURABLE | SYNCED, **other)


def gap(seq: int, first: int, last: int | None, **other: bytes) -> bytes:
    """Return a gap record."""
    value: dict[int, Any] = {2: first, 4: 1}
    if last is not None:
        value[3] = last
    return durable(seq, 0x48, value, **other)


def ack(through: int, seq: int, key: bytes | None = CONN, epoch: bytes = EPOCH, repeats: int = 0) -> bytes:
    """Return an ack."""
    return down(0x81, seq, {1: epoch, 2: through, **({3: repeats} if repeats else {})}, key)


def write_or_check(files: dict[str, Callable[[], Any]]) -> int:
    """Write vectors, or with `--check` among the arguments only say which differ: exit code 1 then."""
    stale = []
    for name, build in files.items():
        path = Path(__file__).resolve().parent / name
        found = build()
        named(name, found)
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"tests/vectors/{name} is not what {Path(sys.argv[0]).name} builds", file=sys.stderr)
    return 1 if stale else 0
