"""Build the vectors of keys, conversation and packs: keys.json, conversation.json, pack.json. `--check` only compares.

The bytes come from `hmac`, `struct`, cbor2, crcmod-plus and a stuffing of its own; from the product come the numbers
of the reasons and nothing else. A conversation is a script: what one end is told, what it must answer.
"""

import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path
from typing import Any

import cbor2
import crcmod.predefined

from weldgate_protocol import reasons

HERE = Path(__file__).resolve().parent
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


def ack(through: int, seq: int, key: bytes | None = CONN, epoch: bytes = EPOCH) -> bytes:
    """Return an ack."""
    return down(0x81, seq, {1: epoch, 2: through}, key)


def build_keys() -> dict[str, list[Case]]:
    """Return keys.json."""
    derive = []
    for purpose in ("up", "down", "seal"):
        for device, generation in ((DEVICE, 2), (bytes(8), 0), (b"\x7f" + b"\xff" * 7, 0xFFFFFFFF)):
            key = derived(purpose, device, generation)
            derive.append(
                {
                    "name": f"{purpose} of generation {generation}",
                    "root": ROOT.hex(),
                    "purpose": purpose,
                    "device": device.hex(),
                    "generation": generation,
                    "key": key.hex(),
                }
            )
    pairs = ((CHIP_NONCE, NONCE), (NONCE, CHIP_NONCE), (bytes(16), bytes(16)))
    connection = [
        {
            "name": f"connection {i}",
            "k_down": derived("down").hex(),
            "chip_nonce": chip.hex(),
            "collector_nonce": collector.hex(),
            "key": mac(derived("down"), b"weldgate/1/conn\0" + chip + collector).hex(),
        }
        for i, (chip, collector) in enumerate(pairs, 1)
    ]
    return {"derive": derive, "connection": connection}


def got(frame: bytes, event: str, now_ms: int = 100, **expect: Any) -> Case:
    """Return a step of the chip's end: a frame comes, this event and these attributes follow."""
    return {"receive": frame.hex(), "now_ms": now_ms, "event": event, "expect": expect}


def says(expect: bytes) -> Case:
    """Return a step of the chip's end: it sends its heartbeat, these are the bytes."""
    return {"heartbeat": wire(expect).hex()}


OPEN = [got(welcome(), "WELCOMED", high_water=3, acked=3, time_fresh=True, closed=False), says(heartbeat())]
BAD_TAG = reasons.FRAME_TAG
LOCK = {1: 2, 2: ORDER_ID, 3: 103}


