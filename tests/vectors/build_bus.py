"""Build ``bus.json``: polls and goodbyes, byte for byte, made here without the product's encoder."""

import json
import sys
from pathlib import Path

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


def cases() -> list[dict[str, object]]:
    """Return the cases."""
    found: list[dict[str, object]] = []
    for name, device, frames, payload in (
        ("poll for one frame", 7, 1, b"\xa1\x01\x01"),
        ("poll for 255 frames", (1 << 63) - 1, 255, b"\xa1\x01\x18\xff"),
        ("poll whose device needs stuffing", 0x7E7D, 24, b"\xa1\x01\x18\x18"),
    ):
        expect: dict[str, object] = {"what": "poll", "device": str(device), "frames": frames}
        found.append({"name": name, "hex": wire(0x30, 0x82, device, payload).hex(), "expect": expect})
    for parity in (0, 4):
        payload = b"\xa4\x01\x50" + bytes(16) + b"\x02\x02\x03\x00\x04\x18\xfb"
        goodbye = wire(0x30 | parity, 0x80, 7, payload) * 3
        expect = {"what": "goodbye", "device": "7", "parity": parity, "reason": 251}
        found.append({"name": f"goodbye in parity {parity >> 2}", "hex": goodbye.hex(), "expect": expect})
    return found


def main() -> int:
    """Write the file, or compare it with ``--check``."""
    text = json.dumps(cases(), indent=1) + "\n"
    path = HERE / "bus.json"
    if "--check" in sys.argv[1:]:
        return int(path.read_text("utf-8") != text)
    path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
