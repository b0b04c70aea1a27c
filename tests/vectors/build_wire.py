"""Build the wire's vectors: frame, stream, cbor, messages and seal.json. `--check` compares and writes nothing.

The bytes come from oracles that share no code with the product: `struct` and a stuffing loop of its own for frames,
crcmod-plus for the CRC, CPython's `hmac` for tags, cbor2 for CBOR, `wire_examples.py` for the messages. From the
product comes only the register of reasons, for the numbers.
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
from seal_examples import seals
from wire_examples import EPOCH, EXAMPLES, OPTIONAL, SEAL, WRONG

from weldgate_protocol import reasons

HERE = Path(__file__).resolve().parent
DEVICE = (4_503_599_627_370_497).to_bytes(8, "big")
KEY = bytes(range(32))
Case = dict[str, Any]
crc16: Callable[[bytes], int] = crcmod.predefined.mkPredefinedCrcFun("x-25")


def code(name: str) -> int:
    """Return the number of a reason."""
    return int(getattr(reasons, name))


def plain(value: Any) -> Any:
    """Return the value in JSON: {"h": hex} for bytes, {"m": [[key, value] …]} for maps."""
    if isinstance(value, bytes):
        return {"h": value.hex()}
    if isinstance(value, dict):
        return {"m": [[key, plain(value[key])] for key in value]}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def dumps(value: Any) -> bytes:
    """Return RFC 8949 §4.2.1 encoding; cbor2's own canonical order is the older, length-first one."""
    if isinstance(value, dict):
        pairs = sorted((cbor2.dumps(key), dumps(item)) for key, item in value.items())
        head = bytearray(cbor2.dumps([0] * len(pairs))[: 1 if len(pairs) < 24 else 2 if len(pairs) < 256 else 3])
        head[0] += 0x20  # an array's head made a map's
        return bytes(head) + b"".join(key + item for key, item in pairs)
    if isinstance(value, list):
        head = bytearray(cbor2.dumps([0] * len(value))[: 1 if len(value) < 24 else 2 if len(value) < 256 else 3])
        return bytes(head) + b"".join(dumps(item) for item in value)
    return cbor2.dumps(value)


# frames


def raw(
    flags: int, type_: int, seq: int, payload: bytes = b"\xa0", *, ms: int = 999, device: bytes = DEVICE, **odd: int
) -> bytes:
    """Return header, payload and tag, lawful or not."""
    length = odd.get("length", len(payload))
    head = struct.pack(">BB8s4sIIHH", flags, type_, device, EPOCH, seq, 1_795_500_000, ms, length)
    return head + payload + hmac.new(KEY, head + payload, "sha256").digest()[:8]


def stuff(data: bytes) -> bytes:
    """Return the data with 7E and 7D escaped, byte by byte."""
    out = b""
    for byte in data:
        out += {0x7E: b"\x7d\x02", 0x7D: b"\x7d\x01"}.get(byte, bytes([byte]))
    return out


def inner(data: bytes) -> bytes:
    """Return what stands between the delimiters."""
    return stuff(data + crc16(data).to_bytes(2, "big"))


def frame_accepted() -> list[Case]:
    """Frames that are read."""
    every_byte = bytes(range(256)) * 4
    frames = {
        "shortest: no payload": raw(0x20, 0x01, 1, b""),
        "hello, time floor": raw(0x20, 0x01, 1),
        "heartbeat, time held": raw(0x21, 0x02, 2),
        "durable, time synced, odd key generation": raw(0x2E, 0x45, 0xFFFFFFFF),
        "downlink ack": raw(0x32, 0x81, 3),
        "private uplink": raw(0x20, 0xF0, 1),
        "private durable uplink": raw(0x28, 0xF1, 1),
        "private downlink": raw(0x30, 0xFF, 1),
        "unknown volatile type 3f": raw(0x20, 0x3F, 1),
        "unknown durable type 7f": raw(0x28, 0x7F, 1),
        "largest, every byte value": raw(0x2A, 0x45, 9, every_byte),
        "largest, all of it stuffed": raw(0x2A, 0x45, 9, b"\x7e" * 1024),
        "escapes that meet: 7d 02 7d 01 7e 01 02": raw(0x2A, 0x45, 9, bytes.fromhex("7d027d017e0102")),
        "highest device id": raw(0x20, 0x01, 1, device=b"\x7f" + b"\xff" * 7),
        "lowest device id": raw(0x20, 0x01, 1, device=bytes(8)),
        "millisecond 0": raw(0x20, 0x01, 1, ms=0),
    }
    cases = []
    for name, data in frames.items():
        flags, type_, device, epoch, seq, time_s, time_ms, length = struct.unpack_from(">BB8s4sIIHH", data)
        fields = {
            "flags": flags, "type": type_, "device": device.hex(), "epoch": epoch.hex(), "seq": seq,
            "time_s": time_s, "time_ms": time_ms, "payload": data[26 : 26 + length].hex(), "tag": data[-8:].hex(),
        }  # fmt: skip
        cases.append({"name": name, "hex": inner(data).hex(), "expect": {"raw": data.hex(), "fields": fields}})
    return cases


