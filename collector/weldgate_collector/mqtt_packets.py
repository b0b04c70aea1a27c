"""MQTT packets to bytes and back, 3.1.1 and 5, for the link and for publishers of single records. No socket, no clock.

Ours and not paho's, since a module's frame and a platform's record are one publish each: paho takes 26 µs for one at
QoS 0 and some 60 at QoS 1, this 2 to 3 (FACTS). Section numbers are of OASIS MQTT 3.1.1; with protocol 5 a packet has
properties, of which only the receive maximum matters here.
"""

from typing import NamedTuple

__all__ = [
    "CONNACK", "DISCONNECT", "DISCONNECTED", "PINGREQ", "PINGRESP", "PUBACK", "PUBLISH", "SUBACK", "UNSUBACK", "Packet",
    "PacketStream", "Publish", "connack_fault", "encode_connect", "encode_puback", "encode_publish", "encode_subscribe",
    "encode_unsubscribe", "puback_fault", "read_publish", "reason", "receive_maximum",
]  # fmt: skip

# Types, in bits 7-4 of the first byte (§2.2.1)
CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP, DISCONNECTED = 0x20, 0x30, 0x40, 0x90, 0xB0, 0xD0, 0xE0
PINGREQ, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
PACKET_MAX = 1 << 20  # bytes of one packet: what a broker has for us is far below
_LENGTH_BYTES_MAX = 4  # §2.2.3
_REASONS = {
    1: "protocol version", 2: "client id", 3: "server unavailable", 4: "bad user name or password",
    5: "not authorized", 0x85: "client id", 0x86: "bad user name or password", 0x87: "not authorized",
    0x90: "topic name invalid", 0x95: "packet too large", 0x97: "quota exceeded", 0x99: "payload format invalid",
}  # fmt: skip
_RECEIVE_MAXIMUM = 0x21
# MQTT 5 §2.2.2.2: properties by the width of their value; 0 = string or bytes, -1 = variable integer, -2 = two strings
_WIDTHS = {
    0x11: 4, 0x12: 0, 0x13: 2, 0x15: 0, 0x16: 0, 0x1A: 0, 0x1C: 0, 0x1F: 0, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1,
    0x26: -2, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip

Packet = tuple[int, bytes]
"""A packet's first byte, and what follows its length."""


class Publish(NamedTuple):
    """One message; ``packet_id`` is 0 at QoS 0."""

    topic: bytes
    payload: bytes
    packet_id: int


class PacketStream:
    """Bytes in any pieces -> packets. Keeps at most one unfinished packet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes and return what is whole.

        Raises:
            ValueError: a length that no packet may have.
        """
        data = self._rest + data if self._rest else data
        found: list[Packet] = []
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
                        raise ValueError("a packet's length takes more than four bytes")
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


def read_publish(first: int, body: bytes, protocol: int = 4) -> Publish:
    """Return what a PUBLISH packet carries (§3.3).

    Raises:
        ValueError: it is too short for what it claims.
    """
    start = 2 + int.from_bytes(body[:2], "big")
    at, packet_id = start, 0
    if first & 0x06:
        at += 2
        packet_id = int.from_bytes(body[start:at], "big")
    if protocol == 5:
        length, at = _varint(body, at)
        at += length
    if len(body) < 2 or at > len(body):
        raise ValueError("a publish is shorter than it claims")
    return Publish(body[2:start], body[at:], packet_id)


def encode_connect(client_id: str, username: str, password: str, keepalive_s: int, protocol: int = 4) -> bytes:
    """Return CONNECT with a clean session (§3.1); protocol 4 or 5."""
    flags = 0x02 | (0x80 if username else 0) | (0x40 if username and password else 0)
    body = b"\x00\x04MQTT" + bytes([protocol, flags]) + keepalive_s.to_bytes(2, "big")
    body += _properties(protocol) + _text(client_id)
    if username:
        body += _text(username) + (_text(password) if password else b"")
    return _packet(0x10, body)


def encode_publish(topic: bytes, payload: bytes, packet_id: int = 0, protocol: int = 4) -> bytes:
    """Return PUBLISH (§3.3), at QoS 1 with a packet id, at QoS 0 with 0 for it."""
    number = packet_id.to_bytes(2, "big") if packet_id else b""
    body = b"%b%b%b%b%b" % (len(topic).to_bytes(2, "big"), topic, number, _properties(protocol), payload)
    return _packet(PUBLISH | (0x02 if packet_id else 0), body)


def encode_puback(packet_id: int) -> bytes:
    """Return PUBACK (§3.4), the same with both protocols."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def encode_subscribe(packet_id: int, topic: str, protocol: int = 4) -> bytes:
    """Return SUBSCRIBE to one topic at QoS 0 (§3.8)."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + _properties(protocol) + _text(topic) + b"\0")


def encode_unsubscribe(packet_id: int, topic: str, protocol: int = 4) -> bytes:
    """Return UNSUBSCRIBE from one topic (§3.10)."""
    return _packet(0xA2, packet_id.to_bytes(2, "big") + _properties(protocol) + _text(topic))


def connack_fault(body: bytes) -> str:
    """Return why CONNACK refuses, empty when it doesn't (§3.2)."""
    if len(body) < 2:
        return "an answer that is no CONNACK"
    return reason(body[1]) if body[1] else ""


def receive_maximum(body: bytes) -> int:
    """Return how many publishes at QoS 1 a broker of protocol 5 takes unacknowledged (MQTT 5 §3.2.2.3.3)."""
    try:
        length, at = _varint(body, 2)
        end = at + length
        while at < end:
            kind = body[at]
            width = _WIDTHS[kind]
            at += 1
            if kind == _RECEIVE_MAXIMUM:
                return int.from_bytes(body[at : at + 2], "big") or 1
            for _ in range({0: 1, -2: 2}.get(width, 0)):
                at += 2 + int.from_bytes(body[at : at + 2], "big")
            at += max(width, 0)
    except (ValueError, IndexError, KeyError):
        return 65_535
    return 65_535


def puback_fault(body: bytes) -> tuple[int, str]:
    """Return (reason code, words) of PUBACK; (0, empty) for success (MQTT 5 §3.4.2.1)."""
    code = body[2] if len(body) > 2 else 0
    return (code, reason(code)) if code >= 0x80 else (0, "")


def reason(code: int) -> str:
    """Return a reason code in words."""
    return f"{_REASONS.get(code, 'reason')} ({code})"


def _properties(protocol: int) -> bytes:
    return b"\0" if protocol == 5 else b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable integer and where it ends (§2.2.3)."""
    value = 0
    for count, byte in enumerate(data[at : at + _LENGTH_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise ValueError("a length that is cut short, or has more than four bytes")


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > 0xFFFF:
        raise ValueError(f"a text of {len(data)} bytes, at most 65535")
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    if length < 0x80:
        return bytes((first, length)) + body
    head = bytearray((first,))
    while True:
        length, byte = length >> 7, length & 0x7F
        head.append(byte | 0x80 if length else byte)
        if not length:
            return bytes(head) + body