def chip_cases() -> list[Case]:
    """Return the scripts of the chip's end; each begins with its hello."""
    forged = bytes(32)
    turned = [(4, reasons.WIRE_UNKNOWN_CHIP), (5, 86400)]
    scripts: dict[str, list[Case]] = {
        "accepted, then the heartbeat": OPEN,
        "welcome with another key is no welcome": [got(welcome(key=forged), "BAD", reason=BAD_TAG, closed=False)],
        "welcome of another connection is no welcome": [
            got(welcome(key=mac(derived("down"), b"weldgate/1/conn\0" + NONCE + NONCE)), "BAD", reason=BAD_TAG)
        ],
        "accepted with a zero tag is no welcome": [got(welcome(key=None), "BAD", reason=BAD_TAG, closed=False)],
        "rejected with a zero tag only slows": [
            got(welcome(0, 2, None, FLOOR, turned), "REJECTED", closed=True, retry_s=300, authentic=False)
        ],
        "rejected under the key": [got(welcome(0, 2, extra=turned), "REJECTED", closed=True, authentic=False)],
        "pending": [got(welcome(0, 1, extra=[(5, 30)]), "PENDING", closed=True, retry_s=30, authentic=False)],
        "time after five seconds is not taken": [got(welcome(), "WELCOMED", 5_101, time_fresh=False)],
        "time at five seconds is taken": [got(welcome(), "WELCOMED", 5_100, time_fresh=True, time_s=TIME[0])],
        "time of an unsure clock is not taken": [got(welcome(flags=FLOOR), "WELCOMED", time_fresh=False)],
        "welcome after thirty seconds": [got(welcome(), "BAD", 30_101, closed=True, reason=reasons.WIRE_WELCOME_LATE)],
        "welcome twice": [*OPEN, got(down(0x80, 2, {1: NONCE, 2: 0, 3: 5}), "BAD", closed=True)],
        "welcome for another chip": [got(welcome(device=OTHER), "BAD", reason=BAD_TAG)],
        "welcome for another epoch": [got(welcome(epoch=b"\0\0\0\1"), "BAD", closed=True)],
        "high-water ahead of the chip": [got(welcome(9), "WELCOMED_AHEAD", high_water=9, closed=False)],
        "high-water beyond belief": [got(welcome(2_000_000), "BAD", closed=True, reason=reasons.WIRE_HIGH_WATER)],
        "high-water gone backward": [got(welcome(0), "WELCOMED", high_water=0, acked=0)],
        "ack of what was sent": [*OPEN, {"sent": 4}, got(ack(4, 2), "ACKED", acked=4, authentic=True)],
        "ack beyond what was sent": [
            *OPEN,
            {"sent": 4},
            got(ack(5, 2), "BAD", acked=3, closed=True, reason=reasons.WIRE_ACK_BEYOND_SENT),
        ],
        "ack of another epoch": [*OPEN, {"sent": 4}, got(ack(4, 2, epoch=b"\0\0\0\1"), "BAD", acked=3, closed=True)],
        "ack that says nothing new": [*OPEN, got(ack(3, 2), "IGNORED", acked=3, authentic=True)],
        "ack again in the connection": [
            *OPEN,
            {"sent": 4},
            got(ack(4, 3), "ACKED"),
            got(ack(4, 3), "BAD", reason=reasons.FRAME_SEQUENCE, closed=False, authentic=False),
            got(ack(4, 2), "BAD", reason=reasons.FRAME_SEQUENCE, closed=False),
        ],
        "lock": [*OPEN, got(down(0x84, 2, LOCK), "LOCK", authentic=True)],
        "lock before the heartbeat": [OPEN[0], got(down(0x84, 2, LOCK), "LOCK")],
        "lock before the welcome": [got(down(0x84, 2, LOCK), "BAD", reason=BAD_TAG, authentic=False)],
        "lock with a bad tag": [*OPEN, got(down(0x84, 2, LOCK, forged), "BAD", reason=BAD_TAG, authentic=False)],
        "lock with an unknown key is obeyed": [*OPEN, got(down(0x84, 2, {**LOCK, 90: 1}), "LOCK")],
        "lock that makes no sense is obeyed": [*OPEN, got(down(0x84, 2, b"\xff"), "LOCK", authentic=True)],
        "token": [*OPEN, got(down(0x83, 2, {1: b"token"}), "TOKEN", type=0x83)],
        "order": [*OPEN, got(down(0x85, 2, {1: b"object"}), "ORDER", type=0x85)],
        "identify": [*OPEN, got(down(0x8B, 2, {1: 5}), "IDENTIFY")],
        "query": [*OPEN, got(down(0x8D, 2, {1: ORDER_ID, 2: 1}), "QUERY")],
        "unknown type": [*OPEN, got(down(0xA0, 2, {}), "IGNORED", authentic=True, closed=False)],
        "malformed payload": [*OPEN, got(down(0x83, 2, b"\xa0"), "BAD", closed=False, authentic=True)],
        "another chip's frame under the key": [
            *OPEN,
            got(down(0x8B, 2, {1: 5}, device=OTHER), "BAD", closed=True, reason=reasons.FRAME_DEVICE),
        ],
        "own heartbeat reflected": [*OPEN, got(heartbeat(5), "BAD", closed=True, reason=reasons.FRAME_DIRECTION)],
        "three bad tags": [
            *OPEN,
            got(ack(4, 2, forged), "BAD", reason=BAD_TAG, closed=False),
            got(b"short", "BAD", reason=BAD_TAG, closed=False),
            got(ack(4, 2, forged), "BAD", reason=reasons.WIRE_BAD_TAGS, closed=True),
            got(down(0x84, 2, LOCK), "IGNORED", closed=True),
        ],
    }
    first = {"hello": wire(hello()).hex(), "oldest": 1, "highest": 5, "now_ms": 100}
    return [{"name": name, "steps": [first, *steps]} for name, steps in scripts.items()]