def frame_refused() -> list[Case]:
    """Bytes between delimiters that are no frame."""
    good = inner(raw(0x2A, 0x45, 9))
    whole = raw(0x2A, 0x45, 9)
    swapped = stuff(whole + crc16(whole).to_bytes(2, "little"))
    left_out = stuff(raw(0x2A, 0x45, 9, bytes(4)))
    table = [
        ("nothing", b"", "FRAME_SHORT"),
        ("35 bytes with their CRC", inner(whole[:33]), "FRAME_SHORT"),
        ("first byte flipped", bytes([good[0] ^ 1]) + good[1:], "FRAME_CRC"),
        ("one bit of the payload flipped", good[:27] + bytes([good[27] ^ 0x40]) + good[28:], "FRAME_CRC"),
        ("last byte flipped", good[:-1] + bytes([good[-1] ^ 1]), "FRAME_CRC"),
        ("one byte cut", good[:-1], "FRAME_CRC"),
        ("one byte more", good + b"\x00", "FRAME_CRC"),
        ("CRC low byte first", swapped, "FRAME_CRC"),
        ("CRC left out", left_out, "FRAME_CRC"),
        ("all zero", bytes(36), "FRAME_CRC"),
        ("7d at the end", good + b"\x7d", "FRAME_STUFFING"),
        ("7d 00", good + b"\x7d\x00", "FRAME_STUFFING"),
        ("7d 03", b"\x7d\x03" + good, "FRAME_STUFFING"),
        ("7d 7d 01", b"\x7d\x7d\x01" + good, "FRAME_STUFFING"),
        ("7d 5e, which is PPP's escape", b"\x7d\x5e" + good, "FRAME_STUFFING"),
        ("a delimiter inside", good[:9] + b"\x7e" + good[9:], "FRAME_STUFFING"),
        ("2121 bytes", bytes(2121), "FRAME_LENGTH"),
        ("length one less than the payload", inner(raw(0x2A, 0x45, 9, b"\xa0\xa0", length=1)), "FRAME_LENGTH"),
        ("length one more than the payload", inner(raw(0x2A, 0x45, 9, b"\xa0", length=2)), "FRAME_LENGTH"),
        ("payload of 1025", inner(raw(0x2A, 0x45, 9, bytes(1025))), "FRAME_LENGTH"),
        ("length 65535", inner(raw(0x2A, 0x45, 9, b"\xa0", length=65535)), "FRAME_LENGTH"),
        ("version 0", inner(raw(0x0A, 0x45, 9)), "FRAME_VERSION"),
        ("version 2", inner(raw(0x4A, 0x45, 9)), "FRAME_VERSION"),
        ("version 7", inner(raw(0xEA, 0x45, 9)), "FRAME_VERSION"),
        ("time quality 3", inner(raw(0x2B, 0x45, 9)), "FRAME_QUALITY"),
        ("uplink type that says down", inner(raw(0x30, 0x02, 9)), "FRAME_DIRECTION"),
        ("durable type that says down", inner(raw(0x38, 0x45, 9)), "FRAME_DIRECTION"),
        ("downlink type that says up", inner(raw(0x20, 0x84, 9)), "FRAME_DIRECTION"),
        ("durable type without the bit", inner(raw(0x22, 0x45, 9)), "FRAME_DURABLE"),
        ("volatile type with the bit", inner(raw(0x2A, 0x02, 9)), "FRAME_DURABLE"),
        ("downlink type with the bit", inner(raw(0x3A, 0x84, 9)), "FRAME_DURABLE"),
        ("private, down and durable", inner(raw(0x38, 0xF0, 9)), "FRAME_DURABLE"),
        ("device id of 2^63", inner(raw(0x2A, 0x45, 9, device=b"\x80" + bytes(7))), "FRAME_DEVICE"),
        ("sequence number 0", inner(raw(0x2A, 0x45, 0)), "FRAME_SEQUENCE"),
        ("millisecond 1000", inner(raw(0x2A, 0x45, 9, ms=1000)), "FRAME_TIME"),
        ("millisecond 65535", inner(raw(0x2A, 0x45, 9, ms=65535)), "FRAME_TIME"),
    ]
    return [{"name": name, "hex": data.hex(), "error": code(reason)} for name, data, reason in table]


