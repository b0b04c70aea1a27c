"""MQTT packets for a publisher, 3.1.1 and 5, to bytes and back: no socket, no clock.

Ours and not paho's where one record is one publish: paho spends some 60 µs on a QoS 1 message, this 2 to 3. Section
numbers are of MQTT 3.1.1; with 5 a packet has properties, of which only the receive maximum matters here.
"""

from typing import NamedTuple

__all__ = [
    "CONNACK", "PINGRESP", "PUBACK", "PUBLISH", "SUBACK", "UNSUBACK", "Packet", "Packets", "connack_fault", "connect",
    "decode_publish", "puback_fault", "publish", "receive_maximum", "simple", "subscribe", "unsubscribe",
]  # fmt: skip

CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 11, 13, 14
_PACKET_MAX = 4_000_000
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


class Packet(NamedTuple):
    """One packet: type, flags of the first byte, and what follows the remaining length."""

    type: int
    flags: int
    body: bytes


class Packets:
    """Bytes in any pieces → packets."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes, and return the packets that are whole.

        Raises:
            ValueError: a length that no MQTT packet has.
        """
        held = self._data
        held += data
        found: list[Packet] = []
        position, end = 0, len(held)
        while end - position >= 2:
            length, at, shift = 0, position + 1, 0
            while True:
                if at >= end:
                    length = -1
                    break
                byte = held[at]
                at += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if shift > 21:
                    raise ValueError("a packet's length has more than four bytes")
            if length > _PACKET_MAX:
                raise ValueError(f"a packet of {length} bytes, at most {_PACKET_MAX}")
            if length < 0 or end - at < length:
                break
            found.append(Packet(held[position] >> 4, held[position] & 0x0F, bytes(held[at : at + length])))
            position = at + length
        del held[:position]
        return found


def connect(client_id: str, username: str, password: str, keepalive_s: int, protocol: int) -> bytes:
    """Return CONNECT with a clean session (§3.1); protocol 4 or 5."""
    flags = 0x02 | (0x80 if username else 0) | (0x40 if username and password else 0)
    body = _text("MQTT") + bytes([protocol, flags]) + keepalive_s.to_bytes(2, "big")
    body += (b"\0" if protocol == 5 else b"") + _text(client_id)
    if username:
        body += _text(username) + (_text(password) if password else b"")
    return _packet(0x10, body)


def publish(topic: bytes, payload: bytes, packet_id: int, protocol: int) -> bytes:
    """Return PUBLISH (§3.3), at QoS 1 with a packet id, at QoS 0 with 0 for it."""
    properties = b"\0" if protocol == 5 else b""
    if packet_id:
        body = b"%b%b%b%b%b" % (
            len(topic).to_bytes(2, "big"), topic, packet_id.to_bytes(2, "big"), properties, payload,
        )  # fmt: skip
        return _packet(0x32, body)
    return _packet(0x30, b"%b%b%b%b" % (len(topic).to_bytes(2, "big"), topic, properties, payload))


def subscribe(packet_id: int, topic: str, protocol: int) -> bytes:
    """Return SUBSCRIBE at QoS 0 (§3.8)."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + (b"\0" if protocol == 5 else b"") + _text(topic) + b"\0")


def unsubscribe(packet_id: int, topic: str, protocol: int) -> bytes:
    """Return UNSUBSCRIBE (§3.10)."""
    return _packet(0xA2, packet_id.to_bytes(2, "big") + (b"\0" if protocol == 5 else b"") + _text(topic))


def simple(what: str) -> bytes:
    """Return PINGREQ (§3.12) or DISCONNECT (§3.14)."""
    return {"ping": b"\xc0\0", "disconnect": b"\xe0\0"}[what]


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
    except (IndexError, KeyError):
        return 65_535
    return 65_535


def puback_fault(body: bytes) -> tuple[int, str]:
    """Return (reason code, words) of PUBACK; (0, empty) for success (MQTT 5 §3.4.2.1)."""
    code = body[2] if len(body) > 2 else 0
    return (code, reason(code)) if code >= 0x80 else (0, "")


def decode_publish(packet: Packet, protocol: int) -> tuple[str, bytes, int]:
    """Return (topic, payload, packet id or 0) of PUBLISH.

    Raises:
        ValueError: it is none.
    """
    body = packet.body
    try:
        at = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:at].decode()
        packet_id = 0
        if packet.flags & 0x06:
            packet_id = int.from_bytes(body[at : at + 2], "big")
            at += 2
        if protocol == 5:
            length, at = _varint(body, at)
            at += length
    except IndexError:
        raise ValueError("a publish that is cut short") from None
    return topic, body[at:], packet_id


def reason(code: int) -> str:
    """Return a reason code in words."""
    return f"{_REASONS.get(code, 'reason')} ({code})"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


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
