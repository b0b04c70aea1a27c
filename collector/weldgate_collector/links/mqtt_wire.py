"""The few packets of MQTT 3.1.1 that the link needs, to bytes and back; pure, no socket.

Written here since a module's frame is one publish: paho takes 26 µs for each, this takes a fraction of it (FACTS). The
link speaks QoS 0 alone: what is acknowledged is acknowledged by frames, and what the broker drops comes again.
"""

from typing import NamedTuple

__all__ = [
    "CONNACK", "DISCONNECT", "PINGREQ", "PINGRESP", "PUBLISH", "SUBACK", "PacketStream", "Publish", "encode_connect",
    "encode_publish", "encode_subscribe", "read_publish",
]  # fmt: skip

CONNACK, PUBLISH, SUBACK, PINGRESP = 0x20, 0x30, 0x90, 0xD0  # OASIS MQTT 3.1.1 §2.2.1, in bits 7-4
PINGREQ, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
PACKET_MAX = 1 << 20  # bytes of one packet: a publish of a few frames is far below
_LENGTH_BYTES_MAX = 4  # §2.2.3


class Publish(NamedTuple):
    """One message."""

    topic: bytes
    payload: bytes


class PacketStream:
    """Bytes in any pieces -> packets. Keeps at most one unfinished packet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes and return what is whole: (first byte, the packet's body) each.

        Raises:
            ValueError: a length that no packet may have.
        """
        data = self._rest + data if self._rest else data
        found: list[tuple[int, bytes]] = []
        pos, size = 0, len(data)
        while size - pos >= 2:
            length, body = data[pos + 1], pos + 2
            if length & 0x80:
                length &= 0x7F
                shift = 7
                while body < size:
                    byte = data[body]
                    body += 1
                    length |= (byte & 0x7F) << shift
                    shift += 7
                    if not byte & 0x80:
                        break
                    if shift >= 7 * _LENGTH_BYTES_MAX:
                        raise ValueError("a packet's length takes more than 4 bytes")
                else:
                    break  # the length itself is not whole yet
            if length > PACKET_MAX:
                raise ValueError(f"packet of {length} bytes, at most {PACKET_MAX}")
            end = body + length
            if end > size:
                break
            found.append((data[pos], data[body:end]))
            pos = end
        self._rest = data[pos:]
        return found


def read_publish(first: int, body: bytes) -> Publish:
    """Return a PUBLISH packet's topic and payload (§3.3).

    Raises:
        ValueError: it is too short for what it claims.
    """
    start = 2 + (int.from_bytes(body[:2], "big"))
    if len(body) < 2 or start > len(body):
        raise ValueError("a publish is shorter than its topic")
    return Publish(body[2:start], body[start + 2 if first & 0x06 else start :])


def encode_connect(client_id: str, username: str, password: str, keepalive_s: int) -> bytes:
    """Return a CONNECT with a clean session (§3.1)."""
    flags = 0x02 | (0xC0 if username else 0)
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + keepalive_s.to_bytes(2, "big") + _text(client_id)
    if username:
        body += _text(username) + _text(password)
    return _packet(0x10, body)


def encode_subscribe(number: int, topic: str) -> bytes:
    """Return a SUBSCRIBE to one topic at QoS 0 (§3.8)."""
    return _packet(0x82, number.to_bytes(2, "big") + _text(topic) + b"\x00")


def encode_publish(topic: bytes, payload: bytes) -> bytes:
    """Return a PUBLISH at QoS 0 (§3.3)."""
    return _packet(PUBLISH, len(topic).to_bytes(2, "big") + topic + payload)


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    length = bytearray()
    rest = len(body)
    while True:
        rest, low = rest >> 7, rest & 0x7F
        length.append(low | (0x80 if rest else 0))
        if not rest:
            return bytes([first]) + bytes(length) + body