def frame_tags() -> list[Case]:
    """Raw frames under a key, and the same with one thing changed."""
    good = raw(0x2A, 0x45, 9, bytes.fromhex("a1011864"))
    variants = {
        "right key": (KEY, good, True),
        "other key": (KEY[::-1], good, False),
        "payload changed": (KEY, good[:29] + b"\x65" + good[30:], False),
        "sequence number changed": (KEY, good[:17] + b"\x0a" + good[18:], False),
        "flags changed": (KEY, b"\x2e" + good[1:], False),
        "last bit of the tag changed": (KEY, good[:-1] + bytes([good[-1] ^ 1]), False),
        "zero tag": (KEY, good[:-8] + bytes(8), False),
        "key longer than a block": (KEY * 3, good[:-8] + hmac.new(KEY * 3, good[:-8], "sha256").digest()[:8], True),
    }
    return [
        {"name": "tag: " + name, "hex": data.hex(), "key": key.hex(), "matches": matches}
        for name, (key, data, matches) in variants.items()
    ]


# streams


def stream_cases() -> list[Case]:
    """Byte streams, the frames in them and what was counted."""
    frames = [raw(0x2A, 0x45, n, b"\xa1\x01\x18\x7e") for n in (1, 2, 3)]
    wires = [b"\x7e" + inner(data) + b"\x7e" for data in frames]
    one, two, three = wires
    broken = two[:20] + bytes([two[20] ^ 0x10]) + two[21:]
    version2 = b"\x7e" + inner(raw(0x4A, 0x45, 9)) + b"\x7e"
    biggest = raw(0x2A, 0x45, 9, b"\x7e" * 1024)
    big = b"\x7e" + inner(biggest) + b"\x7e"
    shared = b"\x7e" + b"\x7e".join(wire[1:-1] for wire in wires) + b"\x7e"
    table: list[tuple[str, bytes, list[bytes], dict[str, int]]] = [
        ("three frames", one + two + three, frames, {}),
        ("neighbours share a delimiter", shared, frames, {}),
        ("no leading delimiter", one[1:] + two, frames[:2], {}),
        ("a run of delimiters between", one + b"\x7e" * 9 + two, frames[:2], {}),
        ("noise before the first delimiter", b"\x00\xff" * 9 + one, frames[:1], {"crc_errors": 1}),
        ("noise between", one + b"noise" + two, frames[:2], {"crc_errors": 1}),
        ("noise with delimiters", b"~a~b~~c~" + one, frames[:1], {"crc_errors": 3}),
        ("one frame broken", one + broken + three, [frames[0], frames[2]], {"crc_errors": 1}),
        ("start of a frame, then the next", two[:25] + three, frames[2:], {"crc_errors": 1}),
        ("lone escape", b"\x7e\x7d\x7e" + one, frames[:1], {"stuffing_errors": 1}),
        ("escape before a delimiter", two[:-1] + b"\x7d\x7e" + three, frames[2:], {"stuffing_errors": 1}),
        ("other version", version2 + one, frames[:1], {"header_errors": 1}),
        ("largest frame", big + one, [biggest, frames[0]], {}),
        ("2121 bytes, then a frame", b"\x7e" + bytes(2121) + one, frames[:1], {"oversize": 1}),
        ("5000 bytes, then a frame", b"\x7e" + b"\x55" * 5000 + one, frames[:1], {"oversize": 1}),
        ("end of a frame only", one[9:], [], {"crc_errors": 1}),
        ("unfinished", one + two[:-1], frames[:1], {}),
        ("nothing", b"", [], {}),
        ("only delimiters", b"\x7e" * 50, [], {}),
        ("only escapes", b"\x7d" * 50 + b"\x7e", [], {"stuffing_errors": 1}),
    ]
    return [
        {"name": name, "hex": data.hex(), "expect": {"frames": [item.hex() for item in found], "counts": counts}}
        for name, data, found, counts in table
    ]


# CBOR

