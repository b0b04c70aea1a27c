"""Build ``bus.json``: polls and goodbyes, byte for byte, made here without the product's encoder."""

import json
import sys
from pathlib import Path
from typing import Any

from musts import named

HERE = Path(__file__).parent


def crc16_x25(data: bytes) -> int:
    """Return CRC-16/X-25, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc ^ 0xFFFF


def wire(flags: int, type_: int, device: int, payload: bytes) -> bytes:
    """Return a frame of epoch 0, number 1, time 0 and a tag of zeros."""
    raw = bytes([flags, type_]) + device.to_bytes(8, "big") + bytes(4) + (1).to_bytes(4, "big") + bytes(6)
    raw += len(payload).to_bytes(2, "big") + payload + bytes(8)
    crc = crc16_x25(raw)
    inner = raw + bytes([crc >> 8, crc & 255])
    return b"\x7e" + inner.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def cases() -> list[dict[str, Any]]:
    """Return the cases."""
    found: list[dict[str, Any]] = []
    for name, device, frames, payload in (
        ("poll for one frame", 7, 1, b"\xa1\x01\x01"),
        ("poll for 255 frames", (1 << 63) - 1, 255, b"\xa1\x01\x18\xff"),
        ("poll whose device needs stuffing", 0x7E7D, 24, b"\xa1\x01\x18\x18"),
    ):
        expect: dict[str, Any] = {"what": "poll", "device": str(device), "frames": frames}
        found.append({"name": name, "hex": wire(0x30, 0x82, device, payload).hex(), "expect": expect})
    for parity in (0, 4):
        payload = b"\xa4\x01\x50" + bytes(16) + b"\x02\x02\x03\x00\x04\x18\xfb"
        goodbye = wire(0x30 | parity, 0x80, 7, payload) * 3
        expect = {"what": "goodbye", "device": "7", "parity": parity, "reason": 251}
        found.append({"name": f"goodbye in parity {parity >> 2}", "hex": goodbye.hex(), "expect": expect})
    poll_answer = wire(0x22, 0x02, 7, bytes.fromhex("a7010203800412051106030700091a00015180"))
    for name, frames in (("turn with nothing to say", 0), ("turn of two frames", 2)):
        turn = {"what": "turn", "device": "7", "frames": frames}
        found.append({"name": name, "hex": (poll_answer * frames).hex() + "7e7e7e", "expect": turn})
    return found


def main() -> int:
    """Write the file, or compare it with ``--check``."""
    found = cases()
    named("bus.json", found)
    text = "[\n" + ",\n".join(json.dumps(case) for case in found) + "\n]\n"
    path = HERE / "bus.json"
    if "--check" in sys.argv[1:]:
        return int(path.read_text("utf-8") != text)
    path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
