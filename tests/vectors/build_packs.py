"""Build the vectors of packs, receipts and collector records: pack.json. `--check` compares and writes nothing."""

import hashlib
import struct
import sys

import cbor2
from conversation_oracle import DEVICE, EPOCH, Case, durable, heartbeat, mac, write_or_check

from weldgate_protocol import reasons

PACK_KEY = bytes(range(100, 132))
STORE = bytes(range(16))


def pack(
    items: bytes, count: int, n: int = 1, name: bytes = b"site", key: bytes = PACK_KEY, tail: bytes = b""
) -> bytes:
    """Return a pack."""
    head = b"WGP1" + STORE + bytes((len(name),)) + name + struct.pack(">Q", n) + bytes(32)
    body = head + struct.pack(">I", count) + items + tail
    return body + mac(key, body)


def item(index: int, data: bytes, kind: int = 1, length: int | None = None) -> bytes:
    """Return an item."""
    return struct.pack(">BQQH", kind, 1_795_500_000_123, index, len(data) if length is None else length) + data


def receipt(
    through: int = 1, name: bytes = b"site", key: bytes = PACK_KEY, tail: bytes = b"", magic: bytes = b"WGR1"
) -> bytes:
    """Return a receipt."""
    digest = hashlib.sha256(b"pack").digest()
    body = magic + b"consumer" + STORE + bytes((len(name),)) + name + struct.pack(">Q", through) + digest + tail
    return body + mac(key, body)


def build_pack() -> dict[str, list[Case]]:
    """Return pack.json: packs, receipts and collector records, good and bad."""
    frame = durable(4)
    malformed, foreign = reasons.PACK_MALFORMED, reasons.PACK_MAC
    good = pack(item(41, frame) + item(42, b"\xa0", 2), 2)
    packs: list[Case] = [
        {
            "name": "a frame and a record",
            "hex": good.hex(),
            "expect": {"n": 1, "first": 41, "count": 2, "digest": hashlib.sha256(good).hexdigest()},
        },
        {"name": "a name in Chinese", "hex": pack(item(1, frame), 1, 7, "站".encode()).hex(), "expect": {"n": 7}},
        {"name": "another key", "hex": pack(item(1, frame), 1, key=bytes(32)).hex(), "error": foreign},
        {"name": "a bit changed", "hex": (good[:60] + bytes((good[60] ^ 1,)) + good[61:]).hex(), "error": foreign},
        {"name": "cut short", "hex": good[:-1].hex(), "error": foreign},
        {"name": "empty", "hex": "", "error": malformed},
        {"name": "a receipt", "hex": receipt().hex(), "error": malformed},
        {"name": "number 0", "hex": pack(item(1, frame), 1, 0).hex(), "error": malformed},
        {"name": "no items", "hex": pack(b"", 0).hex(), "error": malformed},
        {"name": "more items claimed", "hex": pack(item(1, frame), 2).hex(), "error": malformed},
        {"name": "many items claimed", "hex": pack(item(1, frame), 0xFFFFFFFF).hex(), "error": malformed},
        {"name": "bytes left over", "hex": pack(item(1, frame), 1, tail=b"x").hex(), "error": malformed},
        {"name": "a hole in the indices", "hex": pack(item(1, b"") + item(3, b""), 2).hex(), "error": malformed},
        {"name": "unknown item kind", "hex": pack(item(1, b"", 3), 1).hex(), "error": malformed},
        {"name": "item cut off", "hex": pack(item(1, b"", length=9), 1).hex(), "error": malformed},
        {"name": "empty name", "hex": pack(item(1, b""), 1, name=b"").hex(), "error": malformed},
        {"name": "name of 65 bytes", "hex": pack(item(1, b""), 1, name=b"n" * 65).hex(), "error": malformed},
        {"name": "name that is no text", "hex": pack(item(1, b""), 1, name=b"\xff").hex(), "error": malformed},
        {"name": "over 256 000 bytes", "repeat": 4, "hex": pack(item(1, b""), 1).hex(), "error": malformed},
    ]
    receipts: list[Case] = [
        {"name": "through 1", "hex": receipt().hex(), "expect": {"through": 1}},
        {"name": "through none", "hex": receipt(0).hex(), "expect": {"through": 0}},
        {"name": "another key", "hex": receipt(key=bytes(32)).hex(), "error": foreign},
        {"name": "bytes left over", "hex": receipt(tail=b"x").hex(), "error": malformed},
        {"name": "empty name", "hex": receipt(name=b"").hex(), "error": malformed},
        {"name": "a pack", "hex": good.hex(), "error": malformed},
        {"name": "another version", "hex": receipt(magic=b"WGR2").hex(), "error": malformed},
    ]
    packs[-1] = {"name": "over 256 000 bytes", "zeros": 256_001, "hex": b"WGP1".hex(), "error": malformed}
    records: list[Case] = []
    base = {1: 1, 2: DEVICE, 3: EPOCH, 4: 1, 5: 3}
    for name, value, error in (
        ("gap", base, 0),
        ("conflict", {**base, 1: 2, 4: 3, 6: frame, 8: reasons.WIRE_CONFLICT}, 0),
        ("presence", {**base, 1: 3, 4: 0, 5: 0, 6: heartbeat(), 7: True}, 0),
        ("operator", {**base, 1: 4, 4: 0, 5: 0, 9: "lock 站"}, 0),
        ("unknown kind and key", {**base, 1: 9, 90: 1}, 0),
        ("range backward", {**base, 4: 4}, reasons.MESSAGE_FIELD_RANGE),
        ("range from 0", {**base, 4: 0}, reasons.MESSAGE_FIELD_RANGE),
        ("short device", {**base, 2: b"\1"}, reasons.MESSAGE_FIELD_RANGE),
        ("no epoch", {1: 1, 2: DEVICE, 4: 1, 5: 3}, reasons.MESSAGE_FIELD_RANGE),
        ("online is no boolean", {**base, 7: 1}, reasons.MESSAGE_FIELD_RANGE),
        ("text is no text", {**base, 9: b"x"}, reasons.MESSAGE_FIELD_RANGE),
        ("no map", [1], reasons.MESSAGE_NOT_MAP),
    ):
        case: Case = {"name": name, "hex": cbor2.dumps(value, canonical=True).hex()}
        records.append({**case, "error": error} if error else case)
    return {"pack": packs, "receipt": receipts, "record": records, "order": build_orders(), "result": build_results()}