CBOR_VALUES: list[Any] = [
    *(0, 1, 10, 23, 24, 25, 100, 255, 256, 1000, 65535, 65536, 1_000_000),
    *((1 << 32) - 1, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
    *(-1, -10, -24, -25, -100, -256, -257, -65536, -65537, -(1 << 32), -(1 << 32) - 1, -(1 << 63)),
    *(True, False, None),
    *(b"", b"\x00", b"\x7e\x7d", bytes(23), bytes(24), bytes(255), bytes(256)),
    *("", "a", "IETF", "焊机", "é", "\x00", "\ud7ff", "\ue000", "\U00010000", "\U0010ffff", "x" * 24),
    *([], [1, 2, 3], [[], {}], list(range(24)), [[[[]]]], [{1: [{}]}]),
    *({}, {1: 2, 3: 4}, {0: 0, 23: 1, 24: 2, 255: 3, 256: 4, 65536: 5}, {-1: 0}, {0: 0, 24: 1, -1: 2, -25: 3}),
    *([0] * 255, dict.fromkeys(range(127)), [[], *[0] * 254]),
    *({(1 << 64) - 1: 1, -(1 << 63): 2}, {1: {2: {3: {4: 5}}}}, {n: n for n in range(24)}),
]

CBOR_REFUSED: dict[str, tuple[str, ...]] = {
    "CBOR_TRUNCATED": (
        *("", "18", "1900", "1a000000", "1b00000000000000", "38", "41", "4200", "58", "5818", "61", "62c3"),
        *("81", "8200", "98ff", "a1", "a101", "a20101", "b8ff00", "5bffffffffffffffff", "7affffffff"),
        *("9affffffff", "9bffffffffffffffff", "bbffffffffffffffff", "82818181"),
    ),
    "CBOR_TRAILING": ("0000", "f600", "a000", "4100ff", "8000", "01ff", "6161ff"),
    "CBOR_NOT_CANONICAL": (
        *("1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000", "1b00000000ffffffff"),
        *("3800", "3817", "3900ff", "3a0000ffff", "3b00000000ffffffff", "5800", "580100", "590001ff", "780161"),
        *("9800", "980101", "b800", "b8010101", "a1180101", "a119000101", "79000161"),
    ),
    "CBOR_TYPE": (
        *("e0", "f3", "f7", "f820", "f8ff", "f814", "f90000", "f97e00", "fa47c35000", "fb3ff199999999999a", "ff", "fc"),
        *("1c", "1d", "1e", "1f", "3f", "5c", "5f", "5f4100ff", "7f", "7f6161ff", "9f", "9fff", "9f01ff", "bf", "bfff"),
        *("c0", "c11a514b67b0", "c249010000000000000000", "d81845ff", "d9d9f700", "dbffffffffffffffff00"),
        *("a1616100", "a1410000", "a1f500", "a1f600", "a18000", "a1a000", "81f7"),
    ),
    "CBOR_DEPTH": ("8181818180", "81818181a0", "a101a101a101a101a0", "a101a101a101a10180", "818181a1018100", "81" * 40),
    "CBOR_KEY_ORDER": ("a202000100", "a220000000", "a21818000100", "a219010000181800", "a221002000"),
    "CBOR_DUPLICATE_KEY": ("a201000100", "a220002000", "a2181800181800", "a3010002000200", "a101a201000101"),
    "CBOR_UTF8": (
        *(
            "6180",
            "61c3",
            "62c080",
            "62c1bf",
            "63e08080",
            "63e09fbf",
            "63eda080",
            "63edbfbf",
            "64f0808080",
            "64f08fbfbf",
        ),
        *("64f4908080", "64f5808080", "61ff", "61fe", "62c328", "63e228a1", "63e28228", "64f0288cbc", "64f0908c28"),
        *("65f888808080", "62e282", "66eda080edb080", "6261c3", "63f09f98", "a1016180"),
    ),
    "CBOR_ITEMS": (
        "990100" + "00" * 256,
        "b880" + "".join(cbor2.dumps(n).hex() + "f6" for n in range(128)),
        "8199010000" + "f4" * 999,
    ),
    "CBOR_RANGE": ("3b8000000000000000", "3bffffffffffffffff", "a13b800000000000000000", "813b8000000000000001"),
}


def cbor_cases() -> list[Case]:
    """Values with their one encoding, and bytes that are none."""
    cases: list[Case] = []
    for value in CBOR_VALUES:
        name = repr(value)
        data = dumps(value)
        ordered = cbor2.loads(data)
        cases.append(
            {"name": name if len(name) < 60 else name[:57] + "...", "hex": data.hex(), "expect": plain(ordered)}
        )
    for reason, items in CBOR_REFUSED.items():
        cases += [{"name": f"{reason} {text[:40]}", "hex": text, "error": code(reason)} for text in items]
    return cases


# messages


def message_accepted() -> list[Case]:
    """Each message in full and with what is required alone; keys of a newer peer."""
    cases = []
    for type_, name, rows in EXAMPLES:
        forms = {"full": rows, "least": [row for row in rows if row[-1] != OPTIONAL]}
        if 0x40 <= type_ < 0x80:
            forms["sealed"] = [*rows, (15, "seal", SEAL, OPTIONAL)]
        for form, some in forms.items():
            if form == "least" and len(some) == len(rows):
                continue
            data = dumps({row[0]: row[2] for row in some})
            fields = {row[1]: plain(row[2]) for row in some}
            cases.append({"name": f"{name}, {form}", "type": type_, "hex": data.hex(), "expect": fields})
    newer = {1: EPOCH, 2: 7, 20: "newer", -1: [1]}
    for type_, name, known in ((0x81, "ack", {"epoch": plain(EPOCH), "through": 7}),):
        case = {"name": f"{name}: keys of a newer collector are left out", "type": type_, "hex": dumps(newer).hex()}
        cases.append({**case, "expect": known})
    gap = {2: 18, 3: 40, 4: 1, 20: "newer", -1: [1]}
    kept = {"first": 18, "last": 40, "cause": 1, "20": "newer", "-1": [1]}
    cases.append({"name": "gap: keys of a newer chip are kept", "type": 0x48, "hex": dumps(gap).hex(), "expect": kept})
    for name, value, fields in (
        ("a cause of a newer chip is kept", {2: 18, 4: 200}, {"first": 18, "cause": 200}),
        ("first record of an epoch", {1: EPOCH, 2: 18, 4: 3}, {"epoch": plain(EPOCH), "first": 18, "cause": 3}),
    ):
        cases.append({"name": f"gap: {name}", "type": 0x48, "hex": dumps(value).hex(), "expect": fields})
    return cases


def message_refused() -> list[Case]:
    """Payloads that are no such message."""
    cases = []
    for type_, name, rows in EXAMPLES:
        pairs = {row[0]: row[2] for row in rows}
        for row in rows:
            if row[-1] != OPTIONAL:
                less = dumps({key: pairs[key] for key in pairs if key != row[0]})
                case = {"name": f"{name} without {row[1]}", "type": type_, "hex": less.hex()}
                cases.append({**case, "error": code("MESSAGE_MISSING")})
    by_type = {type_: (name, {row[0]: row[2] for row in rows}) for type_, name, rows in EXAMPLES}
    for type_, key, value, reason in WRONG:
        name, pairs = by_type[type_]
        data = dumps({**pairs, key: value})
        label = repr(value) if len(repr(value)) < 40 else repr(value)[:37] + "..."
        cases.append({"name": f"{name} key {key}: {label}", "type": type_, "hex": data.hex(), "error": code(reason)})
    odd = [
        ("payload is a list", 0x81, "80", "MESSAGE_NOT_MAP"),
        ("payload is a number", 0x81, "00", "MESSAGE_NOT_MAP"),
        ("payload is null", 0x81, "f6", "MESSAGE_NOT_MAP"),
        ("payload is empty", 0x81, "", "CBOR_TRUNCATED"),
        ("payload is two maps", 0x81, "a0a0", "CBOR_TRAILING"),
        *((f"unknown type {type_:02x}", type_, "a0", "MESSAGE_UNKNOWN_TYPE") for type_ in (0, 0x3F, 0x4D, 0x91, 0xF0)),
    ]
    for name, type_, text, reason in odd:
        cases.append({"name": name, "type": type_, "hex": text, "error": code(reason)})
    return cases


def main() -> int:
    """Build the five files, or with --check say which differ."""
    files = {
        "frame.json": frame_accepted() + frame_refused() + frame_tags(),
        "stream.json": stream_cases(),
        "cbor.json": cbor_cases(),
        "messages.json": message_accepted() + message_refused(),
        "seal.json": seals(),
    }
    stale = []
    for name, cases in files.items():
        named(name, cases)
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        text = f"[\n{lines}\n]\n"
        path = HERE / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"tests/vectors/{name} is not what build_wire.py builds", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
