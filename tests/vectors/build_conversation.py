"""Build the vectors of keys and conversation: keys.json, conversation.json. `--check` compares and writes nothing.

A conversation is a script: what one end is told, what it must answer. From the product come the numbers of the reasons
and nothing else; the bytes come from `conversation_oracle`.
"""

import sys
from typing import Any

from conversation_oracle import (
    CHIP_NONCE,
    CONN,
    DEVICE,
    EPOCH,
    FLOOR,
    HEARTBEAT,
    NONCE,
    ORDER_ID,
    OTHER,
    ROOT,
    SYNCED,
    TIME,
    UP,
    Case,
    ack,
    derived,
    down,
    durable,
    gap,
    heartbeat,
    hello,
    mac,
    raw,
    welcome,
    wire,
    write_or_check,
)

from weldgate_protocol import reasons


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
    return {"derive": derive, "connection": connection, "wrap": [wrapped(n) for n in (1, 8)]}


def wrapped(generation: int) -> Case:
    """Return the keys of a generation as a rekey order brings them, wrapped under K_seal of the one before."""
    order = bytes(range(0x11, 0x19))
    k_seal = derived("seal", DEVICE, generation - 1)
    key = mac(k_seal, b"weldgate/1/rekey\0" + order + generation.to_bytes(4, "big"))
    secrets = b"".join(derived(purpose, DEVICE, generation) for purpose in ("up", "down", "seal"))
    stream = mac(key, b"\0") + mac(key, b"\1") + mac(key, b"\2")
    hidden = bytes(a ^ b for a, b in zip(secrets, stream, strict=True))
    return {
        "name": f"wrapped for generation {generation}",
        "k_seal": k_seal.hex(),
        "order": order.hex(),
        "generation": generation,
        "secrets": secrets.hex(),
        "wrapped": (hidden + mac(key, b"\3" + hidden)[:16]).hex(),
    }


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
        "welcome without a nonce": [got(down(0x80, 1, {2: 0, 3: 3}), "BAD", reason=BAD_TAG, closed=False)],
        "welcome for another chip": [got(welcome(device=OTHER), "BAD", reason=BAD_TAG)],
        "welcome for another epoch": [got(welcome(epoch=b"\0\0\0\1"), "BAD", closed=True)],
        "high-water ahead of the chip": [got(welcome(9), "WELCOMED_AHEAD", high_water=9, closed=False)],
        "high-water beyond belief": [got(welcome(2_000_000), "BAD", closed=True, reason=reasons.WIRE_HIGH_WATER)],
        "high-water gone backward": [got(welcome(0), "WELCOMED", high_water=0, acked=0)],
        "ack of what was sent": [*OPEN, {"sent": 4}, got(ack(4, 2), "ACKED", acked=4, authentic=True)],
        "ack that counts each repeat": [
            got(welcome(9), "WELCOMED_AHEAD"),
            says(heartbeat()),
            {"sent": 4},
            {"sent": 5},
            {"sent": 10},
            got(ack(10, 2, repeats=2), "ACKED", acked=10),
        ],
        "ack that misses a repeat": [
            got(welcome(9), "WELCOMED_AHEAD"),
            says(heartbeat()),
            {"sent": 4},
            {"sent": 5},
            {"sent": 10},
            got(ack(10, 2, repeats=1), "IGNORED", acked=9, closed=False),
        ],
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
        "hello that lacks a field": (
            3,
            [told(raw(0x01, 1, {1: CHIP_NONCE}, UP), ["close", reasons.MESSAGE_MISSING])],
        ),
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
        "repeats are counted": (
            9,
            [
                *opened(9, 1, 5),
                told(durable(4), ["repeat", 4]),
                told(durable(5), ["repeat", 5]),
                told(durable(5), ["repeat", 5]),
                told(heartbeat(3), ["volatile", 2, True], sent(ack(9, 3, repeats=2))),
                told(durable(10), ["durable", 10]),
                {"acknowledge": 10, "wire": wire(ack(10, 4, repeats=2)).hex()},
            ],
        ),
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


def main() -> int:
    """Write the files, or compare them."""
    return write_or_check({"keys.json": build_keys, "conversation.json": build_conversation})


if __name__ == "__main__":
    sys.exit(main())