def order(
    object_: bytes = b"signed", length: int | None = None, key: bytes = PACK_KEY, magic: bytes = b"WGO1"
) -> bytes:
    """Return an order's envelope."""
    size = len(object_) if length is None else length
    body = magic + DEVICE + struct.pack(">BH", 0x85, size) + object_
    return body + mac(key, body)


def build_orders() -> list[Case]:
    """Return the cases of order envelopes."""
    good = order()
    malformed, foreign = reasons.PACK_MALFORMED, reasons.PACK_MAC
    return [
        {
            "name": "a release",
            "hex": good.hex(),
            "expect": {"device": DEVICE.hex(), "type": 0x85, "object": "7369676e6564"},
        },
        {"name": "the largest object", "hex": order(bytes(1000)).hex(), "expect": {"type": 0x85}},
        {"name": "another key", "hex": order(key=bytes(32)).hex(), "error": foreign},
        {"name": "a bit changed", "hex": (good[:12] + bytes((good[12] ^ 1,)) + good[13:]).hex(), "error": foreign},
        {"name": "no object", "hex": order(b"").hex(), "error": malformed},
        {"name": "object of 1001 bytes", "hex": order(bytes(1001)).hex(), "error": malformed},
        {"name": "length beyond the end", "hex": order(length=7).hex(), "error": malformed},
        {"name": "a result", "hex": order(magic=b"WGS1").hex(), "error": malformed},
        {"name": "empty", "hex": "", "error": malformed},
    ]


def result(state: int = 3, reason: int = 0, key: bytes = PACK_KEY, tail: bytes = b"") -> bytes:
    """Return a result's envelope."""
    body = b"WGS1" + b"order-id" + DEVICE + struct.pack(">BBHQ", 0x85, state, reason, 1_795_500_000) + tail
    return body + mac(key, body)


def build_results() -> list[Case]:
    """Return the cases of result envelopes."""
    good = result()
    malformed, foreign = reasons.PACK_MALFORMED, reasons.PACK_MAC
    return [
        {"name": "applied", "hex": good.hex(), "expect": {"order": b"order-id".hex(), "state": 3, "reason": 0}},
        {"name": "refused", "hex": result(4, 41).hex(), "expect": {"state": 4, "reason": 41}},
        {"name": "another key", "hex": result(key=bytes(32)).hex(), "error": foreign},
        {"name": "bytes left over", "hex": result(tail=b"x").hex(), "error": malformed},
        {"name": "cut short", "hex": good[:-1].hex(), "error": malformed},
        {"name": "an order", "hex": order(bytes(16)).hex(), "error": malformed},
    ]


def main() -> int:
    """Write the files, or compare them."""
    return write_or_check({"pack.json": build_pack})


if __name__ == "__main__":
    sys.exit(main())