def sent(frame: bytes) -> list[Any]:
    """Return an event of the collector's end: these bytes go out."""
    return ["send", wire(frame).hex()]


def told(frame: bytes, *events: list[Any]) -> Case:
    """Return a step of the collector's end: a frame comes, these events follow, in this order."""
    return {"receive": frame.hex(), "events": list(events)}


def opened(high: int = 3, oldest: int = 1, highest: int = 5) -> list[Case]:
    """Return the steps by which a chip comes online."""
    events: list[list[Any]] = [["online"]]
    if oldest > high + 1:
        events.append(["declare", EPOCH.hex(), high + 1, oldest - 1])
    if high > highest:
        events.append(["ahead", EPOCH.hex(), highest, high])
    return [
        told(hello(oldest, highest), sent(welcome(high))),
        told(heartbeat(), *events, ["volatile", 2, True], sent(ack(high, 2))),
    ]


def collector_cases() -> list[Case]:
    """Return the scripts of the collector's end; it knows DEVICE, and `high` is its high-water."""
    forged = bytes(32)
    hole = ["close", reasons.WIRE_SEQUENCE_HOLE]
    refused = [(4, reasons.FRAME_TAG)]
    unknown = [(4, reasons.WIRE_UNKNOWN_CHIP)]
    scripts: dict[str, tuple[int | None, list[Case]]] = {
        "online": (3, opened()),
        "unknown chip": (
            3,
            [
                told(
                    hello(device=OTHER),
                    sent(welcome(0, 2, None, extra=unknown, device=OTHER)),
                    ["close", reasons.WIRE_UNKNOWN_CHIP],
                )
            ],
        ),
        "hello under another key": (
            3,
            [told(hello(key=forged), sent(welcome(0, 2, None, extra=refused)), ["close", reasons.FRAME_TAG])],
        ),
        "hello of a generation not held": (
            3,
            [
                told(
                    hello(flags=SYNCED | 4),
                    sent(welcome(0, 2, None, SYNCED | 4, refused)),
                    ["close", reasons.FRAME_TAG],
                )
            ],
        ),
        "hello with a sequence number other than 1": (3, [told(hello(seq=2), ["close", reasons.FRAME_SEQUENCE])]),
        "hello whose oldest is past its highest": (3, [told(hello(9, 5), ["close", reasons.MESSAGE_FIELD_RANGE])]),
        "hello twice": (3, [*opened(), told(hello(), ["close", reasons.WIRE_UNEXPECTED])]),
        "hello of a new epoch": (3, [*opened(), told(hello(epoch=bytes(4)), ["close", reasons.WIRE_UNEXPECTED])]),
        "durable before the hello": (3, [told(durable(4), ["close", reasons.WIRE_UNEXPECTED])]),
        "durable before the heartbeat": (
            3,
            [opened()[0], told(durable(4), ["close", reasons.WIRE_NOT_ONLINE])],
        ),
        "recorded heartbeat proves nothing": (
            3,
            [opened()[0], told(heartbeat(key=forged), ["refused", BAD_TAG])],
        ),
        "next in line": (
            3,
            [
                *opened(),
                told(durable(4), ["durable", 4]),
                {"acknowledge": 9, "wire": wire(ack(4, 3)).hex()},
                {"acknowledge": 4, "wire": ""},
                told(durable(5), ["durable", 5]),
            ],
        ),
        "malformed payload in line": (3, [*opened(), told(durable(4, payload=b"\xff"), ["durable", 4])]),
        "unknown durable type in line": (3, [*opened(), told(durable(4, 0x7F), ["durable", 4])]),
        "repeat": (3, [*opened(), told(durable(2), ["repeat", 2])]),
        "hole": (3, [*opened(), told(durable(5), hole)]),
        "hole bridged": (3, [*opened(), told(gap(6, 4, 5), ["bridge", 6, 4]), told(durable(7), ["durable", 7])]),
        "hole bridged too short": (3, [*opened(), told(gap(6, 5, 5), hole)]),
        "hole bridged too far": (3, [*opened(), told(gap(6, 3, 5), hole)]),
        "hole bridged without an end": (3, [*opened(), told(gap(6, 4, None), hole)]),
        "hole bridged for another epoch": (
            3,
            [*opened(), told(durable(6, 0x48, {1: bytes(4), 2: 4, 3: 5, 4: 1}), hole)],
        ),
        "hole bridged by something else": (3, [*opened(), told(durable(6, 0x4C, {2: 4, 3: 5}), hole)]),
        "durable of another chip": (
            3,
            [*opened(), told(durable(4, device=OTHER), ["close", reasons.FRAME_DEVICE])],
        ),
        "durable of another epoch": (
            3,
            [*opened(), told(durable(4, epoch=bytes(4)), ["close", reasons.WIRE_OTHER_EPOCH])],
        ),
        "own ack reflected": (3, [*opened(), told(ack(3, 9), ["close", reasons.FRAME_DIRECTION])]),
        "heartbeat again in the connection": (
            3,
            [*opened(), told(heartbeat(), ["refused", reasons.FRAME_SEQUENCE])],
        ),
        "unknown volatile type is kept": (
            3,
            [*opened(), told(raw(0x3F, 3, {1: 1}, CONN), ["volatile", 0x3F, False])],
        ),
        "unknown volatile key is kept": (
            3,
            [
                *opened(),
                told(raw(0x02, 3, {**HEARTBEAT, 99: 1}, CONN), ["volatile", 2, True], sent(ack(3, 3))),
            ],
        ),
        "three bad tags": (
            3,
            [
                *opened(),
                told(durable(4, key=forged), ["refused", BAD_TAG]),
                told(heartbeat(3, forged), ["refused", BAD_TAG]),
                told(durable(4, key=CONN), ["close", reasons.WIRE_BAD_TAGS]),
                told(durable(4)),
            ],
        ),
        "collector new to the epoch begins at the oldest": (
            None,
            [
                told(hello(4, 5), sent(welcome(0))),
                told(
                    heartbeat(),
                    ["online"],
                    ["declare", EPOCH.hex(), 1, 3],
                    ["volatile", 2, True],
                    sent(ack(0, 2)),
                ),
                told(durable(4), ["durable", 4]),
            ],
        ),
        "oldest past the high-water is declared": (3, [*opened(3, 6, 9), told(durable(6), ["durable", 6])]),
        "a replayed hello declares nothing": (3, [told(hello(6, 9), sent(welcome(3)))]),
        "high-water ahead of the chip": (9, [*opened(9, 1, 5), told(durable(10), ["durable", 10])]),
    }
    return [{"name": name, "high": high, "steps": steps} for name, (high, steps) in scripts.items()]


def build_conversation() -> dict[str, Any]:
    """Return conversation.json."""
    return {
        "device": DEVICE.hex(),
        "epoch": EPOCH.hex(),
        "generation": 2,
        "k_up": UP.hex(),
        "k_down": derived("down").hex(),
        "chip_nonce": CHIP_NONCE.hex(),
        "collector_nonce": NONCE.hex(),
        "time_s": TIME[0],
        "time_ms": TIME[1],
        "chip": chip_cases(),
        "collector": collector_cases(),
    }


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
        {"name": "a frame and a record", "hex": good.hex(), "expect": {"n": 1, "first": 41, "count": 2}},
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
    return {"pack": packs, "receipt": receipts, "record": records}


def main() -> int:
    """Write the files, or compare them."""
    stale = []
    for name, build in (("keys", build_keys), ("conversation", build_conversation), ("pack", build_pack)):
        path = HERE / f"{name}.json"
        text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
        if "--check" in sys.argv:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(path.name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print("stale, run tests/vectors/build_conversation.py:", ", ".join(stale))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
